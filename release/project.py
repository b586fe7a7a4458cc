"""What the tree says of a version: where it is named, what has changed since the last one, which commit it is."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("operator", "trainer", "sidecar", "console")
DISTRIBUTIONS = ("operator", "trainer", "client", "console")
SEMANTIC = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.[0-9]+)?")
REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-][a-z0-9]+)*)*")
LOOPBACK = {"localhost", "127.0.0.1"}


class ReleaseError(RuntimeError):
    """Something keeps the release from being made; the message says what to do."""


@dataclass(frozen=True)
class Project:
    """A checkout.

    Attributes:
        root: its folder.
    """

    root: Path = ROOT

    def versions(self) -> dict[str, str]:
        """Return the version that each file names."""
        found = {}
        for folder in DISTRIBUTIONS:
            path = f"{folder}/pyproject.toml"
            found[path] = tomllib.loads((self.root / path).read_text())["project"]["version"]
        path = "charts/tuning-operator/Chart.yaml"
        chart = yaml.safe_load((self.root / path).read_text())
        found |= {f"{path} (version)": chart["version"], f"{path} (appVersion)": chart["appVersion"]}
        for image in IMAGES:
            path = f"images/{image}/Dockerfile"
            named = re.search(r"^ARG VERSION=(\S+)$", (self.root / path).read_text(), re.MULTILINE)
            found[path] = named[1] if named else ""
        return found

    def require_version(self, version: str) -> None:
        """Raise `ReleaseError` unless the whole tree is of this version."""
        if not SEMANTIC.fullmatch(version):
            raise ReleaseError(f"VERSION is {version!r}: write it as 1.2.3 or 1.2.3-rc.1")
        if others := [
            f"{where} says {named or 'nothing'}"
            for where, named in self.versions().items()
            if not _same(named, version)
        ]:
            raise ReleaseError(f"not all files are of version {version}, change them first: {'; '.join(others)}")

    def notes(self, version: str) -> str:
        """Return what the change log says of a version."""
        text = (self.root / "CHANGELOG.md").read_text()
        section = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        if section is None or not section[1].strip():
            raise ReleaseError(
                f"CHANGELOG.md has nothing under '## {version}': move what is under '## Unreleased' there"
            )
        return section[1].strip() + "\n"

    def revision(self) -> str:
        """Return the commit, with `-dirty` if files differ from it."""
        return self._git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")

    def committed(self) -> int:
        """Return when the commit was made, in seconds since 1970: the time of all that is built."""
        return int(self._git("show", "--no-patch", "--format=%ct"))

    def locks(self) -> list[str]:
        """Return the paths of all lock files."""
        return self._git("ls-files", "*.lock", "*go.sum").split()

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", self.root, *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise ReleaseError(f"git {words[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def require_registry(registry: str) -> None:
    """Raise `ReleaseError` unless this can be the beginning of an image's name."""
    if not REGISTRY.fullmatch(registry):
        raise ReleaseError(
            f"REGISTRY is {registry!r}: write it without https://, as registry.example.com/tuning-operator"
        )


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine, where it is asked without TLS."""
    return registry.partition("/")[0].partition(":")[0] in LOOPBACK


def _same(one: str, other: str) -> bool:
    """Whether versions are the same: Python writes 1.2.3-rc.1 as 1.2.3rc1."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False
