"""Tutorials do what they say: files fit together, commands are there, scripts train, conversions come out as shown."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.docs.pages import ROOT, blocks
from tests.unit.docs.schema import as_stored
from tests.unit.docs.tutorials import TUTORIALS, commands, save
from tuning_client.__main__ import commands_of, main
from tuning_operator.api.job import parse_job
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.pods import build_pod, check_variables, model_folder
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.suggest import SuggestRequest, suggest

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(TUTORIALS.glob("*.md"))
REFERENCE = re.compile(r"\$\((\w+)\)")


def first_trial(manifest: dict[str, Any]) -> tuple[dict[str, str], list[str], Trial]:
    """What the training container of a job's first trial gets: its environment and its words, as Kubernetes expands."""
    tuning_job = parse_job(as_stored(manifest))
    spec = tuning_job.job.spec
    request = SuggestRequest(spec.space, spec.objective.goal, spec.strategy, 1, (1,), (), ())
    (suggestion,) = suggest(request)
    trial = Trial(f"{tuning_job.job.name}-0001", 1, suggestion.parameters, 7)
    pod = build_pod(tuning_job.job, tuning_job.template, trial, PodOptions(sidecar_image="sidecar"))
    check_variables(tuning_job.template, pod)
    container = pod["spec"]["containers"][0]
    environment: dict[str, str] = {}
    for item in container["env"]:
        environment[item["name"]] = REFERENCE.sub(lambda match: environment[match[1]], item["value"])
    words = [*container.get("command", ()), *container.get("args", ())]
    return environment, [REFERENCE.sub(lambda match: environment[match[1]], word) for word in words], trial


def test_the_script_of_one_s_own_reports_every_epoch_of_its_trial(tmp_path: Path) -> None:
    page = TUTORIALS / "own-script.md"
    assert save(page, tmp_path) == ["train.py", "job.yaml"]
    manifest = yaml.safe_load((tmp_path / "job.yaml").read_text())
    environment, words, _ = first_trial(manifest)
    create = next(command for command in commands(page) if "create configmap" in command)
    volume = next(item for item in manifest["spec"]["template"]["spec"]["volumes"] if "configMap" in item)
    assert f"configmap {volume['configMap']['name']} --from-file=train.py" in create
    assert words[:2] == ["python3", "/code/train.py"]
    log = tmp_path / "message"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TUNING_", "HP_", "RANK"))}
    own = {"TUNING_TERMINATION_LOG": str(log), "TUNING_METRICS_PORT": "0", "TUNING_FINISH_TIMEOUT": "0"}
    settings = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py"), *words[2:]],
        env=clean | settings | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    message = json.loads(log.read_text())
    assert message["epochs"] == list(range(1, 21))
    assert list(message["metrics"]) == [manifest["spec"]["objective"]["metric"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_are_there_and_name_what_the_page_has(page: Path, tmp_path: Path) -> None:
    files, made = set(save(page, tmp_path)), set[str]()
    jobs = {yaml.safe_load((tmp_path / name).read_text())["metadata"]["name"] for name in files if name == "job.yaml"}
    found = commands(page)
    assert len(found) >= 3
    for command in found:
        words, _, target = command.partition(" > ")
        program, *arguments = shlex.split(words)
        if program == "tuning-client" or arguments[:1] == ["tuning"]:
            parsed = commands_of(program).parse_args(arguments[1:] if program == "kubectl" else arguments)
            if getattr(parsed, "job", None):
                assert not jobs or parsed.job in jobs, command
        else:
            assert program == "kubectl", command
        for place, word in enumerate(arguments):
            if word == "-f":
                name = arguments[place + 1]
                exists = name in files | made or (ROOT / name).is_file()
                assert exists, f"{command}: the reader has no {name}"
                if (ROOT / name).is_file():
                    jobs |= {
                        document["metadata"]["name"]
                        for document in yaml.safe_load_all((ROOT / name).read_text())
                        if document["kind"] == "HyperparameterTuningJob"
                    }
        made |= {target} if target else set()


@pytest.mark.parametrize(("page", "file"), [("from-katib", "experiment.yaml"), ("from-sagemaker", "request.json")])
def test_a_conversion_says_what_the_page_shows(
    page: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = TUTORIALS / f"{page}.md"
    assert file in save(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["convert", file]) == 0
    out, err = capsys.readouterr()
    (shown,) = (block.text for block in blocks(path, "text"))
    assert err == shown
    job = yaml.safe_load(out)
    first_trial(job)
    watched = next(command.split()[-1] for command in commands(path) if " watch " in command)
    assert job["metadata"]["name"] == watched


def test_the_model_of_the_job_goes_where_the_page_says(tmp_path: Path) -> None:
    save(TUTORIALS / "after-the-job.md", tmp_path)
    manifest = yaml.safe_load((tmp_path / "job.yaml").read_text())
    environment, _, trial = first_trial(manifest)
    assert environment["TUNING_MODEL_DIR"] == "/models"
    assert model_folder(manifest["spec"]["template"], trial) == f"/models/{trial.name}-{trial.seed}"
