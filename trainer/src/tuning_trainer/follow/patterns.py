"""Metrics that regular expressions find, by an engine whose time is linear in the text; epochs that a text states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import re2

from tuning_trainer.follow.findings import BEST, NAMED, PLAIN, SIDE, Found
from tuning_trainer.follow.numbers import number_at, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_PATTERNS, MAX_PATTERN = 40, 1000
"""Patterns, and characters of each."""
NUMBER = "([-+]?(?:[0-9]*[.]?[0-9]+(?:e[-+]?[0-9]+)?|nan|inf))"
"""The group that is recommended, behind `(?i)`: it knows sign, exponent, NaN and infinity."""
_ARGUMENTS = "Namespace("
"""Stands in a program's arguments, as argparse prints them."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_EPOCH = re2.compile(
    r"""(?i)(epoch)["']?\s*(?:\([a-z]+\))?\s*[:=#]?\s*[\[(]?\s*([0-9]{1,12}(?:[.][0-9]+)?)(?:[^\w.%]|[.][^0-9]|[.]?$)""",
    _OPTIONS,
)
_BAR = re2.compile(r"(?i)epochs?[^%|]{0,40}[0-9]%\|[^|]*\|\s*([0-9]{1,12})/[0-9]", _OPTIONS)
"""A bar whose steps are epochs: `Epoch:  30%|███       | 3/10`."""
_NO_STATEMENT = re.compile(
    r"(?:[\w/-]|\b(?:best|each|every|from|last|max|maximum|next|num|number\s+of|per|previous|since|total|until|warm-?up)"
    r"\W*)$",
    re.IGNORECASE,
)
"""Text before an epoch that is not the current one, or that is part of another word: `best epoch 3`."""
_DURATION = re.compile(r"\s*(?:m?s|sec|secs|seconds|minutes)\b", re.IGNORECASE)
"""Text after what is a time: `epoch: 5.2 s`."""
_BEST = re.compile(r"\bbest[\s_:-]+(?:\w+[\s_:-]+)?$", re.IGNORECASE)
_LONGER = re.compile(r"([^\W\d_]*)[\d_]*(?<=\w)[-/.]?$")
"""Text before a metric that makes it another one: `best val ` or `val_` before `loss`."""
_BEFORE = 40
"""Characters before a metric that are looked at."""
_SEPARATED = re.compile(r"[0-9][,_'\u2019][0-9]")
_SYNTAX = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\(\?[a-zA-Z-]*:|\(|\)|\|", re.DOTALL)


@dataclass(frozen=True)
class Definition:
    """How a metric is found.

    Attributes:
        name: of the metric.
        regex: as given.
        pattern: compiled; its first group is the value.
        prefix: what stands before the value; none if the pattern does not say.
        is_loose: the prefix ends anywhere, so that what follows it says nothing.
    """

    name: str
    regex: str
    pattern: Any
    prefix: Any
    is_loose: bool

    @classmethod
    def of(cls, name: str, regex: str) -> Definition:
        """Compile a pattern.

        Raises:
            ValueError: it is too long, has no group, or is none that RE2 knows.
        """
        if len(regex) > MAX_PATTERN:
            raise ValueError(f"{name}: the regular expression has more than {MAX_PATTERN} characters")
        try:
            pattern = re2.compile(regex, _OPTIONS)
        except re2.error as error:
            words = error.args[0].decode(errors="replace") if error.args else "not known"
            raise ValueError(f"{name}: {regex}: {words} (RE2 has no look-around and no back-references)") from error
        if not pattern.groups:
            raise ValueError(f"{name}: {regex}: put parentheses around the value")
        before = _before_group(regex)
        return cls(name, regex, pattern, _prefix(before), re.search(r"\.[*+]", before) is not None)

    def find(self, text: str) -> tuple[float | None, str, int]:
        """Return the last value in a text, or the text in its place that is not a number; empty if there is neither.

        Of several, only those count of which it is surest that they are the metric's: that is the third result.
        """
        matches = list(self.pattern.finditer(text))
        prefixes = list(self.prefix.finditer(text)) if self.prefix else []
        ranks = {match.start(): self._rank(text, match.start()) for match in (*matches, *prefixes)}
        rank = max(ranks.values(), default=PLAIN)
        start, value, problem = -1, None, ""
        match = next((match for match in reversed(matches) if ranks[match.start()] == rank), None)
        if match is not None:
            start, end = match.span(1) if match[1] is not None else (match.end(), match.end())
            # The pattern cannot say every number: what it leaves out, such as an exponent or NaN, is part of the value.
            value = number_at(text, start, end)
            problem = "" if value is not None else self._problem(match[1] or "", text[end:])
        prefix = next((match for match in reversed(prefixes) if ranks[match.start()] == rank), None)
        if prefix is not None and prefix.end() > start:
            later = number_at(text, prefix.end())
            if later is not None:
                return later, "", rank
            if not self.is_loose:
                problem = self._problem("", text[prefix.end() :])
        return value, problem, rank

    def _problem(self, group: str, after: str) -> str:
        """What is wrong with a group and what follows it."""
        shown = ((group + after[:40].split(" ", 1)[0]) if group else after[:20].strip())[:40]
        remedy = ": print it without separators" if _SEPARATED.search(shown) else ""
        return f"{self.name} is {shown!r}, not a number{remedy}"

    def _rank(self, text: str, start: int) -> int:
        """How sure it is that what matches there is about this metric, by the word that it may be the end of."""
        before = text[max(0, start - _BEFORE) : start] if text[start : start + 1].isalnum() else ""
        is_best, longer = _BEST.search(before), _LONGER.search(before)
        word = "best" if is_best else longer[1].lower() if longer else ""
        if word and word in self.name.lower():
            return NAMED
        return BEST if is_best else SIDE if longer else PLAIN


def definitions_of(given: Mapping[str, str]) -> tuple[Definition, ...]:
    """Compile the patterns of metrics.

    Raises:
        ValueError: there are too many, or one cannot be used.
    """
    if len(given) > MAX_PATTERNS:
        raise ValueError(f"more than {MAX_PATTERNS} regular expressions")
    return tuple(Definition.of(name, regex) for name, regex in given.items())


def from_patterns(objective: str, definitions: Sequence[Definition], text: str) -> Sequence[Found]:
    """The metrics whose patterns occur in a piece of a log, each with its last value, and the epoch that it states."""
    if _ARGUMENTS in text:
        return ()
    text = text.replace("\u2212", "-")
    plain = unwrapped(text)
    values, problems, ranks = {}, [], {}
    for definition in definitions:
        value, problem, ranks[definition.name] = definition.find(text)
        if plain != text and (value is None or problem):
            value, problem, ranks[definition.name] = definition.find(plain)
        if value is not None:
            values[definition.name] = value
        if problem:
            problems.append(problem)
    return (Found(next(stated(text), None), values, tuple(problems), ranks.get(objective, PLAIN)),)


def stated(text: str, *, whole: bool = True) -> Iterator[float]:
    """The epochs that a text states: `Epoch 3/10`, `epoch=3`, `Epoch[3]`, last a bar of epochs.

    Args:
        text: a piece of a log.
        whole: false where more of it may follow, which the last number may be a part of.
    """
    if _ARGUMENTS in text:
        return
    for match in _EPOCH.finditer(text):
        before = text[max(0, match.start(1) - 20) : match.start(1)]
        after = text[match.end(2) : match.end(2) + 20]
        if not (_NO_STATEMENT.search(before) or _DURATION.match(after)) and (whole or after[:1] not in ("", ".")):
            yield float(match[2])
    if whole and (bar := _BAR.search(text)):
        yield float(bar[1])


def begun(text: str) -> float | None:
    """The epoch that a text states of which more may follow."""
    return next(stated(text, whole=False), None)


def _before_group(regex: str) -> str:
    """The part of a pattern before its first group, empty where it has alternatives."""
    opened: list[int] = []
    divided: set[int] = set()
    for match in _SYNTAX.finditer(regex):
        kind, start = match[0], match.start()
        if kind == "|":
            divided.add(opened[-1] if opened else -1)
        if kind == "(" and (regex[start + 1 : start + 2] != "?" or regex.startswith(("(?P<", "(?<"), start)):
            if divided & {-1, *opened}:
                return ""
            before = regex[:start]
            for opener in reversed(opened):
                before = before[:opener] + before[before.index(":", opener) + 1 :]
            return before
        if kind.endswith(":"):
            opened.append(start)
        elif kind == ")" and opened:
            opened.pop()
    return ""


def _prefix(before: str) -> Any:
    """The compiled prefix, where it has a word by which it is known."""
    literal = re.sub(r"\\[a-zA-Z]|\(\?[a-zA-Z-]*[:)]", "", before)
    if not re.search(r"[^\W_]", literal):
        return None
    try:
        prefix = re2.compile(before, _OPTIONS)
    except re2.error:
        return None
    return prefix if prefix.search("") is None else None
