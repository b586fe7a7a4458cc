"""Numbers, however a log writes them; where one is in doubt, it is none."""

from __future__ import annotations

import math
import re
from typing import Any

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_NUMBER = re2.compile(
    r"""(?i)^["'(\[\s]*([-+]?(?:1[.]#[a-z]+|(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:e[-+]?[0-9]+|d[-+][0-9]+)?"""
    r"""|(?:nan|inf|infinity|none|null)\b))""",
    _OPTIONS,
)
_COMMAS = re2.compile(r"^([-+]?)([0-9]+)((?:,[0-9]+)+)([.][0-9]*)?", _OPTIONS)
_WRAPPED = re2.compile(
    r"(?:\b(?:(?:np|numpy|jnp)[.])?b?(?:float|int)[0-9]+|\b(?:tf[.])?[tT]ensor|\b(?:Device)?[aA]rray|\bDecimal)"
    r"\(\s*([^()\s,]*)[^()]*(?:\([^()]*\)[^()]*)?\)|<tf[.]Tensor: [^<>]*\bnumpy=([^<>\s,]+)[^<>]*>",
    _OPTIONS,
)
"""A number as libraries print it: np.float64(0.5), tensor(0.5, device='cuda:0'), Array(0.5, dtype=float32)."""
_POINT = re.compile(r"[.](?=e|$)")
"""A point without decimals, as they print it: 3. and 1.e-05."""
_SIGN = re.compile(r"(?<![\w.)\]-])[-+]$")
_HEAD = re.compile(r"(?:(?<![\w.)\]-])[-+])?(?:(?<![\d.])(?:[0-9]+[.]?[0-9]*|[.][0-9]*)(?:[eE][-+]?[0-9]*)?)?$")
"""The beginning of a number whose rest follows."""
_TOKEN = 64
"""Characters in which a number is looked for."""
_DIGITS = frozenset(".0123456789")
_SEPARATORS = frozenset("_'\u2019\u00a0\u202f\u2009")
"""Between digits: of a number that was made for people."""
_POINTS = re2.compile(r"^[1-9][0-9]{0,2}[.][0-9]{3}$", _OPTIONS)
_COMMA = re2.compile(r"^,[0-9]+(?:[^0-9,.]|[.,](?:[^0-9]|$)|$)", _OPTIONS)
"""1.234,56 is another number in some languages than in others."""
_NOT_A_NUMBER = frozenset({"nan", "none", "null"})
_OTHER = re2.compile(r"^(?:[.][0-9]|:[0-9]|x[0-9a-fA-F]|[eE](?:[-+]|[^\w]|$)| ?[x*\x{d7}\x{b7}] ?10)", _OPTIONS)
"""What makes something else of a number, or the beginning of one: 1.2.3, 01:30, 0x1F, 1e-, 1.5 x 10^-3."""
_UNIT = re2.compile(r"^( ?)([A-Za-z\x{b5}\x{3bc}]+)(?:[\s,;.|)\]}/]|$)", _OPTIONS)
_RANGE = re.compile(r" (?:min|max)[\s:=]+[-+0-9.e]+[,;\s]+(?:min|max)\b")
"""Two more values: `reward 12.3 min 0.1 max 50`."""
_SCALES = ("k", "K", "M", "G", "T", "P", "m", "u", "\u00b5", "\u03bc", "n")
_WORDS = (
    "thousand million billion Mn Bn sec secs second seconds msec usec min mins minute minutes hr hrs hour hours days"
)
_UNITS = frozenset(
    {*_SCALES, "s", "B", "h", "d", *_WORDS.split()}
    | {scale + base for scale in _SCALES for base in ("b", "B", "ib", "iB", "bit", "bps", "Hz", "s", "g", "W", "J")}
)
"""What a program chooses for people: it prints 900 ms and then 1.2 s, or 950 and then 1.2k."""
_APART = _UNITS - {"d", "h", "m", "n", "u", "B", "T", "P"}
"""Of these, what is a unit behind a space as well: others may be names of other values."""


