from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_operator.api.values import parse_duration, parse_number, parse_time, render_number, render_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("6h", 21600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5m", 30),
        ("1.m", 60),
        ("100ms", 0.1),
        ("1h0m0.5s", 3600.5),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("10\u03bcs", 1e-5),
        ("0", 0),
        ("0s", 0),
        ("+1h", 3600),
        ("-1h", -3600),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    """What the API server's `duration()` accepts must not be refused here."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "1h 30m", "1:30", "one hour", "1e3s", "--1h", "1h-1m", "s1"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="for example 6h, 1h30m or 90s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.356, "0.356"),
        (1.0, "1"),
        (0.0, "0"),
        (-2.0, "-2"),
        (1e-5, "1e-05"),
        (1e22, "1e+22"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_numbers_are_rendered_as_prometheus_does(value: float, text: str) -> None:
    assert render_number(value) == text


@given(st.floats())
def test_numbers_survive(value: float) -> None:
    again = parse_number(render_number(value))
    assert math.isnan(again) if math.isnan(value) else again == value


def test_times_are_in_utc_and_whole_seconds() -> None:
    east = timezone(timedelta(hours=2))
    assert render_time(datetime(2026, 5, 4, 14, 0, 0, 999_999, tzinfo=east)) == "2026-05-04T12:00:00Z"
    assert parse_time("2026-05-04T12:00:00Z") == datetime(2026, 5, 4, 12, tzinfo=UTC)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_survive_but_for_fractions(time: datetime) -> None:
    assert parse_time(render_time(time)) == time.replace(microsecond=0)
