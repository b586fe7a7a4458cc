from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space
from tuning_operator.core.space.scales import NARROWEST
from tuning_operator.core.suggest.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.core.space import Parameter

names = st.sampled_from(["learning_rate", "depth", "optimizer"])


@st.composite
def continuous(draw: st.DrawFn) -> Continuous:
    scale = draw(st.sampled_from(Scale))
    bounds = {
        Scale.LOG: st.floats(1e-12, 1e12),
        Scale.REVERSE_LOG: st.floats(0, 1, exclude_max=True, allow_subnormal=False),
    }.get(scale, st.floats(-1e12, 1e12, allow_subnormal=False))
    low, high = sorted((draw(bounds), draw(bounds)))
    assume(low == high or high - low >= max(NARROWEST * high, -NARROWEST * low, 1e-300))
    return Continuous(draw(names), low, high, scale)


@st.composite
def integers(draw: st.DrawFn, width: int = 10**9) -> Integer:
    scale = draw(st.sampled_from([Scale.AUTO, Scale.LINEAR, Scale.LOG]))
    low = draw(st.integers(1 if scale is Scale.LOG else -(10**6), 10**6))
    return Integer(draw(names), low, low + draw(st.integers(0, width)), scale, draw(st.integers(1, 50)))


categorical = st.builds(Categorical, names, st.lists(st.text(), min_size=1, max_size=128, unique=True).map(tuple))
parameters = st.one_of(continuous(), integers(), categorical)
unit = st.floats(0, 1)


@given(parameters, st.lists(unit, min_size=1, max_size=20))
def test_every_position_decodes_to_a_value_that_parses_back(parameter: Parameter, positions: list[float]) -> None:
    space = Space((parameter,))
    rows = space.spread(np.array(positions)[:, None])
    for row in rows:
        point = space.decode(row)
        assert space.parse(space.render(point)) == point


@given(integers(), st.data())
def test_encode_and_decode_are_inverse_on_the_lattice(parameter: Integer, data: st.DataObject) -> None:
    space = Space((parameter,))
    point = {parameter.name: parameter.nth(data.draw(st.integers(0, parameter.levels - 1)))}
    row = space.encode([point])[0]
    assert space.decode(row) == point
    assert (space.snap(row[None])[0] == row).all()
    assert 0 <= row[0] <= 1


@given(categorical)
def test_categories_are_numbered(parameter: Categorical) -> None:
    space = Space((parameter,))
    points = [{parameter.name: value} for value in parameter.values]
    assert [space.decode(row) for row in space.encode(points)] == points
    assert [space.nth(index) for index in range(len(points))] == points


@given(continuous(), unit, unit)
def test_scales_are_monotone_and_stay_in_range(parameter: Continuous, first: float, second: float) -> None:
    assume(parameter.minimum < parameter.maximum)
    low, high = (parameter.from_unit(position) for position in sorted((first, second)))
    assert parameter.minimum <= low <= high <= parameter.maximum
    assert parameter.to_unit([low])[0] <= parameter.to_unit([high])[0]


@given(continuous(), unit)
def test_a_value_keeps_its_position(parameter: Continuous, position: float) -> None:
    value = parameter.from_unit(position)
    again = parameter.from_unit(float(parameter.to_unit([value])[0]))
    width = parameter.maximum - parameter.minimum
    assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-9 * width)


@given(st.lists(st.one_of(integers(width=4), categorical), min_size=1, max_size=3), st.data())
def test_the_points_of_a_finite_space_are_all_different(
    kinds: list[Integer | Categorical], data: st.DataObject
) -> None:
    assume(len({parameter.name for parameter in kinds}) == len(kinds))
    space = Space(tuple(kinds))
    assert space.size is not None
    assert space.size == math.prod(parameter.levels for parameter in kinds)
    few = data.draw(st.sets(st.integers(0, space.size - 1), max_size=50))
    assert len({space.key(space.nth(index)) for index in few}) == len(few)


@pytest.mark.parametrize(
    ("minimum", "maximum", "scale"),
    [
        (1e-5, 1.0, Scale.LOG),
        (1, 100, Scale.LOG),
        (1, 99, Scale.LINEAR),
        (0, 1000, Scale.LINEAR),
        (-1, 1000, Scale.LINEAR),
    ],
)
def test_auto_means_log_for_two_powers_of_ten(minimum: float, maximum: float, scale: Scale) -> None:
    assert Scale.AUTO.resolve(minimum, maximum) is scale


