"""Lets the process read JSON that is nested more deeply than Python's parser goes, without the part that is too deep.

The API server stores objects of 10,000 levels. The parser gives up sooner, and with it kopf's watch, and with that the
operator, again after each start: one user could stop it for all. What is cut off is no loss: nothing of a valid object
lies that deep, so that the API server refuses a Pod made from what is left.
"""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH = 100
"""Levels that are kept of a text of too many: no valid Pod has a third of them."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def cut(text: str, depth: int = DEPTH) -> str:
    """Replace by null what lies deeper in a JSON text; a text that ends down there stays cut off, and no JSON."""
    kept: list[str] = []
    level = begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] in {"[", "{"}:
            level += 1
            if level == depth + 1:
                kept += text[begin : token.start()], "null"
        elif token[0] in {"]", "}"}:
            level -= 1
            if level == depth:
                begin = token.end()
    if level <= depth:
        kept.append(text[begin:])
    return "".join(kept)


def read_any_depth() -> None:
    """Have `json`, by which kopf, aiohttp and this operator read, fall back to what `cut` leaves."""
    read = json.JSONDecoder.decode

    def decode(self: json.JSONDecoder, s: str, *rest: Any) -> Any:
        try:
            return read(self, s, *rest)
        except RecursionError:
            return read(self, cut(s), *rest)

    json.JSONDecoder.decode = decode  # type: ignore[method-assign,assignment]
