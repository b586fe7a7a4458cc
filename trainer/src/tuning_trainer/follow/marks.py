"""Epochs that a text states: `Epoch 3/10`, `epoch=3`, `Epoch[3]`, a bar of epochs."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import re2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ARGUMENTS = "Namespace("
"""Stands in a program's arguments, as argparse prints them."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_EPOCH = re2.compile(
    r"""(?i)(epochs?)(?:[-_]|(?: (?:no|nr|number)\b[.]?|[ _-](?:idx|index)\b)?["']?\s*(?:\([a-z]+\))?\s*"""
    r"""[:=#\x{ff1a}]?\s*["'\[(]?\s*)([0-9]{1,12}(?:[.][0-9]+)?)(?:[^\w.%]|[.][^\w]|[.]?$)""",
    _OPTIONS,
)
_BAR = re2.compile(r"(?i)epochs?[^%|]{0,40}[0-9]%\|[^|]*\|\s*([0-9]{1,12})/[0-9]", _OPTIONS)
"""A bar whose steps are epochs: `Epoch:  30%|███       | 3/10`."""
_NO_STATEMENT = re.compile(
    r"(?:(?<!\bcur)(?<!\bcurr)(?<!\bcurrent)_|[^\W\d_]|[/-]|\b(?:best|each|every|from|last|max|maximum|next|num"
    r"|number\s+of|per|previous|since|total|until|warm-?up)\W*)$",
    re.IGNORECASE,
)
"""Text before an epoch that is not the current one, or that is part of another word: `best epoch 3`."""
_ASIDE = re.compile(r"(?:\b(?:after|at|before|by|in|on)\s|[^\s(][^(]*\()\W*$", re.IGNORECASE)
"""Text before an epoch that may only be mentioned: `loaded checkpoint.pth (epoch 90)`, `decays at epoch 30`."""
_DURATION = re.compile(r"(?:\s*(?:m?s|secs?|seconds?|minutes|hours)\b|:[0-9]{2}:[0-9]{2}\b)", re.IGNORECASE)
"""Text after what is a time: `epoch: 5.2 s`, `epoch 0:12:03`."""
_LONG_DURATION = re.compile(r"\s*(?:mins?|h|hrs?)\b", re.IGNORECASE)
"""Text after a fraction that is a time: `epoch: 5.2 min`."""
_NESTED = re.compile(r"\] Complete[.] Time taken")
"""Text after what an engine of Ignite says of its own epochs: one that only evaluates has another epoch 1 each time."""
_SETTING = re.compile(r"[^\[(]*(?:[:=]|\s{2})[^\[(]*$")
"""Text between the word and the number of a setting; a heading has a space there, or a bracket."""
_TOTAL = re.compile(r"\s*(?:/|of)\s*([0-9]{1,12})(?![\w.])")
"""Text after an epoch: the number of all of them."""
_PART = re2.compile(
    r"(?i)(?:\b(?:iter|iteration|batch|step|it)s?\W{0,3}|[\[|]\s*)([0-9]{1,12})\s*/\s*([0-9]{1,12})", _OPTIONS
)
"""How much of an epoch is over: `iter 50/200`, `Epoch: [3][50/200]`, `25%|##   | 50/200`."""
_BATCH = re2.compile(r"(?i)\b(?:batch|iter|iteration)\b\W{0,3}[0-9]", _OPTIONS)
_THOUSANDS = re.compile(r"[,_'\u2019][0-9]{3}(?![0-9])")
"""Text after the beginning of a number with separators."""


class Stated(NamedTuple):
    """An epoch that a text states.

    Attributes:
        epoch: its number.
        total: how many there will be; none where that is not said.
        may_be_setting: it is written as settings are: `epoch: 100`, `epoch=100`, or in columns.
        may_be_aside: a sentence mentions it: `decays at epoch 30`.
    """

    epoch: float
    total: float | None = None
    may_be_setting: bool = False
    may_be_aside: bool = False


