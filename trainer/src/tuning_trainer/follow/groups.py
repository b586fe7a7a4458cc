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
_JUMP = re.compile(
    r"(?:(?<!\\)\.(?:[*+]|\{[0-9,]*\})\?|(?:\\D|\[\^(?=(?:\\.|[^\]\\])*?(?:0-9|\\d))(?:\\.|[^\]\\])*\])"
    r"(?:[*+]|\{[0-9,]*\})\??)(?:\\[sW]|[\s:=*+?]|\[[\\sW:= -]+\])*$"
)
"""The end of a pattern that takes the next number, whatever words precede it: `.*?`, `\\D+`, `[^0-9]*`."""
_LOOSE = re.compile(r"\.[*+]\??")
_DIGITS = re.compile(r"(?:[0-9-]|\\[d.+-]|\[(?:0-9|[.+-])\])(?:[?*+]|\{[0-9,]*\})?\??$")
"""The end of a pattern that takes a part of a number, or its sign, on purpose."""
_NOT_FINITE = r"[-+]?\b(?i:nan|inf|infinity)\b"
_NO_NUMBER = r"[-+]?\b(?i:nan|inf|infinity|none|null|n/a)\b"
_NUMBER = rf"[-+]?(?:\b[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][-+]?[0-9]+)?|{_NOT_FINITE}"


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
    return _compiled(before) if _has_word(before) else None


def _has_word(regex: str) -> bool:
    return re.search(r"[^\W_]", re.sub(r"\\[a-zA-Z]|\(\?[a-zA-Z-]*[:)]", "", regex)) is not None


def is_loose(before: str) -> bool:
    """Whether what stands before a value ends anywhere, so that what follows it says nothing."""
    return any(not _has_word(before[match.end() :]) for match in _LOOSE.finditer(before))


def takes_digits(before: str) -> bool:
    """Whether the value begins behind a digit, a point or a sign because the pattern says so."""
    return _DIGITS.search(before) is not None


def words_of(before: str, after: str) -> tuple[Any, bool]:
    """What finds NaN, infinity or no value in the group's place where `prefix_of` does not; none if nothing is missed.

    Its first group is empty and where the value begins; the second is the value. The other result says that a match of
    the whole pattern takes the next number if there is such a word, which is the value of another metric.
    """
    jump = _JUMP.search(before)
    if jump is not None and _has_word(before[: jump.start()]):
        return _compiled(rf"{before[: jump.start()]}\W*?()({_NO_NUMBER})"), True
    if not (before or after) or (_has_word(before) and not is_loose(before)):
        return None, False
    value = _NUMBER if not before and _has_word(after) else _NOT_FINITE
    return _compiled(rf"{before or '(?:^|[^0-9A-Za-z_.])'}()({value})(?:{after})"), False


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