@pytest.mark.parametrize("scale", [Scale.AUTO, Scale.LINEAR, Scale.LOG, Scale.REVERSE_LOG])
def test_ends_that_a_scale_cannot_tell_apart_are_still_two(scale: Scale) -> None:
    narrow = Continuous("x", 1e-12, 1e-12 * (1 + 2 * NARROWEST), scale)
    assert narrow.to_unit([narrow.minimum, narrow.maximum]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("minimum", [-1e18, -1.0, 0.0, 1e-12, 1.0, 1e6])
def test_the_narrowest_range_has_numbers_for_any_job(minimum: float) -> None:
    space = Space((Continuous("x", minimum, minimum + max(1.01 * NARROWEST * abs(minimum), 1e-300)),))
    points = list(islice(stream(space, 7), 10_000))
    assert len({point["x"] for point in points}) == 10_000


@pytest.mark.parametrize(
    ("parameter", "text", "place"),
    [
        (Continuous("x", 0.01, 1.0, Scale.LOG), "0.1", 0.5),
        (Continuous("x", 0.01, 1.0, Scale.LOG), "100", 2.0),
        (Continuous("x", 0.0, 0.99, Scale.REVERSE_LOG), "-99", -1.0),
        (Integer("n", 16, 64, step=16), "32.0", 1 / 3),
        (Integer("n", 16, 64, step=16), "0", -1 / 3),
        (Integer("n", 3, 3), "3", 0.0),
        (Categorical("c", ("a", "b")), "b", 1.0),
    ],
)
def test_a_value_of_another_space_has_a_place_outside_of_the_range(
    parameter: Parameter, text: str, place: float
) -> None:
    assert Space((parameter,)).place({parameter.name: text}) == pytest.approx((place,))


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (Continuous("x", 0.01, 1.0, Scale.LOG), "0"),
        (Continuous("x", 0.0, 0.99, Scale.REVERSE_LOG), "1"),
        (Continuous("x", 0.0, 1.0), "nan"),
        (Integer("n", 1, 4), "few"),
        (Integer("n", 3, 3), "4"),
        (Categorical("c", ("a", "b")), "c"),
    ],
)
def test_a_value_that_has_no_place_is_named(parameter: Parameter, text: str) -> None:
    with pytest.raises(ValueError, match=f"parameter {parameter.name}: .*{text}"):
        Space((parameter,)).place({parameter.name: text})


def test_scales_put_the_middle_where_it_belongs() -> None:
    assert Continuous("x", 1e-4, 1.0, Scale.LOG).from_unit(0.5) == pytest.approx(1e-2)
    assert Continuous("x", 0.0, 0.9999, Scale.REVERSE_LOG).from_unit(0.5) == pytest.approx(0.99)
    assert Continuous("x", 0.0, 3.0, Scale.LINEAR).from_unit(0.5) == pytest.approx(1.5)
    assert Integer("x", 1, 10_000).from_unit(0.5) == 100


def test_the_integers_of_a_linear_range_are_equally_likely() -> None:
    space = Space((Integer("x", 3, 6),))
    drawn = [space.decode(row)["x"] for row in space.spread(((np.arange(400) + 0.5) / 400)[:, None])]
    assert [drawn.count(value) for value in range(3, 7)] == [100] * 4


def test_integers_of_any_width_stay_in_range() -> None:
    space = Space((Integer("x", -(2**63), 2**63 - 1),))
    for position in (0.0, 0.3, 1.0):
        point = space.decode(np.array([position]))
        assert space.parse(space.render(point)) == point


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Continuous("lr", 0, 1, Scale.LOG), "parameter lr: scale Log needs a minimum above 0"),
        (lambda: Continuous("lr", 0, 1, Scale.REVERSE_LOG), "parameter lr: scale ReverseLog needs a range"),
        (lambda: Continuous("lr", 2, 1), "parameter lr: the range 2..1 is empty"),
        (lambda: Continuous("lr", 0, math.inf), "parameter lr: the range"),
        (lambda: Continuous("lr", 1e6, 1000000.000000001), "parameter lr: the range .* too few numbers: widen it"),
        (lambda: Continuous("lr", -1000000.000000001, -1e6), "parameter lr: the range .* holds too few numbers"),
        (lambda: Continuous("lr", 0, 5e-324), "parameter lr: the range .* holds too few numbers"),
        (lambda: Integer("n", 0, 1, Scale.REVERSE_LOG), "parameter n: scale ReverseLog is for continuous"),
        (lambda: Categorical("c", ()), "parameter c: the values must be distinct"),
        (lambda: Categorical("c", ("a", "a")), "parameter c: the values must be distinct"),
        (lambda: Space((Integer("n", 0, 1), Integer("n", 0, 1))), "names must be distinct"),
    ],
)
def test_a_wrong_parameter_is_named(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


SPACE = Space((Continuous("lr", 0.1, 0.5), Integer("n", 1, 9), Categorical("c", ("a", "b"))))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"lr": "0.2", "n": "3"}, "parameter c: missing"),
        ({"lr": "0.2", "n": "3", "c": "a", "d": "1"}, "parameter d: not part of the search space"),
        ({"lr": "abc", "n": "3", "c": "a"}, "parameter lr: could not convert"),
        ({"lr": "nan", "n": "3", "c": "a"}, "parameter lr: nan is outside 0.1..0.5"),
        ({"lr": "0.2", "n": "3.0", "c": "a"}, "parameter n: '3.0' is not a whole number"),
        ({"lr": "0.2", "n": "10", "c": "a"}, "parameter n: 10 is outside 1..9"),
        ({"lr": "0.2", "n": "3", "c": "x"}, "parameter c: 'x' is not one of a, b"),
    ],
)
def test_parse_names_the_parameter(texts: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SPACE.parse(texts)


def test_texts_are_short() -> None:
    assert SPACE.render({"lr": 0.25, "n": 3, "c": "a"}) == {"lr": "0.25", "n": "3", "c": "a"}
    assert Space((Continuous("x", 0, 2),)).render({"x": 1.0}) == {"x": "1"}


def test_sizes() -> None:
    assert SPACE.size is None
    assert Space((Integer("n", 1, 9), Categorical("c", ("a", "b")))).size == 18
    assert Space((Continuous("x", 3.0, 3.0),)).size == 1
    assert Space((Continuous("x", 3.0, 3.0),)).nth(0) == {"x": 3.0}