def stated(text: str, *, whole: bool = True) -> Iterator[Stated]:
    """The epochs that a text states: `Epoch 3/10`, `epoch=3`, `Epoch[3]`, last a bar of epochs.

    Args:
        text: a piece of a log.
        whole: false where more of it may follow, which the last number may be a part of.
    """
    if ARGUMENTS in text:
        return
    for mark in _marks(text):
        after = text[mark.end(2) : mark.end(2) + 20]
        if not _THOUSANDS.match(after) and (whole or after[:1] not in ("", ".")):
            total = _TOTAL.match(text, mark.end(2))
            is_setting = _SETTING.match(text[mark.end(1) : mark.start(2)]) is not None
            is_aside = _ASIDE.search(_before(text, mark)) is not None
            yield Stated(float(mark[2]), float(total[1]) if total else None, is_setting, is_aside)
    if whole and (bar := _BAR.search(text)):
        yield Stated(float(bar[1]))


def begun(text: str) -> float | None:
    """The epoch that a text states of which more may follow."""
    found = next(stated(text, whole=False), None)
    return found.epoch if found else None


def is_within(text: str) -> bool:
    """Whether a text is from within an epoch, so that more of it follows."""
    epochs = {mark.start(2) for mark in _marks(text)}
    done = [int(part[1]) / max(1, int(part[2])) for part in _PART.finditer(text) if part.start(1) not in epochs]
    return min(done) < 1 if done else _BATCH.search(text) is not None


def in_doubt(text: str) -> str:
    """The first epoch of a text if its number has separators, and may be another; empty if that is not so."""
    mark = next(_marks(text), None)
    rest = None if mark is None else _THOUSANDS.match(text, mark.end(2))
    return "" if mark is None or rest is None else mark[2] + rest[0]


def parts(text: str, value: Any) -> Sequence[str]:
    """Cut a text in which lines lost the end between them into what it says of each epoch; any other stays whole.

    Args:
        text: a piece of a log.
        value: finds the objective, which stands before or behind each statement of an epoch; none if nothing does.
    """
    marks = list(_marks(text))
    glued = [mark.start(1) for mark in marks if text[mark.start(1) - 1 : mark.start(1)].isdigit()]
    changes = [(before, mark) for before, mark in pairwise(marks) if float(before[2]) != float(mark[2])]
    if value is None or not changes:
        return _cut(text, glued)
    first = value.search(text)
    if first is not None and first.start() < marks[0].start(1) and not glued:
        found = _cut(text, [before.end(2) for before, _ in changes])
    else:
        found = _cut(text, sorted({*glued, *(mark.start(1) for _, mark in changes)}))
    starts = []
    has_value = True
    for index, part in enumerate(found):
        # An epoch that is mentioned behind a value, and has none, is no other: `val_loss=0.5, lowest at epoch 3`.
        own = bool(value.search(part))
        if index == 0 or own or not has_value:
            starts.append(index)
            has_value = own
    return ["".join(found[start:end]) for start, end in pairwise((*starts, len(found)))]


def _marks(text: str) -> Iterator[Any]:
    """Where a text states an epoch: its word, and its number."""
    for match in _EPOCH.finditer(text):
        end = match.end(2)
        is_time = _DURATION.match(text, end) or ("." in match[2] and _LONG_DURATION.match(text, end))
        is_number_of_all = match[1][-1] in "sS" and not _TOTAL.match(text, end)
        if not (is_time or is_number_of_all or _NESTED.match(text, end) or _NO_STATEMENT.search(_before(text, match))):
            yield match


def _before(text: str, mark: Any) -> str:
    return text[max(0, mark.start(1) - 20) : mark.start(1)]


def _cut(text: str, places: Sequence[int]) -> list[str]:
    return [text[start:end] for start, end in pairwise((0, *places, len(text)))]
