"""The tables of docs/experiment.md, from the records alone; pure. The page has means, the terminal each seed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from experiment.pairs import Pair, end_delay, gap, pairs, undelayed
from experiment.records import JobRecord, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

_Column = tuple[str, Callable[[Pair], float], str]
"""Heading, value and format."""
_BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
AWS = [
    "Amazon SageMaker, 2018",
    *("0.356", "0.353", "-0.003"),
    *("168 min", "130 min", "23 %", "13 %"),
    *("6", "", "", ""),
]
"""Of the blog post that the page names; 2 h 48 min and 2 h 10 min in minutes."""


class Figures(NamedTuple):
    """What an experiment gives: a row for each pair of jobs, and the rows that sum these up."""

    head: list[str]
    rows: list[list[str]]
    sums: list[list[str]]
    origin: str

    def in_full(self) -> str:
        """A table with every row."""
        return _table(self.head, [*self.rows, *self.sums]) + self.origin

    def summed_up(self) -> str:
        """A table with a column for each row that sums up; with every row where none does."""
        if not self.sums:
            return self.in_full()
        head, *columns = zip(self.head, *self.sums, strict=True)
        return _table(head, columns) + self.origin


def with_tables(page: str, records: Sequence[JobRecord]) -> str:
    """The page with new tables; each stands between two comments that name it."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{EXPERIMENTS[block[2]](records).summed_up()}\n{block[3]}", page)


def in_full(records: Sequence[JobRecord]) -> str:
    """All tables with a row for each seed."""
    return "\n".join(f"{name}\n\n{figures(records).in_full()}" for name, figures in EXPERIMENTS.items())


def reference(records: Sequence[JobRecord]) -> Figures:
    """A row for each seed, their mean, and AWS's published figures."""
    found = pairs(records, Kind.REFERENCE)
    columns: list[_Column] = [
        ("best, Off", lambda pair: pair.base.best_value, ".4f"),
        ("best, Auto", lambda pair: pair.variant.best_value, ".4f"),
        ("difference", lambda pair: pair.gained, "+.4f"),
        *_costs(),
        ("trials stopped", lambda pair: len(pair.variant.stopped), ".1f"),
        ("epochs saved", lambda pair: pair.epochs_saved, ".0%"),
        ("epochs saved without delay", lambda pair: undelayed(pair.base).saved, ".0%"),
        ("best lost", lambda pair: undelayed(pair.base).lost, ".4f"),
    ]
    return _by_seed(found, columns, [AWS])


def crossover(records: Sequence[JobRecord]) -> Figures:
    """A row for each length of a trial."""
    found = pairs(records, Kind.CROSSOVER)
    columns: list[_Column] = [
        *_costs()[:3],
        ("best", lambda pair: pair.gained, "+.4f"),
        ("from decision to end", lambda pair: end_delay(pair.variant), ".1f s"),
        ("between two trials", lambda pair: gap(pair.base), ".1f s"),
        ("epochs saved", lambda pair: pair.epochs_saved, ".0%"),
    ]
    rows = [[f"{(pair.base.epoch_seconds or 0) * pair.base.epochs:g} s", *_cells(pair, columns)] for pair in found]
    return Figures(["a trial", *_names(columns)], rows, [], _origin(found))


def pauses(records: Sequence[JobRecord]) -> Figures:
    """A row for each seed, and their mean."""
    columns: list[_Column] = [
        ("training, Auto", lambda pair: pair.base.training_seconds, ".0f s"),
        ("training, with pauses", lambda pair: pair.variant.training_seconds, ".0f s"),
        ("best, Auto", lambda pair: pair.base.best_value, ".4f"),
        ("best, with pauses", lambda pair: pair.variant.best_value, ".4f"),
        ("same bill", lambda pair: pair.same_bill[1] - pair.same_bill[0], "+.4f"),
        ("trials paused", lambda pair: sum(trial.paused for trial in pair.variant.trials), ".1f"),
        ("trials resumed", lambda pair: sum(trial.resumed is not None for trial in pair.variant.trials), ".1f"),
    ]
    return _by_seed(pairs(records, Kind.PAUSES), columns, [])


EXPERIMENTS: dict[str, Callable[[Sequence[JobRecord]], Figures]] = {
    "reference": reference,
    "crossover": crossover,
    "pauses": pauses,
}


def _by_seed(found: Sequence[Pair], columns: Sequence[_Column], others: list[list[str]]) -> Figures:
    rows = [[f"seed {pair.base.seed}", *_cells(pair, columns)] for pair in found]
    mean = [_spread([value(pair) for pair in found], style) for _, value, style in columns]
    return Figures(["", *_names(columns)], rows, [[f"mean of {len(found)} seeds", *mean], *others], _origin(found))


def _costs() -> list[_Column]:
    return [
        ("training, Off", lambda pair: pair.base.training_seconds, ".0f s"),
        ("training, Auto", lambda pair: pair.variant.training_seconds, ".0f s"),
        ("saved", lambda pair: pair.training_saved, ".0%"),
        ("clock saved", lambda pair: pair.clock_saved, ".0%"),
    ]


def _names(columns: Iterable[_Column]) -> list[str]:
    return [name for name, _, _ in columns]


def _cells(pair: Pair, columns: Iterable[_Column]) -> list[str]:
    return [_number(value(pair), style) for _, value, style in columns]


def _number(value: float, style: str) -> str:
    """A number in a format that a unit may follow."""
    kind, _, unit = style.partition(" ")
    if math.isnan(value):
        return "none"
    return f"{value:{kind}}".replace("%", " %") + f" {unit}" * bool(unit)


def _spread(values: Sequence[float], style: str) -> str:
    """The mean and, of two or more, the standard deviation."""
    if not values:
        return ""
    mean, _, unit = _number(fmean(values), style).partition(" ")
    if len(values) > 1:
        mean += f" ± {_number(stdev(values), style.removeprefix('+')).partition(' ')[0]}"
    return f"{mean} {unit}".rstrip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    first, *others = (f"|{''.join(f' {cell} |' if cell else ' |' for cell in line)}\n" for line in [head, *rows])
    return "".join([first, f"|{'---|' * len(head)}\n", *others])


def _origin(found: Sequence[Pair]) -> str:
    """When and on what the rows were measured."""
    jobs = [job for pair in found for job in (pair.base, pair.variant)]
    if not jobs:
        return ""
    days = sorted({job.started.date().isoformat() for job in jobs})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    cores = " or ".join(str(count) for count in sorted({job.cores for job in jobs}))
    scrapes = " or ".join(f"{count} s" for count in sorted({job.scrape_seconds for job in jobs}))
    return f"\nMeasured on {when}, with {cores} cores and a scrape each {scrapes}.\n"
