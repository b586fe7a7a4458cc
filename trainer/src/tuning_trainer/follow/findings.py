"""Finds metrics and epochs in the pieces of a log: numbers, however they are written."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH = 4
"""Objects within objects whose numbers are metrics."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_NUMBER = re2.compile(
    r"""(?i)^["'(\[\s]*([-+]?(?:1[.]#[a-z]+|[0-9]*[.]?[0-9]+(?:e[-+]?[0-9]+)?|(?:nan|inf|infinity|none|null)\b))""",
    _OPTIONS,
)
_TOKEN = 64
"""Characters in which a number is looked for."""
_NOT_A_NUMBER = frozenset({"nan", "none", "null"})


@dataclass(frozen=True)
class Found:
    """What a piece of a log says.

    Attributes:
        epoch: which one it states, if any.
        values: metrics by name.
        problems: texts in the place of a value or an epoch that are neither.
    """

    epoch: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def number_at(text: str, start: int = 0, least: int = 0) -> float | None:
    """The number that stands at a place of a text, behind quotes and brackets; what is no number by name is NaN.

    Args:
        text: where to look.
        start: from where on.
        least: characters that it has to have.
    """
    match = _NUMBER.search(text[start : start + _TOKEN])
    if match is None or match.end(1) < least:
        return None
    word = match[1].lstrip("+-").lower()
    if word in _NOT_A_NUMBER or "#" in word:
        return math.nan
    return float(match[1])


def from_text(text: str) -> float | None:
    """The number that a text is, with quotes, an end of a sentence or a percent sign."""
    plain = text.strip(" \t\"'`,;()[]{}").removesuffix("%").rstrip(".")
    if plain.lower() in _NOT_A_NUMBER:
        return math.nan
    try:
        return None if "_" in plain else float(plain)
    except ValueError:
        return None


def from_json(objective: str, line: str) -> Found:
    """The numbers of a line that is a JSON object, `epoch` among them; nothing for any other line.

    Numbers may be texts. Those of an object within the object have its name and a dot before their own.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return Found()
    if not isinstance(document, dict):
        return Found()
    stated = next((name for name in document if name.lower() == "epoch"), None)
    said = document.pop(stated) if stated is not None else None
    epoch = None if said is None else _number(said)
    if said is not None and epoch is None:
        return Found(problems=(f"the epoch is {_shown(said)}, not a number",))
    leaves = dict(_leaves(document, MAX_DEPTH))
    values, problems = {}, []
    # The objective first: what comes after the first 64 is left out.
    for name in sorted(leaves, key=lambda name: name != objective):
        value = _number(leaves[name])
        if value is not None:
            values[name] = value
        elif name == objective:
            problems.append(f"{name} is {_shown(leaves[name])}, not a number")
    return Found(epoch, values, tuple(problems))


def _leaves(document: Mapping[str, Any], depth: int, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            if depth > 1:
                yield from _leaves(value, depth - 1, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _number(value: object) -> float | None:
    """A value as a number: JSON's integers have no bound, and texts may be numbers, or `3/10`."""
    if isinstance(value, str):
        return from_text(value.partition("/")[0]) if value.lower() not in {"none", "null"} else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _shown(value: object) -> str:
    return repr(value)[:60] if value is not None else "null"
