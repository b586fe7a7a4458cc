"""Tutorials as a reader follows them: the files that they have saved, and the steps that they have done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.unit.docs.pages import ROOT, blocks, section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TUTORIALS = ROOT / "docs" / "tutorials"
STEP_SECONDS = 600
_NAME = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")


def save(page: Path, folder: Path, instead: Mapping[str, str] | None = None) -> list[str]:
    """Write the files of a page into a folder, with some words replaced; returns their names."""
    names = []
    for block in blocks(page, "python", "yaml", "json"):
        found = _NAME.match(block.text)
        name = found[1] if found else "request.json" if block.language == "json" else ""
        if name:
            (folder / name).write_text(replaced(block.text, instead or {}))
            names.append(name)
    return names


def replaced(text: str, instead: Mapping[str, str]) -> str:
    """A text with words replaced."""
    for words, others in instead.items():
        text = text.replace(words, others)
    return text


def commands(page: Path, heading: str = "") -> list[str]:
    """The commands of a page, or of what stands under a heading of it, in their order."""
    return [text for language, text in steps(page, heading) if language == "console"]


def steps(page: Path, heading: str = "") -> Iterator[tuple[str, str]]:
    """What a reader types, in its order: each command, each piece of a shell script, and Python that is no file."""
    there = section(page.read_text(), heading) if heading else page.read_text()
    for block in blocks(page, "console", "sh", "python"):
        if block.text not in there:
            continue
        if block.language == "console":
            for command in re.findall(r"^\$ (.*)$", block.text.replace("\\\n", " "), re.MULTILINE):
                yield block.language, command
        elif not _NAME.match(block.text):
            yield block.language, block.text


class Reader:
    """Does what a page says, in a folder, and in a namespace that stands for `tuning`.

    Args:
        folder: where the reader keeps files.
        kubeconfig: leads to the cluster.
        namespace: where the reader works.
        kubectl: folder with that program.
        instead: what the reader writes in place of some words of the page.
    """

    def __init__(
        self, folder: Path, kubeconfig: Path, namespace: str, kubectl: Path, instead: Mapping[str, str] | None = None
    ) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        config["contexts"][0]["context"]["namespace"] = namespace
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        programs = [str(kubectl), str(Path(sys.executable).parent), os.environ["PATH"]]
        own = {"KUBECONFIG": str(folder / "kubeconfig"), "PATH": os.pathsep.join(programs), "NO_PROXY": "*"}
        self._folder, self._environment = folder, os.environ | own
        self._instead = {"-n tuning": f"-n {namespace}", '"tuning"': f'"{namespace}"', **(instead or {})}

    def save(self, page: Path) -> None:
        """Write the page's files; what is written differently must be there."""
        save(page, self._folder, self._instead)
        everything = page.read_text()
        assert all(words in everything for words in [*self._instead][2:]), "the page has other words now"

    def follow(self, page: Path, heading: str = "") -> dict[str, str]:
        """Do all steps of a page, or of a part of it; returns what each has written."""
        return {text: self.run(language, text) for language, text in steps(page, heading)}

    def run(self, language: str, text: str) -> str:
        """Do a step; returns what it has written.

        Raises:
            AssertionError: it fails.
        """
        there = replaced(text, self._instead)
        if language == "python":
            (self._folder / "step.py").write_text(there)
            words = [sys.executable, "step.py"]
        else:
            words = ["bash", "-euc", there]
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
        )
        assert done.returncode == 0, f"{there}\n{done.stdout}{done.stderr}"
        return done.stdout
