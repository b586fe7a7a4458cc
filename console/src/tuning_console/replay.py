"""The process behind `replays`: reads a rule, a job and its trials, a line each; writes what the rule would have done.

It has little memory and a low priority, for it runs beside everybody's pages.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 256 * 1024 * 1024
"""Bytes that the process may allocate."""

_NICENESS = 10


def replay(lines: Iterator[str]) -> dict[str, Any]:
    """Answer with the result under `result`, or with `error` and whether the rules are there at all."""
    try:
        from tuning_operator.api.what_if import render, what_if  # noqa: PLC0415 - an extra
    except ImportError as error:
        return {"error": f"{error}: pip install 'tuning-console[what-if]'", "installed": False}
    rule, job = json.loads(next(lines)), json.loads(next(lines))
    try:
        return {"result": render(what_if(job, map(json.loads, lines), rule))}
    except ValueError as error:
        return {"error": str(error)[:1_000], "installed": True}
    except MemoryError:
        return {"error": f"the replay needs more than {MEMORY >> 20} MiB", "installed": True}


def main() -> None:
    """Answer one question on the standard streams."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.nice(_NICENESS)
    answer(sys.stdin, sys.stdout)


def answer(questions: IO[str], answers: IO[str]) -> None:
    """Answer one question."""
    json.dump(replay(iter(questions)), answers)


if __name__ == "__main__":
    main()
