from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuning_operator.api.termination import MAX_EPOCH, MAX_METRICS, parse_history
from tuning_operator.core.model.attempt import Log

METRIC = "validation:accuracy"


def message(**fields: Any) -> str:
    whole = {"epochs": [1, 2, 3], "metrics": {METRIC: [0.1, 0.2, 0.3], "loss": [3, 2, 1]}, "completed": 3}
    return json.dumps({name: value for name, value in (whole | fields).items() if value is not ...})


def test_a_whole_history() -> None:
    found = parse_history(message(thinned=False, version=2), METRIC)
    assert found is not None
    assert [tuple(item) for item in found.curve] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert found.complete
    assert sorted(found.metrics) == ["loss", METRIC]


@pytest.mark.parametrize(
    ("fields", "complete"),
    [({}, True), ({"thinned": True}, False), ({"completed": 4}, False), ({"completed": 4, "thinned": True}, False)],
)
def test_a_history_is_complete_only_with_every_epoch(fields: dict[str, Any], complete: bool) -> None:
    found = parse_history(message(**fields), METRIC)
    assert found is not None
    assert found.complete is complete


def test_values_that_json_has_no_numbers_for() -> None:
    found = parse_history(message(metrics={METRIC: ["NaN", "Infinity", "-Infinity"]}), METRIC)
    assert found is not None
    values = [value for _, value in found.curve]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def test_an_epoch_without_this_metric_is_absent() -> None:
    found = parse_history(message(metrics={METRIC: [None, 0.2, None]}), METRIC)
    assert found is not None
    assert [tuple(item) for item in found.curve] == [(2, 0.2)]


def test_another_metric_is_a_history_without_the_objective() -> None:
    found = parse_history(message(metrics={"validation:acc": [1, 2, 3]}), METRIC)
    assert found is not None
    assert (len(found.curve), list(found.metrics)) == (0, ["validation:acc"])


def test_few_and_harmless_names_of_metrics_are_passed_on() -> None:
    metrics: dict[str, list[float]] = {f"\x1b{number:04d}" + "n" * 500: [1, 2, 3] for number in range(50)}
    found = parse_history(message(metrics=metrics), METRIC)
    assert found is not None
    assert len(found.metrics) == MAX_METRICS
    assert all(name.isprintable() and len(name) == 128 for name in found.metrics)


def test_epochs_may_be_fractions_and_whole_ones_are_integers() -> None:
    found = parse_history(message(epochs=[0.5, 1.0, 2]), METRIC)
    assert found is not None
    epochs = [epoch for epoch, _ in found.curve]
    assert epochs == [0.5, 1, 2]
    assert [type(epoch) for epoch in epochs[1:]] == [int, int]


def test_last_words_and_what_became_of_a_log_are_read_beside_the_history() -> None:
    log = {"lines": 7, "used": 2, "refused": 1, "problem": "1 line\x1b of 7", "sample": "x" * 999, "more": 1}
    found = parse_history(message(error="ValueError: no data", log=log), METRIC)
    assert found is not None
    assert (len(found.curve), found.complete, found.error) == (3, True, "ValueError: no data")
    assert found.log == Log(7, 2, 1, "1 line\N{REPLACEMENT CHARACTER} of 7", "x" * 200)


@pytest.mark.parametrize("more", [{"error": 7}, {"error": None}, {"log": "7 lines"}, {"log": {"lines": -1, "used": 0}}])
def test_what_is_said_beside_the_history_does_not_cost_it(more: dict[str, Any]) -> None:
    found = parse_history(message(**more), METRIC)
    assert found is not None
    assert (len(found.curve), found.error, found.log) == (3, "", None)


LONG = json.dumps(
    {
        "epochs": list(range(1, 101)),
        "metrics": {METRIC: [epoch / 128 for epoch in range(1, 101)], "loss": ["NaN", None] * 50},
        "completed": 100,
        "thinned": False,
        "error": "it broke",
    }
)


@given(st.integers(0, len(LONG) - 1))
@example(LONG.index("metrics") + 40)
@example(len(LONG) - 1)
def test_of_a_message_that_was_cut_what_is_left_is_used_and_known_not_to_be_all(length: int) -> None:
    """A Pod keeps 12 KiB of messages, divided among its containers, of which others may have added some."""
    found = parse_history(LONG[:length], METRIC)
    known = {} if found is None else dict(found.curve)
    assert all(value == epoch / 128 for epoch, value in known.items()), "a number without its last digits is another"
    assert found is None or not found.complete
    if (start := LONG.index("[", LONG.index(METRIC))) < length:
        values = LONG[start:length].partition("]")[0].count(",")
        assert len(known) >= values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):",
        "null",
        "[]",
        "{}",
        "{" * 4096,
        "[" * 4096,
        message(epochs=[1, 2]),
        message(epochs=["1", "2", "3"]),
        message(epochs=[True, 2, 3]),
        message(epochs=[math.nan, 2, 3]),
        message(epochs=[math.inf, 2, 3]),
        message(epochs=[1e9, 2, 3]),
        message(epochs=[-1, 2, 3]),
        message(epochs=[1, 2, MAX_EPOCH + 1]),
        message(epochs=[1, 2, 10**400]),
        message(metrics={METRIC: [0.1, 0.2, "high"]}),
        message(metrics={METRIC: [0.1, 0.2, True]}),
        message(metrics={METRIC: 0.5}),
        message(metrics=[]),
        message(completed="3"),
        message(completed=...),
        message(thinned="no"),
        message(metrics={METRIC: [0.1, 0.2, 0.3]}) + "x",
        "\ud800",
    ],
)
def test_what_does_not_follow_the_contract_is_no_history(text: str) -> None:
    assert parse_history(text, METRIC) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
numbers = st.integers() | st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity", "1", None])
nearly = st.fixed_dictionaries(
    {
        "epochs": st.lists(st.integers(-2, MAX_EPOCH + 2) | st.integers(), max_size=8) | json_values,
        "metrics": st.dictionaries(st.sampled_from([METRIC, "loss"]), st.lists(numbers, max_size=8)) | json_values,
        "completed": st.integers() | json_values,
    },
    optional={"thinned": st.booleans() | json_values},
).map(json.dumps)


@given(st.text() | json_values.map(json.dumps) | nearly)
@example(message(metrics={METRIC: [10**400, 1, 2]}))
@example(message(epochs=[3, 3, 3]))
def test_no_message_harms(text: str) -> None:
    """Whatever a trainer leaves, the answer is bounded and made of numbers."""
    found = parse_history(text, METRIC)
    if found is not None:
        assert len(found.curve) <= 4096
        assert all(0 <= epoch <= MAX_EPOCH and isinstance(value, float) for epoch, value in found.curve)
