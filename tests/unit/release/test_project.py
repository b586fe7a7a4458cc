"""A release is of one version throughout, and says what has changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from release.build import distributions, first_job
from release.project import DISTRIBUTIONS, Project, ReleaseError, is_loopback, require_registry

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = """# Changes

## Unreleased

- Next.

## 1.2.0-rc.1

- Second.
- Third.

## 1.1.0

- First.
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A tree of version 1.2.0-rc.1."""
    for folder in DISTRIBUTIONS:
        write(tmp_path / folder / "pyproject.toml", '[project]\nversion = "1.2.0rc1"\n')
    for image in ("operator", "trainer", "sidecar", "console"):
        write(tmp_path / "images" / image / "Dockerfile", "FROM base\nARG VERSION=1.2.0-rc.1\n")
    write(tmp_path / "charts/tuning-operator/Chart.yaml", "version: 1.2.0-rc.1\nappVersion: 1.2.0-rc.1\n")
    write(tmp_path / "CHANGELOG.md", CHANGES)
    return Project(tmp_path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_tree_is_of_one_version() -> None:
    (version,) = set(Project().versions().values())
    Project().require_version(version)


def test_pythons_spelling_of_a_version_is_the_same_version(project: Project) -> None:
    project.require_version("1.2.0-rc.1")


@pytest.mark.parametrize(
    ("path", "text", "where"),
    [
        ("client/pyproject.toml", '[project]\nversion = "1.1.0"\n', "client/pyproject.toml says 1.1.0"),
        ("images/sidecar/Dockerfile", "FROM base\n", "images/sidecar/Dockerfile says nothing"),
        (
            "charts/tuning-operator/Chart.yaml",
            "version: 1.2.0-rc.1\nappVersion: latest\n",
            "charts/tuning-operator/Chart.yaml (appVersion) says latest",
        ),
    ],
)
def test_a_file_of_another_version_is_named(project: Project, path: str, text: str, where: str) -> None:
    write(project.root / path, text)
    with pytest.raises(ReleaseError, match=re.escape(where)):
        project.require_version("1.2.0-rc.1")


@pytest.mark.parametrize("version", ["v1.2.0", "1.2", "1.2.0rc1", "", "1.2.0; rm -r /"])
def test_what_is_no_version_is_refused(project: Project, version: str) -> None:
    with pytest.raises(ReleaseError, match=r"write it as 1\.2\.3"):
        project.require_version(version)


def test_notes_are_the_versions_own(project: Project) -> None:
    assert project.notes("1.2.0-rc.1") == "- Second.\n- Third.\n"
    assert project.notes("1.1.0") == "- First.\n"


def test_a_version_without_notes_is_refused(project: Project) -> None:
    with pytest.raises(ReleaseError, match="move what is under '## Unreleased' there"):
        project.notes("1.2.0")


@pytest.mark.parametrize("registry", ["https://registry.example.com", "registry.example.com/", "Registry/x", ""])
def test_what_no_images_name_begins_with_is_refused(registry: str) -> None:
    with pytest.raises(ReleaseError, match="write it without https://"):
        require_registry(registry)


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [
        ("registry.example.com/tuning-operator", False),
        ("localhost.example.com/x", False),
        ("127.0.0.1:5000/x", True),
        ("localhost/x", True),
    ],
)
def test_tls_is_left_out_on_this_machine_alone(registry: str, loopback: bool) -> None:
    require_registry(registry)
    assert is_loopback(registry) is loopback


def test_the_first_job_takes_the_releases_image(tmp_path: Path) -> None:
    first_job(Project(), "registry.example.com/t", "1.2.3", tmp_path)
    text = (tmp_path / "quickstart.yaml").read_text()
    assert "image: registry.example.com/t/sidecar:1.2.3 " in text
    assert "localhost" not in text


def test_a_console_without_pages_is_not_released(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "committed", lambda _: 0)
    with pytest.raises(ReleaseError, match="run `make console`"):
        distributions(project, tmp_path / "out")
