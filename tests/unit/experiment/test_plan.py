"""The jobs that the experiment runs, and what replays the curves of some of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from experiment import plots, replay
from experiment.plan import CONFIG, EXAMPLE, RECORDED, Run, batches, config_map, curves, remaining
from experiment.records import Kind, Stopping
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tests.unit.experiment.made import both
from tuning_operator.api.job import parse_job
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, suggest

if TYPE_CHECKING:
    from pathlib import Path

EVERY = [run for batch in batches(list(Kind), 3) for run in batch]


def names(planned: list[list[Run]]) -> list[list[str]]:
    return [[run.name for run in batch] for batch in planned]


def test_the_reference_runs_alone_and_takes_turns_and_the_replays_run_together() -> None:
    assert names(list(batches(list(Kind), 2))) == [
        ["reference-6-auto"],
        ["reference-6-off"],
        ["reference-7-off"],
        ["reference-7-auto"],
        [f"crossover-1-{seconds}s-{stopping}" for seconds in (1, 3, 6) for stopping in ("off", "auto")],
        [f"pauses-{seed}-2s-{stopping}" for seed in (1, 2) for stopping in ("auto", "pause")],
    ]
    assert {run.kind for batch in batches([Kind.CROSSOVER], 3) for run in batch} == {Kind.CROSSOVER}


def test_what_is_done_is_not_run_again() -> None:
    done = {"reference-6-off", "crossover-1-3s-off"}
    left = names(remaining(batches(list(Kind), 1), done))
    assert left[0] == ["reference-6-auto"]
    assert len(left[1]) == 5
    assert remaining(batches([Kind.REFERENCE], 1), {"reference-6-off", "reference-6-auto"}) == []


@pytest.mark.parametrize("run", EVERY, ids=lambda run: run.name)
def test_manifests_are_jobs(run: Run) -> None:
    job = json.loads(json.dumps(run.manifest()))
    assert re.fullmatch(r"[a-z0-9-]{1,40}", run.name), "what the API server takes as the name of a job"
    assert list(misspelt(job, job_schema(), "")) == []
    spec = parse_job(as_stored(job)).job.spec
    kind = EarlyStoppingType.OFF if run.stopping is Stopping.OFF else EarlyStoppingType.AUTO
    assert spec.early_stopping == EarlyStopping(kind, pause=run.stopping is Stopping.PAUSE)
    assert (spec.limits.max_trials, spec.limits.max_parallel_trials, spec.seed) == (20, 2, run.seed)


def test_the_reference_is_the_example_with_all_images() -> None:
    (run,) = next(batches([Kind.REFERENCE], 1))
    job = as_stored(run.manifest())
    example = as_stored(yaml.safe_load(EXAMPLE.read_text()))
    spec, shown = parse_job(job).job.spec, parse_job(example).job.spec
    assert spec.strategy is shown.strategy is Strategy.BAYESIAN
    assert (spec.space, spec.limits) == (shown.space, shown.limits)
    assert job["spec"]["template"] == example["spec"]["template"]
    assert job["spec"]["staticParameters"] | {"num_training_samples": "6000"} == example["spec"]["staticParameters"]
    assert "num_training_samples" not in job["spec"]["staticParameters"], "not all of Fashion-MNIST"


@pytest.mark.parametrize("kind", RECORDED)
def test_all_replays_of_a_seed_have_the_same_curves_in_the_same_order(kind: Kind) -> None:
    drawn = []
    for run in (run for run in EVERY if run.kind is kind and run.seed == 1):
        spec = parse_job(as_stored(run.manifest())).job.spec
        numbers = tuple(range(1, 21))
        request = SuggestRequest(spec.space, spec.objective.goal, spec.strategy, run.seed, numbers, (), ())
        drawn.append([suggestion.parameters["run"] for suggestion in suggest(request)])
    assert all(runs == drawn[0] for runs in drawn)
    assert len(set(drawn[0])) == 20
    assert all(0 <= int(run) < len(curves(kind)) for run in drawn[0])


def test_a_pod_replays_the_run_that_its_hyperparameters_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = next(run for run in EVERY if run.epoch_seconds == 3).manifest()
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounted["/replay"]]["configMap"]["name"] == CONFIG == config_map()["metadata"]["name"]
    assert container["command"] == ["python", "/replay/replay.py"]
    assert "replay.py" in config_map()["data"]
    name = RECORDED[Kind.CROSSOVER]
    (tmp_path / f"{name}.json").write_text(config_map()["data"][f"{name}.json"])
    slept: list[float] = []
    reported: list[tuple[int, float]] = []
    monkeypatch.setattr(replay, "FOLDER", tmp_path)
    monkeypatch.setattr("time.sleep", slept.append)
    metric = manifest["spec"]["objective"]["metric"]
    monkeypatch.setattr(replay, "report", lambda epoch, values: reported.append((epoch, values[metric])))
    monkeypatch.setenv("HYPERPARAMETERS", json.dumps({"run": 53, **manifest["spec"]["staticParameters"]}))
    replay.main()
    assert reported == list(enumerate(curves(Kind.CROSSOVER)[53], start=1))
    assert slept == [3.0] * 10


def test_a_replay_resumes_after_the_epochs_of_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made.json").write_text(json.dumps([[0.1, 0.2, 0.3]]))
    slept: list[float] = []
    reported: list[int] = []
    monkeypatch.setattr(replay, "FOLDER", tmp_path)
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr(replay, "report", lambda epoch, _: reported.append(epoch))
    monkeypatch.setenv("HYPERPARAMETERS", json.dumps({"run": 0, "curves": "made", "epoch_seconds": 2}))
    monkeypatch.setenv("TUNING_CHECKPOINT_DIR", str(tmp_path / "trial-1"))
    replay.main()
    assert (reported, slept) == ([1, 2, 3], [2.0] * 3)
    (tmp_path / "trial-1" / "epochs").write_text("2")
    replay.main()
    assert (reported, slept) == ([1, 2, 3] * 2, [2.0] * 4)


def test_pictures_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    plots.draw(both(), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {plots.CURVES, plots.BEST}
    plots.draw(both(kind=Kind.CROSSOVER, epoch_seconds=1.0), tmp_path)
    assert (tmp_path / plots.CROSSOVER).read_bytes().startswith(b"\x89PNG")
