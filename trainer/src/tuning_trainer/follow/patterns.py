"""Metrics that regular expressions find, by an engine whose time is linear in the text."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import re2

from tuning_trainer.follow.findings import PLAIN, Found
from tuning_trainer.follow.groups import around_group, bare_of, is_loose, prefix_of, takes_digits, words_of
from tuning_trainer.follow.marks import ARGUMENTS, in_doubt, is_within, parts, stated
from tuning_trainer.follow.numbers import beginning_of, number_at, unit_of, unwrapped
from tuning_trainer.follow.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_PATTERNS, MAX_PATTERN = 40, 1000
"""Patterns, and characters of each."""
NUMBER = "([-+]?(?:[0-9]*[.]?[0-9]+(?:e[-+]?[0-9]+)?|nan|inf))"
"""The group that is recommended, behind `(?i)`: it knows sign, exponent, NaN and infinity."""
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_SEPARATED = re.compile(r"[0-9][,_'\u2019\u00a0\u202f\u2009][0-9]")
_QUANTITY = re.compile(r"[-+]?[0-9.]+( ?[^\W\d_]+)")


class Place(NamedTuple):
    """Where a value is in a text.

    Attributes:
        start: what belongs to it begins here.
        value: it begins here.
        end: the group that found it ends here.
        known: a number that ends here may have a unit, since the pattern names it.
    """

    start: int
    value: int
    end: int
    known: int


@dataclass(frozen=True)
class Definition:
    """How a metric is found.

    Attributes:
        name: of the metric.
        regex: as given.
        pattern: compiled; its first group is the value.
        prefix: what stands before a value and behind it, whatever the value is: the first group is where it begins, the
            second the value itself if something has to follow it. None if the pattern does not say.
        bare: what stands before a value; none where nothing has to follow it.
        words: what finds NaN, infinity or no value where the prefix does not; none if nothing is missed.
        jumps: where it finds them, the pattern takes the value of another metric.
        takes_digits: what stands before a value may be a part of the number.
        is_loose: the prefix ends anywhere.
        ranks: how sure it is that a value is the metric's own.
    """

    name: str
    regex: str
    pattern: Any
    prefix: Any
    bare: Any
    words: Any
    jumps: bool
    takes_digits: bool
    is_loose: bool
    ranks: Ranks

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
        before, after = around_group(regex)
        bare = bare_of(before) if after else None
        words, jumps = words_of(before, after)
        return cls(
            name=name,
            regex=regex,
            pattern=pattern,
            prefix=prefix_of(before, after),
            bare=bare,
            words=words,
            jumps=jumps,
            takes_digits=takes_digits(before),
            is_loose=is_loose(before),
            ranks=Ranks(name),
        )

    def find(self, text: str) -> tuple[float | None, str, int]:
        """Return the last value in a text, or the text in its place that is not a number; empty if there is neither.

        Of several, only those count of which it is surest that they are the metric's: that is the third result.
        """
        words = _behind(self.words, text)
        jumped = [word.value for word in words] if self.jumps else []
        matches, prefixes, words = (
            [self._whole(text, place) for place in _direct(places, jumped)]
            for places in (_within(self.pattern, text), _behind(self.prefix, text), words)
        )
        if self.is_loose:
            # They end anywhere, so that what follows them says nothing unless it is a number.
            prefixes = [place for place in prefixes if number_at(text, place.value) is not None]
        prefixes = sorted((*prefixes, *words), key=lambda place: place.value)
        ranks = self.ranks.of(text, [(place.start, place.value) for place in (*prefixes, *matches)])
        rank = max(ranks.values(), default=PLAIN)
        start, value, problem = -1, None, ""
        match = next((match for match in reversed(matches) if ranks[match.start] == rank), None)
        if match is not None:
            start = match.value
            # The pattern cannot say every number: what it leaves out, such as an exponent or NaN, is part of the value.
            value = number_at(text, start, match.end, match.known)
            problem = "" if value is not None else self._problem(text[start : match.end], text[match.end :])
        prefix = next((prefix for prefix in reversed(prefixes) if ranks[prefix.start] == rank), None)
        if prefix is not None and prefix.value > start:
            later = number_at(text, prefix.value, known=prefix.known)
            if later is not None:
                return later, "", rank
            problem = self._problem("", text[prefix.value :])
        if value is None and not problem:
            problem = self._other_unit(text)
        return value, problem, rank

    def _whole(self, text: str, place: Place) -> Place:
        """The place of the whole number, where a group without a fixed text before it begins within one."""
        if self.takes_digits:
            return place
        value = beginning_of(text, place.value)
        return place._replace(start=min(place.start, value), value=value)

    def _other_unit(self, text: str) -> str:
        """What is wrong with a value that has another unit than the pattern names."""
        for match in self.bare.finditer(text) if self.bare else ():
            quantity = _QUANTITY.match(text, match.end())
            if quantity is not None and unit_of(quantity[1]):
                return self._problem(quantity[0], "")
        return ""

    def _problem(self, group: str, after: str) -> str:
        """What is wrong with a group and what follows it."""
        unit = unit_of(after) if group else ""
        rest = after[: after.index(unit) + len(unit)] if unit else after[:40].split(" ", 1)[0]
        shown = (group + rest if group else after[:20].strip())[:40]
        quantity = _QUANTITY.search(shown)
        remedy = ": print it without separators" if _SEPARATED.search(shown) else ""
        if quantity is not None and unit_of(quantity[1]):
            remedy = ": print it without a unit, or let the pattern name the unit behind its group"
        return f"{self.name} is {shown!r}, not a number{remedy}"


def _within(pattern: Any, text: str) -> list[Place]:
    """Where a pattern finds values: its group, or the match's end where that is left out."""
    places = []
    for match in pattern.finditer(text):
        value, end = match.span(1) if match[1] is not None else (match.end(), match.end())
        places.append(Place(match.start(), value, end, end if match.end() > end else -1))
    return places


