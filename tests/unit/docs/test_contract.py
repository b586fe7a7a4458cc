"""The examples of the metrics contract do what they say, and the page names all that the operator adds to a Pod."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.ports import free_ports
from tests.unit.docs.pages import ROOT, blocks, section
from tuning_operator.api.job import parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.api.termination import parse_history
from tuning_operator.core.model.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "metrics-contract.md"
METRIC = "validation:accuracy"
CURVE = [(1, 0.5), (2, 0.75), (3, 1.0)]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the operator gives a container, and a termination log that can be read back."""
    return {
        **os.environ,
        "HP_epochs": str(len(CURVE)),
        "TUNING_OBJECTIVE_METRIC": METRIC,
        "TUNING_METRICS_PORT": str(free_ports(1)[0]),
        "TUNING_TERMINATION_LOG": str(tmp_path / "log"),
        "TUNING_FINISH_TIMEOUT": "0",
        "PAGE": str(tmp_path / "page"),
    }


def example(heading: str) -> list[str]:
    page = section(PAGE.read_text(), heading)
    return [block.text for block in blocks(PAGE, "python", "sh") if block.text in page]


def samples(page: str) -> dict[tuple[str, str | None, str | None], float]:
    return {
        (sample.name, sample.labels.get("metric"), sample.labels.get("epoch")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


FINAL_PAGE: dict[tuple[str, str | None, str | None], float] = {
    **{("tuning_epoch_value", METRIC, str(epoch)): value for epoch, value in CURVE},
    ("tuning_epochs_completed", None, None): 3,
    ("tuning_finished", None, None): 1,
}


def assert_complete(message: str) -> None:
    history = parse_history(message, METRIC)
    assert history is not None
    assert history.complete
    assert [tuple(measurement) for measurement in history.curve] == CURVE


def run_python(code: str, folder: Path, environment: dict[str, str], epilogue: str = "") -> str:
    values = [value for _, value in CURVE]
    script = folder / "train.py"
    script.write_text(f"values = iter({values})\ntrain_one_epoch = lambda: next(values)\n{code}\n{epilogue}")
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_example_with_our_package(tmp_path: Path, environment: dict[str, str]) -> None:
    (code,) = example("### Python with our package")
    run_python(code, tmp_path, environment)
    assert_complete((tmp_path / "log").read_text())


def test_the_example_with_prometheus_client(tmp_path: Path, environment: dict[str, str]) -> None:
    (code,) = example("### Python with prometheus-client alone")
    url = f"http://127.0.0.1:{environment['TUNING_METRICS_PORT']}/metrics"
    page = run_python(
        code, tmp_path, environment, f"import urllib.request\nprint(urllib.request.urlopen({url!r}).read().decode())"
    )
    assert {key: value for key, value in samples(page).items() if key[0].startswith("tuning_")} == FINAL_PAGE
    assert_complete((tmp_path / "log").read_text())


def test_the_example_in_shell(tmp_path: Path, environment: dict[str, str]) -> None:
    serve, train = example("### Shell")
    programs = {
        "serve.sh": serve,
        "train.sh": train,
        "socat": "#!/bin/sh\n",  # its request is checked below
        "train-one-epoch": '#!/bin/sh\nsed -n "$1p" values\n',
    }
    (tmp_path / "values").write_text("".join(f"{value}\n" for _, value in CURVE))
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    subprocess.run(["./train.sh"], env=environment, cwd=tmp_path, check=True)
    request = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
    answer = subprocess.run(
        ["./serve.sh"], env=environment, cwd=tmp_path, input=request, capture_output=True, text=True, check=True
    ).stdout
    head, _, page = answer.partition("\n\n")
    assert "Content-Type: text/plain; version=0.0.4" in head
    assert samples(page) == FINAL_PAGE
    assert_complete((tmp_path / "log").read_text())


def test_the_message_in_the_short_form_is_complete() -> None:
    message = next(blocks(PAGE, "json")).text
    history = parse_history(message, METRIC)
    assert history is not None
    assert history.complete
    assert set(json.loads(message)) == {"epochs", "metrics", "completed", "thinned"}


def test_all_that_the_operator_adds_to_a_pod_is_on_the_page() -> None:
    template: dict[str, Any] = {"spec": {"containers": [{"name": "training", "image": "example.com/training"}]}}
    job = parse_job(
        {
            "metadata": {"name": "job", "namespace": "here", "uid": "1"},
            "spec": {
                "objective": {"metric": METRIC, "goal": "Maximize"},
                "parameters": [{"name": "x", "continuous": {"min": 0, "max": 1}}],
                "limits": {"maxTrials": 1},
                "template": template,
            },
        }
    ).job
    pod = build_pod(job, template, Trial("job-0001", 1, {"x": 0.5}, seed=1))
    container = pod["spec"]["containers"][0]
    added = [
        *pod["metadata"]["labels"],
        *pod["metadata"]["annotations"],
        *(f"metadata.{name}" for name in ("name", "ownerReferences")),
        *(f"spec.{name}" for name in pod["spec"] if name != "containers"),
        *(name for name in container if name not in template["spec"]["containers"][0]),
    ]
    documented = section(PAGE.read_text(), "## What the operator adds to the Pod")
    assert [name for name in added if f"`{name}`" not in documented] == []
    assert set(re.findall(r"`([a-z0-9.-]+/[a-z-]+)`", documented)) == {
        *pod["metadata"]["labels"],
        *pod["metadata"]["annotations"],
    }
    variables = section(PAGE.read_text(), "## What the container gets")
    named = [entry["name"] for entry in container["env"] if not entry["name"].startswith("HP_")]
    assert [name for name in named if f"| `{name}` |" not in variables] == []
