from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_operator.runtime.kubernetes.depth import cut

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["[", '"{', "\\", '\\"]', "}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)


def shallow(value: Any, depth: int) -> Any:
    """What `cut` is to leave, said with values instead of texts."""
    if not isinstance(value, list | dict):
        return value
    if depth == 0:
        return None
    if isinstance(value, list):
        return [shallow(item, depth - 1) for item in value]
    return {key: shallow(item, depth - 1) for key, item in value.items()}


@given(values, st.integers(1, 4), st.sampled_from([1, 2, 5, 1 << 20]), st.booleans())
def test_what_is_too_deep_is_null_and_the_rest_as_it_was(value: Any, depth: int, part: int, is_ascii: bool) -> None:
    assert json.loads(cut(json.dumps(value, ensure_ascii=is_ascii), depth, part)) == shallow(value, depth)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[[1]" * 1000])
def test_a_text_without_an_end_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(cut(text))
