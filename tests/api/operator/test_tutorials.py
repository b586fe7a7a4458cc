"""Tutorials followed literally on a real API server with the operator: every command, and all Python, in its order.

Only the number of trials is smaller: with four, no model is fitted, which would take most of the time.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster import paths
from cluster.played_kubelet import Training
from tests.unit.docs.pages import ROOT
from tests.unit.docs.tutorials import TUTORIALS, Reader, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

SIDECAR = "--sidecar-image=registry.example.com/sidecar:1"


def train(parameters: Mapping[str, Any], pod: str) -> Training:
    """What there is to learn: hyperparameters that are numbers, in three epochs; some are read by a sidecar alone."""
    reached = sum(float(value) for value in parameters.values() if isinstance(value, int | float))
    by_sidecar = pod.startswith(("mnist-", "from-event-files-"))
    values = tuple(round(reached * epoch, 6) for epoch in (1, 2, 3))
    return Training(values, epoch_seconds=0.05, leaves_message=not by_sidecar, waits_for_scrape=by_sidecar)


def reader(lab: Lab, folder: Path, shorter: Mapping[str, str]) -> Reader:
    return Reader(folder, lab.cluster.kubeconfig, lab.namespace, paths.binary("kubectl").parent, shorter)


def test_after_the_job_the_winner_is_trained_again_and_its_records_are_kept(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    page = TUTORIALS / "after-the-job.md"
    lab = start_lab(train, job="fashion", trials=0)
    following = reader(lab, tmp_path, {"maxTrials: 20": "maxTrials: 4"})
    following.save(page)
    lab.cluster.apply(yaml.safe_load((tmp_path / "job.yaml").read_text()))
    lab.cluster.wait_for_phase("Completed", name="fashion")
    written = {}
    for language, text in steps(page):
        if "delete tuningjob" in text:
            confirmed = lab.cluster.wait_for_phase("Completed", name="fashion")["status"]
        written[text] = following.run(language, text)
    place, why, from_python, *_ = written.values()
    best = json.loads(place)
    assert best["modelFolder"].startswith(f"/models/{best['name']}-")
    assert best["name"] in why
    assert from_python.split()[0] == best["name"]
    again = yaml.safe_load((tmp_path / "best.yaml").read_text())
    (container,) = again["spec"]["template"]["spec"]["containers"]
    variables = {item["name"]: item["value"] for item in container["env"]}
    assert variables["HP_epochs"] == "100"
    assert variables["TUNING_MODEL_DIR"] == "/models/fashion-best"
    assert f"HP_learning_rate={best['parameters']['learning_rate']}\n" in (tmp_path / "best.env").read_text()
    assert confirmed["confirmation"]["progress"] == "9/9"
    assert confirmed["bestTrial"]["confirmation"]["repetitions"] == 3
    with (tmp_path / "trials.csv").open() as rows:
        assert len(list(csv.DictReader(rows))) == 4 + 9
    assert (tmp_path / "runs" / "mlflow.db").is_file()
    assert lab.cluster.jobs() == []


def test_an_experiment_of_katib_s_is_converted_and_runs(start_lab: Callable[..., Lab], tmp_path: Path) -> None:
    page = TUTORIALS / "from-katib.md"
    lab = start_lab(train, SIDECAR, job="mnist", trials=4, attempts=1)
    following = reader(lab, tmp_path, {"maxTrialCount: 12": "maxTrialCount: 4", "max_trials=12": "max_trials=4"})
    following.save(page)
    written = following.follow(page)
    jobs = {job["metadata"]["name"]: job["status"] for job in lab.cluster.jobs()}
    assert {status["phase"] for status in jobs.values()} == {"Completed"}
    assert [status["progress"] for status in jobs.values()] == ["4/4", "4/4"]
    best = yaml.safe_load(written["kubectl tuning best -n tuning mnist"])
    variables = {item["name"]: item["value"] for item in best["spec"]["containers"][0]["env"]}
    assert variables["HP_lr"] == jobs["mnist"]["bestTrial"]["parameters"]["lr"]
    assert "--lr=$(HP_lr)" in best["spec"]["containers"][0]["command"]
    *_, printed = written.values()
    assert printed.splitlines()[-1].startswith("{'a': ")


def test_a_request_of_sagemaker_s_and_a_script_of_its_sdk_run(start_lab: Callable[..., Lab], tmp_path: Path) -> None:
    page = TUTORIALS / "from-sagemaker.md"
    lab = start_lab(train, trials=0)
    following = reader(
        lab, tmp_path, {'"MaxNumberOfTrainingJobs": 20': '"MaxNumberOfTrainingJobs": 4', "max_jobs=20": "max_jobs=4"}
    )
    following.save(page)
    following.follow(page)
    jobs = lab.cluster.jobs()
    assert len(jobs) == 2
    for job in jobs:
        assert job["metadata"]["name"].startswith("resnet")
        assert (job["status"]["phase"], job["status"]["progress"]) == ("Completed", "4/4")


def test_the_recipe_of_each_framework_is_applied_and_watched_to_its_end(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    page, examples = TUTORIALS / "frameworks.md", tmp_path / "examples"
    (examples / "frameworks").mkdir(parents=True)
    for path in (*(ROOT / "examples" / "frameworks").glob("*.yaml"), ROOT / "examples" / "tensorboard.yaml"):
        text = path.read_text()
        assert "maxTrials: 20" in text
        (tmp_path / path.relative_to(ROOT)).write_text(text.replace("maxTrials: 20", "maxTrials: 2"))
    lab = start_lab(train, SIDECAR, job="from-event-files", trials=2, attempts=1)
    written = reader(lab, tmp_path, {}).follow(page)
    applied = [command.split()[-1] for command in written if " apply " in command]
    assert sorted(applied) == sorted(str(path.relative_to(tmp_path)) for path in examples.rglob("*.yaml"))
    ended = {job["metadata"]["name"]: job["status"] for job in lab.cluster.jobs()}
    assert len(ended) == len(applied)
    for status in ended.values():
        assert (status["phase"], status["trialCounts"]["completed"]) == ("Completed", 2)
