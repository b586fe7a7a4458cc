"""Numbers, times and durations as the Kubernetes API writes them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|\u03bcs|ms|s|m|h)")
_DURATION = re.compile(rf"[+-]?(?:0|(?:{_PART.pattern})+)")

_FIRST_POD = datetime(2014, 6, 6, tzinfo=UTC)
"""Kubernetes is no older."""


def parse_duration(text: str) -> timedelta:
    """Parse a Go duration string such as `1h30m`: whatever the API server's `duration()` takes.

    Raises:
        ValueError: The text is not a duration.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; for example 6h, 1h30m or 90s")
    length = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    return -length if text.startswith("-") else length


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time."""
    return datetime.fromisoformat(text)


def time_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Parse the time in a field of an object; None when the field is missing or empty."""
    text = fields.get(name)
    return parse_time(text) if text else None


def clock_time_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    """Parse a time by a node's clock; None also where it stands for no time.

    A container that could not start has begun at the zero of somebody's clock: in the year 1, or in 1970.
    """
    time = time_in(fields, name)
    return time if time and time >= _FIRST_POD else None


def render_time(time: datetime) -> str:
    """Render a time as `metav1.Time` does: UTC, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_number(text: str) -> float:
    """Parse a measured value as Prometheus' API writes it: `0.5`, `NaN`, `+Inf`, `-Inf`.

    Every NaN is the same object, so that a record compares equal when it is read twice.
    """
    value = float(text)
    return math.nan if math.isnan(value) else value


def render_number(value: float) -> str:
    """Render a measured value as Prometheus' API does."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value)).removesuffix(".0")


def display_number(value: float) -> str:
    """Render a measured value for tables: six significant digits."""
    return f"{value:.6g}" if math.isfinite(value) else render_number(value)


def literal(text: str) -> str:
    """A text as the value of a variable or an argument of a container: Kubernetes reads `$$` as a dollar sign.

    Otherwise it would put something in the place of `$(NAME)`, and of `$$` one sign.
    """
    return text.replace("$", "$$")


def printable(text: str, limit: int) -> str:
    """As much of a text from outside as may be shown to people: no longer, and nothing that a terminal would obey."""
    return "".join(map(_shown, text[:limit]))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
