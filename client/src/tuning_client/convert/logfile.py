"""Where a training may write its log: the volume at the file's folder hides what the image has there."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from tuning_client.logs import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_client.convert.source import Field

MAX_PATH = 255
_SYSTEM = re.compile(r"/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|run|sbin|sys|usr)(?:/.*)?|/(?:home|opt|root|srv|var)?")
"""Folders without which no program runs, and those that hold the others."""
_PATH = re.compile(r"(?<![\w=./:-])/[\w./-]+")
_PROGRAM = re.compile(r"\.(?:py|sh|R|jl|jar)$|/bin/")


def moved(path: str, place: Field, container: dict[str, Any]) -> str:
    """Return a path at which the file can be read; words of the container that name it are changed with it."""
    whole = posixpath.normpath(posixpath.join(_text(container.get("workingDir")) or "/", path))
    whole = f"/{whole.lstrip('/')}"
    folder = posixpath.dirname(whole)
    if _mounted(folder, container):
        reason = ""
    elif not path.startswith("/") and not _text(container.get("workingDir")):
        reason = "is in a folder that only the image knows"
    elif _SYSTEM.fullmatch(folder):
        reason = f"is in {folder}, where the volume for it would hide what the image needs"
    elif hidden := next(_programs(folder, container), None):
        reason = f"is in {folder}, where the volume for it would hide {hidden}"
    elif _starts_somewhere(container) and _named(path).search(" ".join(_words(container))):
        reason = f"is in {folder}, where the volume for it would hide the program, should it be there"
    else:
        reason = ""
    if len(whole) > MAX_PATH or whole.endswith("/"):
        reason = f"is not a file path of at most {MAX_PATH} characters"
    if not reason:
        if whole != path:
            place.mention(f"is written {whole} here: a path is absolute, without . and ..")
            _replace(path, whole, container)
        elif not _mounted(folder, container):
            place.mention(f"an empty volume is mounted at {folder}: what the image has there is hidden")
        return whole
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", posixpath.basename(whole)).strip(".") or "training.log"
    target = f"{FOLDER}/{name[-100:]}"
    changed = _replace(path, target, container) or (whole != path and _replace(whole, target, container))
    how = "in the container's command, args and env as well" if changed else "let the training write it there"
    place.mention(f"{path} {reason}: it is {target} here; {how}")
    return target


def _mounted(folder: str, container: dict[str, Any]) -> bool:
    mounts = container.get("volumeMounts")
    paths = [item.get("mountPath") for item in mounts if isinstance(item, dict)] if isinstance(mounts, list) else []
    return any(isinstance(path, str) and posixpath.normpath(path) == folder for path in paths)


def _programs(folder: str, container: dict[str, Any]) -> Iterator[str]:
    """Files that the command names, or the folder that it runs in, where the volume would hide them."""
    start = _text(container.get("workingDir"))
    if start and f"{posixpath.normpath(start)}/".startswith(f"{folder}/"):
        yield start
    for number, word in enumerate(_words(container)):
        for path in _PATH.findall(word):
            program = number == 0 or _PROGRAM.search(path)
            if program and posixpath.normpath(path).startswith(f"{folder}/"):
                yield path


def _starts_somewhere(container: dict[str, Any]) -> bool:
    """Whether the program is found by a relative path, in a folder that only the image knows."""
    relative = any(_PROGRAM.search(word) and not word.startswith("/") for word in _words(container))
    return relative and not _text(container.get("workingDir"))


def _named(path: str) -> re.Pattern[str]:
    """What finds a path in a text, as a whole."""
    return re.compile(rf"(?<![\w./-]){re.escape(path)}(?![\w/-]|\.\w)")


def _words(container: dict[str, Any]) -> Iterator[str]:
    for kind in ("command", "args"):
        words = container.get(kind)
        yield from (word for word in words if isinstance(word, str)) if isinstance(words, list) else ()


def _replace(path: str, target: str, container: dict[str, Any]) -> bool:
    """Put another path wherever the container's words name this one; whether any does."""
    pattern, found = _named(path), 0

    def other(text: Any) -> Any:
        nonlocal found
        if not isinstance(text, str):
            return text
        changed, count = pattern.subn(lambda _: target, text)
        found += count
        return changed

    for kind in ("command", "args"):
        if isinstance(container.get(kind), list):
            container[kind] = [other(word) for word in container[kind]]
    for variable in container["env"] if isinstance(container.get("env"), list) else ():
        if isinstance(variable, dict) and "value" in variable:
            variable["value"] = other(variable["value"])
    return found > 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