def _behind(prefix: Any, text: str) -> list[Place]:
    """Where values stand by what is before them, which `prefix_of` and `words_of` have compiled."""
    matches = prefix.finditer(text) if prefix else ()
    return [Place(match.start(), match.start(1), match.start(1), match.end(2)) for match in matches]


def _direct(places: Sequence[Place], words: Sequence[int]) -> Sequence[Place]:
    """Leave out the places whose match has one of the words before its value: that belongs to another metric."""
    return [
        place for place in places if not words or bisect_left(words, place.start) == bisect_left(words, place.value)
    ]


def definitions_of(given: Mapping[str, str]) -> tuple[Definition, ...]:
    """Compile the patterns of metrics.

    Raises:
        ValueError: there are too many, or one cannot be used.
    """
    if len(given) > MAX_PATTERNS:
        raise ValueError(f"more than {MAX_PATTERNS} regular expressions")
    return tuple(Definition.of(name, regex) for name, regex in given.items())


def from_patterns(objective: str, definitions: Sequence[Definition], text: str) -> Sequence[Found]:
    """The metrics whose patterns occur in a piece of a log, each with its last value, and the epoch that it states.

    Where lines lost the end between them there are several epochs with a value each.
    """
    if ARGUMENTS in text:
        return ()
    text = text.replace("\u2212", "-")
    value = next((item.pattern for item in definitions if item.name == objective), None)
    return [_found(objective, definitions, part) for part in parts(text, value)]


def _found(objective: str, definitions: Sequence[Definition], text: str) -> Found:
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
    if values and (number := in_doubt(text)):
        return Found(problems=(f"the epoch is {number!r}, not a number: print it without separators",))
    found = Found(
        None, values, tuple(problems), ranks.get(objective, PLAIN), is_within=objective in values and is_within(text)
    )
    epoch = next(stated(text), None)
    if epoch is None:
        return found
    return replace(
        found,
        epoch=epoch.epoch,
        total=epoch.total,
        may_be_setting=epoch.may_be_setting,
        may_be_aside=epoch.may_be_aside,
    )
