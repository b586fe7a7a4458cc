"""What stands around the first group of a regular expression, which is the value that the expression finds."""

from __future__ import annotations

import re
from typing import Any

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_SYNTAX = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\(\?[a-zA-Z-]*:|\(|\)|\|", re.DOTALL)
_LONGEST_WORD = 64
"""Characters of a value that a pattern cannot match."""


def around_group(regex: str) -> tuple[str, str]:
    """The parts of a pattern before and behind its first group; empty where it has alternatives before it."""
    opened: list[int] = []
    divided: set[int] = set()
    for match in _SYNTAX.finditer(regex):
        kind, start = match[0], match.start()
        if kind == "|":
            divided.add(opened[-1] if opened else -1)
        if kind == "(" and (regex[start + 1 : start + 2] != "?" or regex.startswith(("(?P<", "(?<"), start)):
            if divided & {-1, *opened}:
                return "", ""
            before = regex[:start]
            for opener in reversed(opened):
                before = before[:opener] + before[before.index(":", opener) + 1 :]
            return before, _behind(regex, match.end())
        if kind.endswith(":"):
            opened.append(start)
        elif kind == ")" and opened:
            opened.pop()
    return "", ""


def _behind(regex: str, start: int) -> str:
    """The part of a pattern behind the group whose content starts there, without the ends of groups around it."""
    depth, behind, kept = 1, "", len(regex)
    for match in _SYNTAX.finditer(regex, start):
        kind = match[0]
        if kind.endswith((":", "(")) and not kind.startswith("\\"):
            depth += 1
        elif kind == ")" and depth > 0:
            depth -= 1
            kept = match.end() if depth == 0 and kept == len(regex) else kept
        elif kind == ")":
            behind += regex[kept : match.start()]
            kept = len(regex) - len(regex[match.end() :].lstrip("?*+"))
    return behind + regex[kept:]


def bare_of(before: str) -> Any:
    """What stands before a value, compiled; none where it has no word by which it is known."""
    literal = re.sub(r"\\[a-zA-Z]|\(\?[a-zA-Z-]*[:)]", "", before)
    return _compiled(before) if re.search(r"[^\W_]", literal) else None


def prefix_of(before: str, after: str) -> Any:
    """What stands before a value, and behind it, compiled.

    The first group is empty and where the value begins; the second is the value, if something has to follow it.
    """
    if bare_of(before) is None:
        return None
    whole = _compiled(rf"{before}()[\s\"'(\[]*(\S{{1,{_LONGEST_WORD}}}?)(?:{after})") if after else None
    return whole or _compiled(f"{before}()()")


def _compiled(regex: str) -> Any:
    try:
        compiled = re2.compile(regex, _OPTIONS)
    except re2.error:
        return None
    return compiled if compiled.search("") is None else None
