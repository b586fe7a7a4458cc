"""A short curve has what people look for in the long one."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_console.curves import Curve, as_json, best_index, number, parse_curve, points_each, shorten

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
CURVES = st.lists(VALUES, min_size=1, max_size=300).map(
    lambda values: Curve(tuple(index / 2 for index in range(len(values))), tuple(values))
)
POINTS = st.integers(8, 60)


@given(CURVES, POINTS, st.booleans(), st.data())
def test_what_people_look_for_is_kept_and_nothing_is_made_up(
    curve: Curve, points: int, maximize: bool, data: st.DataObject
) -> None:
    marked = data.draw(st.sampled_from(curve.epochs))
    short = shorten(curve, points, maximize=maximize, marked=marked)
    assert len(short.epochs) == len(short.values) <= max(points, 1)
    assert all(earlier < later for earlier, later in pairwise(short.epochs))
    of = dict(zip(curve.epochs, curve.values, strict=True))
    assert all(of[epoch] is value for epoch, value in zip(short.epochs, short.values, strict=True))
    assert {curve.epochs[0], curve.epochs[-1], marked} <= set(short.epochs)
    best = best_index(curve.values, maximize=maximize)
    assert best is None or curve.epochs[best] in short.epochs


@given(CURVES, POINTS)
def test_the_extremes_of_each_stretch_are_kept(curve: Curve, points: int) -> None:
    short = set(shorten(curve, points, maximize=True).epochs)
    stretches = (points - 4) // 2 if len(curve.epochs) > points else len(curve.epochs)
    for stretch in range(stretches):
        part = range(len(curve.epochs) * stretch // stretches, len(curve.epochs) * (stretch + 1) // stretches)
        kept = [curve.values[index] for index in part if curve.epochs[index] in short]
        known = [curve.values[index] for index in part if not math.isnan(curve.values[index])]
        if known:
            assert max(known) in kept
        if len(known) == len(part):
            assert min(known) in kept
        else:
            assert any(math.isnan(value) for value in kept)


def test_a_short_curve_stays_as_it_is() -> None:
    curve = Curve((0.5, 1.0), (1.0, 2.0))
    assert shorten(curve, 8, maximize=True) is curve


@pytest.mark.parametrize(
    ("status", "curve"),
    [
        ({}, Curve((), ())),
        ({"curve": {"epochs": [1, 2], "values": ["0.5"]}}, Curve((1.0,), (0.5,))),
        ({"curve": {"epochs": [0.5], "values": ["+Inf"]}}, Curve((0.5,), (math.inf,))),
        ({"curve": {"epochs": None, "values": None}}, Curve((), ())),
    ],
)
def test_a_curve_is_read_as_far_as_it_goes(status: dict[str, object], curve: Curve) -> None:
    assert parse_curve(status) == curve


@pytest.mark.parametrize("text", ["<b>", "", None, [], "1e", {}])
def test_what_is_no_number_is_none(text: object) -> None:
    assert math.isnan(number(text))


@given(VALUES | st.floats())
def test_every_number_can_be_sent(value: float) -> None:
    sent = as_json(value)
    json.dumps(sent, allow_nan=False)
    read = number(sent)
    assert (math.isnan(value) and math.isnan(read)) or read == value or math.isclose(read, value, rel_tol=1e-5)


@pytest.mark.parametrize(("trials", "points"), [(0, 400), (20, 400), (1_000, 120), (10_000, 16)])
def test_a_page_stays_small_whatever_the_number_of_trials(trials: int, points: int) -> None:
    assert points_each(trials) == points
