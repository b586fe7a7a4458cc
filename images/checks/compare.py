"""Compares the operator's image with the development environment: the same suggestions, and what each costs.

Run it as `make images-check`, as root: buildah runs the image.
"""

# ruff: noqa: INP001, S603, S607 - a script that starts the system's buildah

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

QUESTIONS = (Path(__file__).parent / "suggestions.py").read_text()
RELATIVE_TOLERANCE = 1e-6
"""Libraries for linear algebra round differently; a suggestion that rounding moved to another point differs by more."""


def answers(command: list[str]) -> dict[str, Any]:
    """Run the questions under a Python; as in a worker of the operator, on one thread."""
    done = subprocess.run(
        command,
        input=QUESTIONS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Say where two lists of answers differ by more than rounding."""
    found = []
    for place, (left, right) in enumerate(zip(one["answers"], other["answers"], strict=True)):
        for mine, its in zip(left, right, strict=True):
            found += [
                f"question {place}: {name} is {mine[name]!r} here and {its[name]!r} there"
                for name in mine
                if not same(mine[name], its[name])
            ]
    return found


def same(one: object, other: object) -> bool:
    """Whether two values of a parameter are equal within rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE)
    return one == other


def buildah(*arguments: str) -> str:
    """Run buildah and return its output."""
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Compare; returns the exit code."""
    image = sys.argv[1] if len(sys.argv) > 1 else "localhost/tuning-operator/operator:dev"
    here = answers([sys.executable, "-"])
    container = buildah("from", "--pull-never", image)
    try:
        # Without --env the image's own settings hold, as they do in a cluster.
        there = answers(
            ["buildah", "run", "--isolation=chroot", "--env=OMP_NUM_THREADS=1", container, "--", "python3", "-"]
        )
    finally:
        buildah("rm", container)
    size, *_ = buildah("images", "--format={{.Size}}", image).splitlines()
    for name, answer in (("environment", here), (image, there)):
        costs = {key: value for key, value in answer.items() if key != "answers"}
        print(f"{name}: {costs}")  # noqa: T201 - the result
    print(f"size of {image}: {size}")  # noqa: T201
    found = differences(here, there)
    print("\n".join(found) or f"{len(here['answers'])} questions, the same suggestions")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
