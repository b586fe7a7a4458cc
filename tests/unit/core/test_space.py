from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space
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


@st.composite
def discrete(draw: st.DrawFn) -> Discrete:
    scale = draw(st.sampled_from(Scale))
    bounds = {
        Scale.LOG: st.floats(1e-12, 1e12),
        Scale.REVERSE_LOG: st.floats(0, 1, exclude_max=True, allow_subnormal=False),
    }.get(scale, st.floats(-1e12, 1e12, allow_subnormal=False) | st.integers(-9, 9))
    return Discrete(draw(names), tuple(sorted(draw(st.lists(bounds, min_size=1, max_size=20, unique=True)))), scale)


stepped = st.builds(
    lambda name, low, steps, step: Discrete.stepped(name, low * step, (low + steps) * step, step),
    names,
    st.integers(-50, 50),
    st.integers(1, 900),
    st.floats(1e-6, 1e6),
)
parameters = st.one_of(continuous(), integers(), discrete(), stepped, categorical)
unit = st.floats(0, 1)


@given(parameters, st.lists(unit, min_size=1, max_size=20))
def test_every_position_decodes_to_a_value_that_parses_back(parameter: Parameter, positions: list[float]) -> None:
    space = Space((parameter,))
    rows = space.spread(np.array(positions)[:, None])
    for row in rows:
        point = space.decode(row)
        assert space.parse(space.render(point)) == point


@given(st.one_of(integers(), discrete(), stepped), st.data())
def test_encode_and_decode_are_inverse_on_the_lattice(parameter: Integer | Discrete, data: st.DataObject) -> None:
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


def test_steps_are_decimals_and_end_where_they_reach() -> None:
    assert Discrete.stepped("x", 0.1, 0.5, 0.1).values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert Discrete.stepped("x", 0, 1, 0.3).values == (0, 0.3, 0.6, 0.9)
    assert Space((Discrete.stepped("x", 0.1, 0.5, 0.1),)).render({"x": 0.3}) == {"x": "0.3"}
    assert Discrete.stepped("x", 0, 1, 0.001).levels == 1001
    for step in (0.0009, 0, -1):
        with pytest.raises(ValueError, match=r"parameter x: step .* at most 1000 steps"):
            Discrete.stepped("x", 0, 1, step)


def test_numbers_lie_on_their_scale_and_have_an_order() -> None:
    rates = Discrete("lr", (0.001, 0.01, 1.0), Scale.LOG)
    assert rates.to_unit([0.001, 0.01, 1.0]).tolist() == pytest.approx([0, 1 / 3, 1])
    assert Discrete("lr", (0.001, 0.01, 1.0)).to_unit([0.01]).tolist() == pytest.approx([1 / 3]), "Auto is Log here"
    assert Discrete("n", (1, 2, 4)).to_unit([2]).tolist() == pytest.approx([1 / 3])
    assert rates.snap(np.array([0.1, 0.2, 0.9, 7.0])).tolist() == pytest.approx([0, 1 / 3, 1, 1])
    assert rates.near(0.0).tolist() == pytest.approx([1 / 3, 1])
    assert Integer("n", 0, 9, step=3).near(1 / 3).tolist() == pytest.approx([0, 2 / 3, 1])
    assert rates.place("0.1") == pytest.approx(2 / 3)
    assert rates.place("10") == pytest.approx(4 / 3)


def test_at_the_start_each_number_is_as_likely_as_another() -> None:
    lopsided = Discrete("n", (1, 2, 3, 1000))
    uniform = (np.arange(400) + 0.5) / 400
    found = [lopsided.from_unit(unit) for unit in lopsided.spread(uniform)]
    assert {value: found.count(value) for value in lopsided.values} == {1: 100, 2: 100, 3: 100, 1000: 100}


def test_numbers_that_a_scale_cannot_tell_apart_lie_evenly() -> None:
    close = Discrete("x", (1.0, 1.0 + 1e-15, 1e18))
    assert close.to_unit(close.values).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("values", "scale", "words"),
    [
        ((), Scale.AUTO, "at least one"),
        ((1, 1), Scale.AUTO, "ascending order"),
        ((2, 1), Scale.AUTO, "ascending order"),
        ((0, 1), Scale.LOG, "above 0"),
        ((0.5, 1), Scale.REVERSE_LOG, "within"),
        ((0, math.inf), Scale.AUTO, "not finite"),
        ((0, math.nan), Scale.AUTO, "not finite"),
    ],
)
def test_numbers_without_an_order_or_a_place_are_refused(values: tuple[float, ...], scale: Scale, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Discrete("x", values, scale)


def test_what_is_none_of_the_numbers_is_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match=r"0.2 is not one of 0.1, 0.3, 1$"):
        Discrete("x", (0.1, 0.3, 1.0)).parse("0.2")
    assert Discrete("n", (16, 24)).parse("24.0") == 24
    assert repr(Discrete("n", (16, 24)).parse("24.0")) == "24", "a whole number for the training"
