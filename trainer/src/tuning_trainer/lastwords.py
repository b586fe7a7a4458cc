"""The last words of a training that fails: why it ended, for whoever sees its termination message and not its log."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CHARACTERS = 4000
"""As much of a traceback's end as is looked at."""


def words_of(error: BaseException) -> str:
    """Return the end of an exception's traceback, or what `sys.exit` was given; empty for an exit without failure."""
    if not isinstance(error, SystemExit):
        return _printable("".join(traceback.format_exception(error)))
    if error.code in (None, 0):
        return ""
    if isinstance(error.code, str):
        return _printable(error.code)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    where = f" at {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"sys.exit({error.code!r}){where}"


def watch_exit() -> Callable[[], str]:
    """Have `sys.exit` note what it is given, which the interpreter forgets before atexit; return how to read that."""
    seen = [""]
    leave: Callable[..., NoReturn] = sys.exit

    def watched(status: object = None, /) -> NoReturn:
        try:
            leave(status)
        except SystemExit as error:
            # In another thread it ends that thread alone.
            if threading.current_thread() is threading.main_thread():
                caller = sys._getframe(1)  # noqa: SLF001 - the traceback does not have it yet
                where = f" at {caller.f_code.co_filename}, line {caller.f_lineno}"
                seen[0] = words_of(error) + (where if isinstance(status, int) and status else "")
            raise

    sys.exit = watched
    return lambda: seen[0]


def _printable(text: str) -> str:
    text = text[-MAX_CHARACTERS:]
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text).strip()
