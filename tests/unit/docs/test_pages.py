"""Examples on all pages are what they pretend to be, and the generated page is up to date."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from docs.generate_crd_reference import PAGE as CRD_REFERENCE
from docs.generate_crd_reference import render
from tests.unit.docs.pages import ROOT, Block, blocks, pages
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tuning_operator.api.job import parse_job

if TYPE_CHECKING:
    from pathlib import Path

_JOB = "HyperparameterTuningJob"


def test_the_crd_reference_is_up_to_date() -> None:
    assert CRD_REFERENCE.read_text() == render(), "run `make docs`"


def every_block(*languages: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{block.page}:{block.line}") for path in pages() for block in blocks(path, *languages)
    ]


@pytest.mark.parametrize("block", every_block("python"))
def test_python_examples_compile(block: Block) -> None:
    compile(block.text, f"{block.page}:{block.line}", "exec")


@pytest.mark.parametrize("block", every_block("sh", "bash"))
def test_shell_examples_parse(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("block", every_block("yaml"))
def test_manifests_are_yaml_and_jobs_are_jobs(block: Block) -> None:
    for document in yaml.safe_load_all(block.text):
        if document.get("kind") == _JOB:
            parse_job(as_stored(document))
            assert list(misspelt(document, job_schema(), "")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda path: path.name)
def test_example_files_are_jobs(path: Path) -> None:
    jobs = [document for document in yaml.safe_load_all(path.read_text()) if document["kind"] == _JOB]
    assert jobs
    for job in jobs:
        parse_job(as_stored(job))
        assert list(misspelt(job, job_schema(), "")) == []


def test_the_example_that_is_run_on_a_cluster_has_an_image_that_was_pushed() -> None:
    text = (ROOT / "docs" / "job.md").read_text().replace("\\\n", " ")
    (command, where) = re.findall(r"^\$ (sed .*) \| kubectl -n (\w+) apply -f -$", text, re.MULTILINE)[0]
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, text=True, capture_output=True, check=True)
    (container,) = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"]
    assert f"docker push {container['image']}\n" in text
    assert f"  namespace: {where}\n" in text
    built = (ROOT / "images" / "README.md").read_text()
    assert f"docker build -f images/trainer/Dockerfile -t {container['image']} .\n" in built
    for path in (ROOT / "examples").glob("*.yaml"):
        assert re.search("image: localhost/tuning-operator/(trainer|sidecar):dev", path.read_text())


def test_the_quick_start_builds_what_it_installs_and_runs_where_it_watches() -> None:
    text = re.sub(r"\\\n *", "", (ROOT / "README.md").read_text())
    ((version, registry),) = re.findall(r"^\$ make release VERSION=(\S+) REGISTRY=(\S+)$", text, re.MULTILINE)
    chart = yaml.safe_load((ROOT / "charts" / "tuning-operator" / "Chart.yaml").read_text())
    assert version == chart["version"] == chart["appVersion"]
    assert f"$ REGISTRY={registry}\n" in text
    built = re.findall(r"^\$ docker build -f (\S+) -t (\S+) \.( && docker push \S+)?$", text, re.MULTILINE)
    assert all((ROOT / dockerfile).exists() for dockerfile, _, _ in built)
    pushed = {name for _, name, push in built if push == f" && docker push {name}"}
    assert pushed == {f"$REGISTRY/{image}:{version}" for image in ("operator", "sidecar")}
    (install,) = re.findall(r"^\$ (helm install .*)$", text, re.MULTILINE)
    assert install.startswith("helm install tuning-operator charts/tuning-operator --namespace ")
    assert "--set image.repository=$REGISTRY/operator " in install
    ((where, system),) = {
        (watched, release)
        for release in re.findall(r"--namespace (\S+)", install)
        for watched in re.findall(r"--set 'watchNamespaces={(\S+)}'", install)
    }
    assert where != system
    assert f"$ kubectl create namespace {where}\n" in text
    commands = re.findall(r"^\$ (?:sed .*\| )?kubectl (?!create namespace)(.*)$", text, re.MULTILINE)
    assert len(commands) == 5
    assert [command for command in commands if not command.startswith(f"-n {where} ")] == []


def test_the_quick_starts_job_gets_the_image_that_was_pushed() -> None:
    text = re.sub(r"\\\n *", "", (ROOT / "README.md").read_text())
    (edit,) = re.findall(r"^\$ (sed .*) \| kubectl", text, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f"REGISTRY=registry.example.com; {edit}"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    (container,) = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"]
    assert f"$REGISTRY{container['image'].removeprefix('registry.example.com')}" in text


def test_targets_of_make_on_all_pages_exist() -> None:
    makefiles = (ROOT / "Makefile", *ROOT.glob("*/*.mk"), *ROOT.glob("tests/*/*.mk"))
    targets = {
        name
        for path in makefiles
        for names in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", path.read_text(), re.MULTILINE)
        for name in names.split()
    }
    named = {
        name for path in pages() for name in re.findall(r"(?:`|^\$ )make ([a-z0-9-]+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 20
    assert named - targets == set()


def test_the_readme_fits_a_few_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_a_misspelt_field_is_found() -> None:
    job = {"spec": {"strategy": "Genetic", "limit": {}}}
    assert list(misspelt(job, job_schema(), "")) == [
        ".spec.objective is missing",
        ".spec.parameters is missing",
        ".spec.limits is missing",
        ".spec.template is missing",
        ".spec.strategy is 'Genetic'",
        ".spec.limit is unknown",
    ]
