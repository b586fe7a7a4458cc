"""How sure it is that a value in a text is a metric's own, by the words that stand before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tuning_trainer.follow.findings import BEST, NAMED, PLAIN, SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEST = re.compile(
    r"\bbest[\s_:-]+(?:\w+[\s_:-]+)?$"
    r"|(?<!new )\bbest(?![\])*!])(?:\([^().%]*\)|\[[^\[\].%]*\]|[^)\].\d%!*]|\d+(?![.\d%]))*$",
    re.IGNORECASE,
)
"""Text before a best value: `best val `, `Best epoch: 2, `; not behind another value, or a mark: `[best] `."""
_LIST_OF_BEST = re.compile(r"(?<![(\[])\bbest(?:[\s_-]+[a-z]+){0,2}\s*[:,]\s+(?![-+]?[0-9.])", re.IGNORECASE)
"""What makes best values of all that follow on a line: `best metric, hmean: 0.5, recall: 0.4`."""
_HEADING_OF_BEST = re.compile(r"(?<!new )\bbest\b[^:]{0,40}:\s*$|[=#*-]{2}\s*best(?:\s+\w+){0,2}\W*$", re.IGNORECASE)
"""A line that says so of the next one: `Early stopping, best iteration is:`."""
_LONGER = re.compile(r"([^\W\d_]*)[\d_]*(?<=\w)[-/.]?$")
"""Text before a metric that makes it another one: `val_` before `loss`."""
_SPLIT = re.compile(
    r"(?<![^\W_])(?:(train(?:ing)?)|(val(?:id(?:ation)?)?|eval(?:uation)?|dev)|(test(?:ing)?))(?![^\W\d_]|[.]\w)",
    re.IGNORECASE,
)
"""Words for the part of the data on which something is measured; not in names of files: `train.py`."""
_BEFORE, _LIST_BEFORE = 40, 200
"""Characters before a metric, and from a line's beginning, that are looked at."""


def is_heading_of_best(line: str) -> bool:
    """Whether the next line has a best value."""
    return _HEADING_OF_BEST.search(line[-_LIST_BEFORE:]) is not None


class Ranks:
    """Ranks values of one metric."""

    def __init__(self, name: str) -> None:
        self._name = name.lower()
        self._split = _split_of(name)

    def of(self, text: str, places: Sequence[tuple[int, int]]) -> dict[int, int]:
        """Return the ranks of what matches in a piece of a log, by where each match begins.

        Args:
            text: the piece.
            places: where each match begins, and where its value does. Of two at one place the later one counts.
        """
        best = _LIST_OF_BEST.search(text[:_LIST_BEFORE]) if places else None
        listed = best.end() if best else len(text)
        return {start: self._of(text, start, value, is_listed=start >= listed) for start, value in places}

    def _of(self, text: str, start: int, value: int, *, is_listed: bool) -> int:
        before = text[max(0, start - _BEFORE) : start] if text[start : start + 1].isalnum() else ""
        is_best = is_listed or _BEST.search(before)
        longer = _LONGER.search(before)
        word = "best" if is_best else longer[1].lower() if longer else ""
        if word and word in self._name:
            return NAMED
        if is_best:
            return BEST
        # Which data a value is of: the nearest word says it, within the match or before it. The word that the match is
        # the end of is the nearest, and where it is no such word the metric is another one: `ema_val_loss`.
        nearest = longer[0] if longer else text[max(0, start - _BEFORE) : value]
        split = _split_of(nearest) if self._split else 0
        if split:
            return NAMED if split == self._split else SIDE
        return SIDE if longer else PLAIN


def _split_of(text: str) -> int:
    """The part of the data that a text names last; 0 if it names none."""
    return next((match.lastindex or 0 for match in reversed(list(_SPLIT.finditer(text)))), 0)