def number_at(text: str, start: int = 0, end: int = 0, known: int = -1) -> float | None:
    """The number that stands at a place of a text, behind quotes and brackets; what is no number by name is NaN.

    Args:
        text: where to look.
        start: from where on.
        end: what is before this is part of the number, which may continue: a pattern may leave out an exponent.
        known: a number that ends here may have a unit, since the pattern names it.
    """
    place = text[start : start + _TOKEN]
    match = _NUMBER.search(place)
    if match is None or match.end(1) < end - start:
        # A word that continues is another word: information is not inf.
        is_cut = start < end and text[end - 1 : end + 1].isalpha() and end < len(text)
        return None if is_cut else from_text(text[start:end])
    after = place[match.end(1) :]
    is_sure = start + match.end(1) == known or match[1][-1] not in _DIGITS
    is_listed = text[start + match.start(1) - 1 : start + match.start(1)] in {",", "["}
    is_local = not is_listed and _POINTS.search(match[1].lstrip("+-")) and _COMMA.search(after)
    if not is_sure and (_OTHER.search(after) or unit_of(after) or is_local):
        return None
    if after[:1] in {",", *_SEPARATORS} and after[1:2].isdigit() and match[1].lstrip("+-").isdigit():
        if after[0] in _SEPARATORS:
            return None
        # A row of a table: what stands between two commas is one of its columns.
        is_column = text[start + match.start(1) - 1 : start + match.start(1)] == ","
        return float(match[1]) if is_column else _with_commas(_COMMAS.search(place[match.start(1) :]))
    word = match[1].lstrip("+-").lower()
    if word in _NOT_A_NUMBER or "#" in word:
        return math.nan
    return float(match[1].lower().replace("d", "e") if word[-1].isdigit() else match[1])


def beginning_of(text: str, start: int) -> int:
    """Where the number begins, sign included, of which what stands at a place is a part."""
    before = text[max(0, start - _TOKEN) : start]
    head = _HEAD.search(before) if text[start : start + 1] in _DIGITS else _SIGN.search(before)
    return start - len(head[0]) if head is not None else start


def unit_of(after: str) -> str:
    """The unit that follows a number, which may therefore have any scale; empty if none does."""
    match = None if _RANGE.match(after) else _UNIT.search(after[:_TOKEN])
    return str(match[2]) if match is not None and match[2] in (_APART if match[1] else _UNITS) else ""


def unwrapped(text: str) -> str:
    """The text with numbers in the place of what NumPy and PyTorch print around them."""
    return str(_WRAPPED.sub(lambda match: _POINT.sub("", match[1] or match[2] or ""), text))


def from_text(text: str) -> float | None:
    """The number that a text is, with quotes, an end of a sentence or a percent sign."""
    plain = text.strip(" \t\"'`,;()[]{}").removesuffix("%").rstrip(".").replace("\u2212", "-")
    if plain.lower() in _NOT_A_NUMBER:
        return math.nan
    match = _COMMAS.search(plain)
    if match is None and _POINTS.search(plain.partition(",")[0].lstrip("+-")) and "," in plain:
        return None
    if match is not None:
        return _with_commas(match) if match.end() == len(plain) and not _is_list(match) else None
    try:
        return None if "_" in plain else float(plain)
    except ValueError:
        return None


def _with_commas(match: Any) -> float | None:
    """The number that digits with commas are; the first of a list; none where it may be either: 1,234 and 97,25."""
    sign, first, others, decimals = match.groups()
    if _is_list(match):
        return float(sign + first)
    if not first.strip("0"):
        return float(f"{sign}{first}.{others[1:]}")
    is_sure = decimals or others.count(",") > 1
    return float(sign + first + others.replace(",", "") + (decimals or "")) if is_sure else None


def _is_list(match: Any) -> bool:
    """Whether there are more commas, or other ones, than a number has: 1,234.5 and 0,5 are one number."""
    _, first, others, decimals = match.groups()
    groups = others[1:].split(",")
    in_thousands = len(first) <= 3 and first[0] != "0" and all(len(group) == 3 for group in groups)  # noqa: PLR2004
    return not in_thousands and (len(groups) > 1 or decimals is not None)
