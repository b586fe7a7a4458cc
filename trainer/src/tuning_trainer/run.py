"""`tuning-run python train.py …`: starts a training with the adapters added to its frameworks.

The training takes the place of this process: signals and the exit code are its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

START = Path(__file__).parent / "start"
"""The folder of the `sitecustomize` that Python runs first."""


def main() -> None:
    """Become the training."""
    command = sys.argv[1:]
    if not command:
        sys.stderr.write("usage: tuning-run COMMAND [ARGUMENT ...], such as tuning-run python train.py --epochs 10\n")
        sys.exit(2)
    path = os.pathsep.join(filter(None, (str(START), os.environ.get("PYTHONPATH"))))
    try:
        os.execvpe(command[0], command, os.environ | {"PYTHONPATH": path})  # noqa: S606 - what the user has asked for
    except OSError as error:
        sys.stderr.write(f"tuning-run: {command[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
