"""Runs administrators' programs and turns their failures into errors that carry their words."""

from __future__ import annotations

import contextlib
import subprocess

from cluster import packages


def run(name: str, *arguments: str, stdin: str = "") -> str:
    """Run a program and give its output; raises `RuntimeError` with its error output when it fails."""
    done = subprocess.run(
        [packages.program(name) or name, *arguments], input=stdin, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def succeeds(name: str, *arguments: str) -> bool:
    """Run a program and say whether it succeeded."""
    with contextlib.suppress(RuntimeError):
        run(name, *arguments)
        return True
    return False
