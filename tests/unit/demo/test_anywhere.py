"""The demo on a user's cluster: it says what it installs, asks, and keeps off what is not its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.tools import CommandError
from demo.__main__ import main
from demo.anywhere import DEFINITIONS, LABEL, NAMESPACE, OPERATOR_NAMESPACE, OURS, UserCluster
from demo.install import EXAMPLE, PAUSING
from tests.unit.docs.pages import ROOT
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tuning_operator.api.job import parse_job

if TYPE_CHECKING:
    from pathlib import Path

HERE = UserCluster("kind", "registry.example.com/tuning", "1.2.3")
ARGUMENTS = ["up", "--context", "kind", "--registry", HERE.registry, "--version", HERE.version]

KUBECTL = """#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *words]) + "\\n")
there = json.loads(os.environ["THERE"])
if "get" in words:
    print(there.get(words[words.index("get") + 2], ""), end="")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl and a helm that note what they are asked, in place of the user's."""
    for name in ("kubectl", "helm"):
        (tmp_path / name).write_text(KUBECTL)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("THERE", "{}")
    monkeypatch.chdir(ROOT)
    return tmp_path / "calls"


def made(calls: Path) -> list[list[str]]:
    """The calls that change something."""
    words = [json.loads(line) for line in calls.read_text().splitlines()]
    return [call for call in words if "get" not in call]


def test_every_call_names_the_context(calls: Path) -> None:
    HERE.install()
    for program, option, context, *_ in (json.loads(line) for line in calls.read_text().splitlines()):
        assert (option, context) == ({"kubectl": "--context", "helm": "--kube-context"}[program], "kind")


def test_nothing_is_installed_before_somebody_agrees(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ARGUMENTS) == 1
    said = capsys.readouterr().out
    assert made(calls) == []
    assert "YES=1" in said
    for word in (NAMESPACE, OPERATOR_NAMESPACE, f"{HERE.registry}/operator:1.2.3", "resource definitions"):
        assert word in said


def test_images_have_to_be_named(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--context", "kind", "--yes"]) == 1
    assert not calls.exists()
    assert "REGISTRY=" in capsys.readouterr().out


def test_the_release_takes_the_images_and_a_prometheus_of_its_own(calls: Path) -> None:
    HERE.install()
    (helm,) = (call for call in made(calls) if call[0] == "helm")
    assert {
        "prometheus.bundled=true",
        f"image.repository={HERE.registry}/operator",
        "image.tag=1.2.3",
        f"watchNamespaces={{{NAMESPACE}}}",
        "crds.install=true",
    } <= set(helm)


def test_resource_definitions_of_another_release_are_left_alone(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", json.dumps({DEFINITIONS: "xtuning-operator"}))
    assert not any("resource definitions" in line for line in HERE.plan(EXAMPLE.read_text()))
    HERE.install()
    assert "crds.install=false" in made(calls)[-1]


@pytest.mark.parametrize("command", ["up", "down"])
def test_namespaces_of_somebody_else_are_left_alone(
    calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("THERE", json.dumps({NAMESPACE: "xsomebody", OPERATOR_NAMESPACE: "x"}))
    assert main([command, *ARGUMENTS[1:], "--yes"]) == (1 if command == "up" else 0)
    assert made(calls) == []
    assert ("is not the demo's" in capsys.readouterr().out) is (command == "up")


def test_all_that_it_made_is_removed(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", json.dumps({NAMESPACE: f"x{OURS}", OPERATOR_NAMESPACE: f"x{OURS}"}))
    assert main(["down", "--context", "kind"]) == 0
    deleted = [call[-2] for call in made(calls) if "delete" in call]
    assert deleted == [NAMESPACE, OPERATOR_NAMESPACE]
    assert [call[3] for call in made(calls) if call[0] == "helm"] == ["uninstall"]
    assert LABEL.endswith("managed-by")


@pytest.mark.parametrize("example", [EXAMPLE, PAUSING], ids=lambda path: path.name)
def test_its_job_needs_no_gpu(calls: Path, example: Path) -> None:
    *_, job = yaml.safe_load_all(HERE.adapted(example.read_text()))
    parse_job(as_stored(job))
    assert list(misspelt(job, job_schema(), "")) == []
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"{HERE.registry}/trainer:1.2.3"
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
    assert not calls.exists()


def test_a_claim_is_asked_for_only_where_trials_are_paused(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, asked in (([], False), (["--pause"], True)):
        assert main([*ARGUMENTS, *options]) == 1
        assert (f"a claim in {NAMESPACE} for a volume of 1Gi" in capsys.readouterr().out) is asked
        kinds = [body["kind"] for body in yaml.safe_load_all(HERE.adapted((PAUSING if asked else EXAMPLE).read_text()))]
        assert kinds == ["PersistentVolumeClaim"] * asked + ["HyperparameterTuningJob"]
    assert made(calls) == []


def test_with_pauses_it_is_the_same_job() -> None:
    """But for the volume, and the time that it takes to write a checkpoint."""
    plain = yaml.safe_load(EXAMPLE.read_text())["spec"]
    *_, job = yaml.safe_load_all(PAUSING.read_text())
    pausing: dict[str, Any] = job["spec"]
    pod, (container,) = pausing["template"]["spec"], pausing["template"]["spec"]["containers"]
    assert pausing.pop("checkpointDir") == container["volumeMounts"].pop()["mountPath"]
    assert pausing["earlyStopping"].pop("pause") is True
    assert pod["volumes"].pop()["persistentVolumeClaim"] == {"claimName": "checkpoints"}
    assert pod["securityContext"].pop("fsGroup") == pod["securityContext"]["runAsGroup"]
    pod["terminationGracePeriodSeconds"] = plain["template"]["spec"]["terminationGracePeriodSeconds"]
    assert pausing == plain


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="kubectl is not installed"):
        list(HERE.plan(EXAMPLE.read_text()))
