"""The two forms that a log can have: lines of JSON, or text in which patterns find the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tuning_trainer.follow.marks import begun
from tuning_trainer.follow.objects import from_json
from tuning_trainer.follow.patterns import from_patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tuning_trainer.follow.findings import Found
    from tuning_trainer.follow.patterns import Definition


@dataclass(frozen=True)
class Format:
    """How metrics are found in a log.

    Attributes:
        objective: the metric that ends an epoch where none is stated.
        parse: finds metrics and an epoch in a piece of the log.
        begun: finds an epoch in what is being written.
        nothing: what it means that no piece has the objective.
    """

    objective: str
    parse: Callable[[str], Sequence[Found]]
    begun: Callable[[str], float | None]
    nothing: str


def json_lines(objective: str) -> Format:
    """Each line is a JSON object."""
    return Format(objective, partial(from_json, objective), lambda _: None, "none is a JSON object with that number")


def text(objective: str, definitions: Sequence[Definition]) -> Format:
    """Each metric has a pattern."""
    regex = next((item.regex for item in definitions if item.name == objective), None)
    nothing = "it has no regular expression" if regex is None else f"{regex} matches none"
    return Format(objective, partial(from_patterns, objective, definitions), begun, nothing)
