from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_operator.core.model.curves import Curve, Goal, Measurement

NAN, INF = math.nan, math.inf

pairs = st.lists(st.tuples(st.integers(0, 30), st.floats(allow_nan=True, allow_infinity=True)), max_size=40)


def test_a_curve_is_sorted_and_the_first_value_of_an_epoch_wins() -> None:
    curve = Curve.of([(3, 0.3), (1, 0.1), (3, 0.9), (2, 0.2)])
    assert list(curve) == [Measurement(1, 0.1), Measurement(2, 0.2), Measurement(3, 0.3)]
    assert curve.latest == Measurement(3, 0.3)
    assert len(curve) == 3


def test_an_empty_curve_has_no_latest_value() -> None:
    assert Curve().latest is None
    assert not Curve()


def test_merging_adds_epochs_and_changes_none() -> None:
    known = Curve.of([(1, 0.1), (2, NAN)])
    merged = known.merge(Curve.of([(1, 0.9), (2, 0.9), (3, 0.3)]))
    assert [epoch for epoch, _ in merged] == [1, 2, 3]
    assert merged.measurements[0].value == 0.1
    assert math.isnan(merged.measurements[1].value)


def test_merging_nothing_new_returns_the_curve_itself() -> None:
    known = Curve.of([(1, 0.1), (2, NAN)])
    assert known.merge(Curve()) is known
    assert known.merge(Curve.of([(1, 0.1), (2, float("nan"))])) is known


def test_merging_the_same_again_gives_the_same_curve() -> None:
    known, later, other = Curve.of([(1, 0.1)]), Curve.of([(2, 0.2)]), Curve.of([(3, 0.3)])
    merged = known.merge(later)
    assert known.merge(later) is merged
    assert [known.merge(other), known.merge(later)] == [Curve.of([(1, 0.1), (3, 0.3)]), merged]


def test_curves_with_a_diverged_epoch_are_equal_however_their_nan_came_about() -> None:
    """What was read from Prometheus is compared with what was read before; NaN is unequal to NaN."""
    assert Curve.of([(1, float("nan"))]) == Curve.of([(1, -float("nan"))])


@pytest.mark.parametrize(
    ("known", "later", "conflict"),
    [
        (0.1, 0.1, False),
        (0.1, 0.2, True),
        (NAN, float("nan"), False),
        (NAN, 0.1, True),
        (0.1, NAN, True),
        (INF, INF, False),
        (INF, -INF, True),
    ],
)
def test_conflicts_are_values_that_changed(known: float, later: float, conflict: bool) -> None:
    found = Curve.of([(1, known)]).conflicts(Curve.of([(1, later), (2, 5.0)]))
    assert [epoch for epoch, _ in found] == ([1] if conflict else [])


def test_what_was_found_of_one_curve_is_not_said_of_another() -> None:
    curve, same, other = (Curve.of([(1, value)]) for value in (0.5, 0.5, 0.7))
    longer = Curve.of([(1, 0.5), (2, 0.6)])

    found = [(len(curve.conflicts(later)), len(curve.merge(later))) for later in (same, other, longer, other, longer)]

    assert found == [(0, 1), (1, 1), (0, 2), (1, 1), (0, 2)]


@given(pairs, pairs)
def test_merge_is_a_grow_only_union(first: list[tuple[int, float]], second: list[tuple[int, float]]) -> None:
    known, later = Curve.of(first), Curve.of(second)
    merged = known.merge(later)
    assert {epoch for epoch, _ in merged} == {epoch for epoch, _ in known} | {epoch for epoch, _ in later}
    assert not known.conflicts(merged)
    assert merged.merge(later) == merged
    assert list(merged) == sorted(merged, key=lambda measurement: measurement.epoch)


@pytest.mark.parametrize(
    ("goal", "value", "than", "better"),
    [
        (Goal.MAXIMIZE, 2.0, 1.0, True),
        (Goal.MAXIMIZE, 1.0, 1.0, False),
        (Goal.MINIMIZE, 1.0, 2.0, True),
        (Goal.MINIMIZE, 2.0, 1.0, False),
        (Goal.MAXIMIZE, -1e300, NAN, True),
        (Goal.MINIMIZE, 1e300, NAN, True),
        (Goal.MAXIMIZE, INF, 0.0, False),
        (Goal.MINIMIZE, -INF, 0.0, False),
        (Goal.MAXIMIZE, NAN, NAN, False),
    ],
)
def test_what_is_not_finite_is_worst_for_either_goal(goal: Goal, value: float, than: float, better: bool) -> None:
    assert goal.is_better(value, than) is better


def test_epochs_are_numbers_and_whole_ones_are_ints() -> None:
    curve = Curve.of([(0.5, 1.0), (1.0, 2.0), (1.5, 3.0)])
    assert [repr(epoch) for epoch, _ in curve] == ["0.5", "1", "1.5"]
    assert curve.until(1) == Curve.of([(0.5, 1.0), (1, 2.0)])


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        Curve.of([(10**400, 0.5)])


def test_a_curve_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Curve.of([(1, 0.5)]).values[0] = 0.9
