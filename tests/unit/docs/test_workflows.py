"""GitHub's workflows call make and hold no logic: whatever they do, a developer can do."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
INSTALL = re.compile(r"apt-get update && apt-get install --yes --no-install-recommends( [a-z0-9-]+)+")
TARGETS = {
    name
    for path in (ROOT / "Makefile", *ROOT.glob("*/*.mk"), *ROOT.glob("tests/*/*.mk"))
    for name in re.findall(r"^([a-z][a-z0-9-]*):(?!=)", path.read_text(), re.MULTILINE)
}


def jobs() -> Iterator[Any]:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield pytest.param(job, id=f"{path.stem}-{name}")


@pytest.mark.parametrize("job", [*jobs()])
def test_a_job_installs_what_make_needs_and_calls_make(job: dict[str, Any]) -> None:
    commands = [step["run"] for step in job["steps"] if "run" in step and not INSTALL.fullmatch(step["run"])]
    assert commands
    for command in commands:
        chosen = job.get("strategy", {}).get("matrix", {}).get("target", [])
        program, *targets = command.replace("${{ matrix.target }}", " ".join(chosen)).split()
        assert program == "make"
        assert set(targets) <= TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_that_it_does_not_name(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_the_one_that_was_read(path: Path) -> None:
    """A tag can be moved to other code; a digest cannot. The comment says which version it is."""
    used = re.findall(r"uses: (.+)", path.read_text())
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


def test_every_python_that_is_supported_is_checked() -> None:
    oldest = tomllib.loads((ROOT / "operator" / "pyproject.toml").read_text())["project"]["requires-python"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    checked = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert checked == ["3.11", "3.12", "3.13"]
    assert oldest == f">={checked[0]}"
