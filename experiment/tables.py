"""The tables of docs/experiment.md, from the records alone; pure."""

from __future__ import annotations

import math
import re
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from experiment.pairs import end_delay, gap, pairs, undelayed
from experiment.records import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from experiment.pairs import Pair
    from experiment.records import JobRecord

_BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
AWS = [
    "Amazon SageMaker, 2018",
    *("0.356", "0.353", "-0.003"),
    *("168 min", "130 min", "23 %", "13 %"),
    *("6 of 20", "not published", "", ""),
]
"""Of the blog post that the page names; 2 h 48 min and 2 h 10 min in minutes."""


def with_tables(page: str, records: Sequence[JobRecord]) -> str:
    """The page with new tables; each stands between two comments that name it."""
    tables = {"reference": reference(records), "crossover": crossover(records), "pauses": pauses(records)}
    return _BLOCK.sub(lambda block: f"{block[1]}\n{tables[block[2]]}\n{block[3]}", page)


def reference(records: Sequence[JobRecord]) -> str:
    """A row for each seed, their mean, and AWS's published figures."""
    found = pairs(records, Kind.REFERENCE)
    columns: list[tuple[str, Callable[[Pair], float], str]] = [
        ("best, Off", lambda pair: pair.base.best_value, ".4f"),
        ("best, Auto", lambda pair: pair.variant.best_value, ".4f"),
        ("difference", lambda pair: pair.gained, "+.4f"),
        *_costs(),
    ]
    possible = [undelayed(pair.base) for pair in found]
    rows = [
        [f"seed {pair.base.seed}", *_cells(pair, columns), *_ends(pair), _number(rule.saved, ".0%"), f"{rule.lost:.4f}"]
        for pair, rule in zip(found, possible, strict=True)
    ]
    spread = [_spread([value(pair) for pair in found], style) for _, value, style in columns]
    stopped = _spread([len(pair.variant.stopped) for pair in found], ".1f")
    trained = _spread([pair.epochs_saved for pair in found], ".0%")
    saved, lost = _spread([rule.saved for rule in possible], ".0%"), _spread([rule.lost for rule in possible], ".4f")
    rows += [["**mean**", *spread, stopped, f"{trained} not trained", saved, lost], AWS]
    head = ["", *(name for name, _, _ in columns), "stopped", "epochs trained", "without delay", "best lost"]
    return _table(head, rows) + _origin(found)


def crossover(records: Sequence[JobRecord]) -> str:
    """A row for each length of a trial."""
    found = pairs(records, Kind.CROSSOVER)
    columns: list[tuple[str, Callable[[Pair], float], str]] = [
        *_costs(),
        ("best, Off", lambda pair: pair.base.best_value, ".4f"),
        ("best, Auto", lambda pair: pair.variant.best_value, ".4f"),
        ("from decision to end", lambda pair: end_delay(pair.variant), ".1f s"),
        ("between two trials", lambda pair: gap(pair.base), ".1f s"),
    ]
    rows = [
        [f"{(pair.base.epoch_seconds or 0) * pair.base.epochs:g} s", *_cells(pair, columns), *_ends(pair)]
        for pair in found
    ]
    return _table(["a trial", *(name for name, _, _ in columns), "stopped", "epochs trained"], rows) + _origin(found)


def pauses(records: Sequence[JobRecord]) -> str:
    """A row for each seed, and their mean."""
    found = pairs(records, Kind.PAUSES)
    columns: list[tuple[str, Callable[[Pair], float], str]] = [
        ("training, Auto", lambda pair: pair.base.training_seconds, ".0f s"),
        ("training, with pauses", lambda pair: pair.variant.training_seconds, ".0f s"),
        ("best, Auto", lambda pair: pair.base.best_value, ".4f"),
        ("best, with pauses", lambda pair: pair.variant.best_value, ".4f"),
        ("same bill, Auto", lambda pair: pair.same_bill[0], ".4f"),
        ("same bill, with pauses", lambda pair: pair.same_bill[1], ".4f"),
    ]
    counts: list[tuple[str, Callable[[Pair], float], str]] = [
        ("paused", lambda pair: sum(trial.paused for trial in pair.variant.trials), ".0f"),
        ("resumed", lambda pair: sum(trial.resumed is not None for trial in pair.variant.trials), ".0f"),
    ]
    rows = [[f"seed {pair.base.seed}", *_cells(pair, [*columns, *counts])] for pair in found]
    spread = [_spread([value(pair) for pair in found], style) for _, value, style in columns]
    rows.append(["**mean**", *spread, *(_spread([value(pair) for pair in found], ".1f") for _, value, _ in counts)])
    return _table(["", *(name for name, _, _ in (*columns, *counts))], rows) + _origin(found)


def _costs() -> list[tuple[str, Callable[[Pair], float], str]]:
    """Columns: heading, value and format."""
    return [
        ("training, Off", lambda pair: pair.base.training_seconds, ".0f s"),
        ("training, Auto", lambda pair: pair.variant.training_seconds, ".0f s"),
        ("saved", lambda pair: pair.training_saved, ".0%"),
        ("clock saved", lambda pair: pair.clock_saved, ".0%"),
    ]


def _cells(pair: Pair, columns: Iterable[tuple[str, Callable[[Pair], float], str]]) -> list[str]:
    return [_number(value(pair), style) for _, value, style in columns]


def _ends(pair: Pair) -> list[str]:
    job = pair.variant
    return [f"{len(job.stopped)} of {len(job.trials)}", f"{job.epochs_trained} of {job.epochs_asked}"]


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
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


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
