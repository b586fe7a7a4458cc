"""Statuses are written as patches: the difference alone, which leads from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.simulation.objects import merge_patch
from tuning_operator.runtime.reconciler.patches import difference

if TYPE_CHECKING:
    from tests.unit.runtime.passes import Body


@pytest.mark.parametrize(
    ("recorded", "wanted", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "old": 2}, {"a": 1}, {"old": None}),
        ({"counts": {"x": 1, "y": 2}}, {"counts": {"x": 1, "y": 3}}, {"counts": {"y": 3}}),
        (
            {"best": {"parameters": {"lr": "1"}}},
            {"best": {"parameters": {"n": "2"}}},
            {"best": {"parameters": {"lr": None, "n": "2"}}},
        ),
        ({"list": [1, 2]}, {"list": [2]}, {"list": [2]}),
        ({"best": "text"}, {"best": {"name": "x"}}, {"best": {"name": "x"}}),
    ],
)
def test_only_the_difference_is_written(recorded: Body, wanted: Body, patch: Body) -> None:
    assert difference(recorded, wanted) == patch


texts = st.text(max_size=3)
bodies = st.recursive(
    st.dictionaries(texts, st.integers() | texts | st.lists(st.integers(), max_size=3), max_size=4),
    lambda inner: st.dictionaries(texts, st.integers() | inner, max_size=4),
    max_leaves=10,
)


@given(bodies, bodies)
def test_the_patch_leads_from_one_status_to_the_other(recorded: Body, wanted: Body) -> None:
    assert merge_patch(recorded, difference(recorded, wanted)) == wanted
    assert difference(wanted, wanted) == {}
