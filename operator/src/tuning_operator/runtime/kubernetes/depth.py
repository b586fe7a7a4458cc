"""Lets the process read JSON that is nested more deeply than Python's parser goes, without the part that is too deep.

The API server stores objects of 10,000 levels. The parser fails sooner, and with it kopf's watch, and with that the
operator, again after each start: one user could stop it for all. What is cut off is no loss: nothing of a valid object
lies that deep, so that the API server refuses a Pod made from what is left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

DEPTH = 100
"""Levels that are kept of a text of too many: no valid Pod has a third of them."""

PART = 1 << 20
"""Bytes that are looked at together: lists of objects have hundreds of megabytes."""
_NULL = np.frombuffer(b"null", np.uint8)


def cut(text: str, depth: int = DEPTH, at_once: int = PART) -> str:
    """Replace by null what lies deeper in a JSON text; a text that ends down there stays cut off, and no JSON.

    It takes all bytes together rather than one bracket after the other, of which an object may have a million.
    """
    raw = np.frombuffer(text.encode(errors="surrogatepass"), np.uint8)
    kept, place = [], _Place()
    for begin in range(0, len(raw), at_once):
        part = raw[begin : begin + at_once]
        kept.append(_cut(part, place, depth))
    return b"".join(kept).decode(errors="surrogatepass")


@dataclass
class _Place:
    """What is known of the text before a part: how deep it is, and whether within a string or behind a backslash."""

    level: int = 0
    quotes: int = 0
    backslashes: int = 0
    is_deep: bool = False


def _cut(part: Bytes, place: _Place, depth: int) -> bytes:
    """What is kept of a part; `place` becomes that of its end."""
    index = np.arange(len(part))
    last_other = np.maximum.accumulate(np.where(part == ord("\\"), -1 - place.backslashes, index))
    before = np.concatenate([[-1 - place.backslashes], last_other[:-1]])
    is_quote = (part == ord('"')) & ((index - 1 - before) % 2 == 0)
    quotes = place.quotes + np.cumsum(is_quote)
    outside = quotes % 2 == 0
    opens = outside & ((part == ord("[")) | (part == ord("{")))
    closes = outside & ((part == ord("]")) | (part == ord("}")))
    level = place.level + np.cumsum(opens.astype(np.int32) - closes)
    deep = (level > depth) | (closes & (level == depth))
    starts = deep & ~np.concatenate([[place.is_deep], deep[:-1]])
    place.level, place.quotes, place.is_deep = int(level[-1]), int(quotes[-1]) % 2, bool(deep[-1])
    place.backslashes = int(index[-1] - last_other[-1])
    sizes = np.where(starts, len(_NULL), ~deep)
    ends = np.cumsum(sizes)
    out = np.empty(int(ends[-1]), np.uint8)
    out[ends[~deep] - 1] = part[~deep]
    for offset, byte in enumerate(_NULL):
        out[ends[starts] - len(_NULL) + offset] = byte
    return out.tobytes()


def read_any_depth() -> None:
    """Have `json`, by which kopf, aiohttp and this operator read, fall back to what `cut` leaves."""
    read = json.JSONDecoder.decode

    def decode(self: json.JSONDecoder, s: str, *rest: Any) -> Any:
        try:
            return read(self, s, *rest)
        except RecursionError:
            return read(self, cut(s), *rest)

    json.JSONDecoder.decode = decode  # type: ignore[method-assign,assignment]
