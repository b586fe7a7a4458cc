"""Metrics and epochs in lines of JSON and of what is near to it: a Python dict, nan in small letters, a prefix."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import re2

from tuning_trainer.follow.findings import Found
from tuning_trainer.follow.marks import stated
from tuning_trainer.follow.numbers import from_text, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EPOCH_NAMES = ("epoch", "current_epoch", "cur_epoch", "epoch_idx", "epoch_index", "train/epoch", "trainer/epoch")
"""Of several, the first one counts."""
MAX_DEPTH = 4
"""Objects within objects whose numbers are metrics."""
MAX_TRIES = 8
"""Opening braces of a line at which an object is looked for in vain."""
MAX_FOREIGN = 1 << 14
"""Characters of a line in which other forms than JSON's own are looked for: they take a hundred times as long."""
_LONGEST_INT = 400
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_FOREIGN = re2.compile(
    r"""(?i)"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[-+]?\b(?:nan|infinity|inf|none|true|false)\b"""
    r"""|[a-z_][a-z0-9_.]*\([^()]*\)|[0-9]+\s*:|,\s*[])}]|[()]""",
    _OPTIONS,
)
"""Texts, words, calls, keys that are numbers, a comma at the end, and tuples, as Python writes them."""
_CLOSED = str.maketrans("()", "[]")
_WORDS = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity", "none": "null", "true": "true", "false": "false"}
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < _LONGEST_INT else float(digits))


def from_json(objective: str, line: str) -> Sequence[Found]:
    """The numbers of each JSON object in a line, `epoch` among them; nothing for any other line.

    Numbers may be texts. Those of an object within the object have its name and a dot before their own. Where there is
    text before the first object, only objects with the objective count.
    """
    if "{" not in line and '":' not in line:
        return ()
    objects, rest = _objects(line)
    is_alone = line.lstrip(" \t[,").startswith("{")
    found = [_found(objective, document) for document in objects if is_alone or _has(objective, document)]
    epoch = None if is_alone else next(stated(line.partition("{")[0]), None)
    if epoch is not None:
        # `epoch 3: {'accuracy': 0.8}`
        found = [
            each if each.epoch is not None else replace(each, epoch=epoch.epoch, total=epoch.total) for each in found
        ]
    name = re.escape(objective.rpartition(".")[2])
    if (is_alone and not objects and re.match(r"""[\s\[,]*\{\s*["']""", line)) or re.search(
        rf"""(["']){name}\1\s*:""", rest
    ):
        found.append(Found(problems=("it is not a whole JSON object on one line",)))
    return found


def _objects(line: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a line, and what is left of it where none could be read any more."""
    objects: list[dict[str, Any]] = []
    start, tries = line.find("{"), 0
    rest = line if start < 0 else ""
    while start >= 0:
        for text in _forms(line, start):
            try:
                document, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                continue
            objects.append(document)
            line, rest = text, ""
            break
        else:
            end, tries = start + 1, tries + 1
            rest = rest or line[start:]
        start = line.find("{", end) if tries < MAX_TRIES else -1
    return objects, rest


def _forms(line: str, start: int) -> Iterator[str]:
    yield line
    if len(line) <= MAX_FOREIGN:
        yield line[:start] + _FOREIGN.sub(_as_json, unwrapped(line[start:]))


def _as_json(match: Any) -> str:
    word: str = match[0]
    if word.startswith('"'):
        return word
    if word.startswith("'"):
        return json.dumps(word[1:-1].replace("\\'", "'"))
    if word.endswith(":"):
        return f'"{word[:-1].strip()}":'
    if word[-1] in "])}(":
        is_call = len(word) > 1 and word[0] != ","
        return "null" if is_call else word[-1].translate(_CLOSED)
    return ("-" if word.startswith("-") else "") + _WORDS[word.lstrip("+-").lower()]


def _has(objective: str, document: Mapping[str, Any]) -> bool:
    return any(name == objective for name, _ in _leaves(document, MAX_DEPTH))


def _found(objective: str, document: Mapping[str, Any]) -> Found:
    leaves = dict(_leaves(document, MAX_DEPTH))
    *around, _ = objective.split(".")
    # The epoch of the whole object, or else of that around the objective.
    depths = range(len(around) + 1 if objective in leaves else 1)
    places = [".".join((*around[:depth], name)).lower() for depth in depths for name in EPOCH_NAMES]
    lowered = {name.lower(): name for name in reversed(leaves)}
    place = next((place for place in places if place in lowered), None)
    said = leaves.pop(lowered[place]) if place is not None else None
    epoch = None if said is None else _number(said)
    if said is not None and epoch is None:
        return Found(problems=(f"the epoch is {_shown(said)}, not a number",))
    values, problems = {}, []
    # The objective first: what comes after the first 64 is left out.
    for name in sorted(leaves, key=lambda name: name != objective):
        value = _number(leaves[name])
        if value is not None:
            values[name] = value
        elif name == objective:
            problems.append(f"{name} is {_shown(leaves[name])}, not a number")
    total = from_text(said.partition("/")[2]) if isinstance(said, str) and "/" in said else None
    return Found(epoch, values, tuple(problems), total=total, may_be_setting=True)


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
