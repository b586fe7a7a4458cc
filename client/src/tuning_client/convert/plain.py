"""Any document as plain mappings, lists, texts and numbers: a bounded tree whose names are texts, as in JSON.

YAML has more than that: names that are numbers, dates, sets, bytes, and anchors by which a document may hold itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

MAX_DEPTH, MAX_VALUES = 100, 200_000
_LARGEST = 2**63


class UnboundedError(ValueError):
    """A document that is too deep or too large, as one that holds itself is."""


def plain(document: Any) -> Any:
    """Copy a document; every value stands for itself in the copy, which is therefore finite.

    Raises:
        UnboundedError: it is nested too deeply, or has too many values.
    """
    return _Copy().of(document, 0)


class _Copy:
    def __init__(self) -> None:
        self._left = MAX_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise UnboundedError(
                f"is nested more than {MAX_DEPTH} deep, or has more than {MAX_VALUES} values: look for an anchor that "
                "holds itself, or split the file"
            )
        if isinstance(value, Mapping):
            return {name_text(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(item, depth + 1) for item in value]
        return _scalar(value)


def name_text(key: object) -> str:
    """Return a name as kubectl reads it from YAML."""
    if key is None or isinstance(key, bool):
        return "null" if key is None else str(key).lower()
    return str(_scalar(key))


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _LARGEST else _text_of_large(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)  # JSON has no number for it
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    # JSON may name a lone surrogate, which cannot be encoded.
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text_of_large(value: int) -> str:
    try:
        return str(float(value))
    except OverflowError:
        return "inf" if value > 0 else "-inf"
