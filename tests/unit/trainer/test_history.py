from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tuning_trainer.history import MAX_METRICS, History, epoch_text


def reported(*entries: tuple[int, dict[str, float]]) -> History:
    history = History()
    for epoch, metrics in entries:
        history.add(epoch, metrics)
    return history


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_are_kept_in_order(first: int) -> None:
    history = reported((first, {"a": 0.5}), (first + 1, {"a": 0.25}))
    assert list(history) == [(first, {"a": 0.5}), (first + 1, {"a": 0.25})]


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf, -math.inf])
def test_the_same_value_may_be_reported_again(value: float) -> None:
    history = reported((1, {"a": value}))
    assert history.add(1, {"a": value}) == (1, {})


def test_a_metric_may_follow_later() -> None:
    history = reported((1, {"a": 1}), (2, {"a": 2}))
    assert history.add(1, {"a": 1, "b": 3}) == (1, {"b": 3.0})
    assert list(history) == [(1, {"a": 1.0, "b": 3.0}), (2, {"a": 2.0})]


@pytest.mark.parametrize("value", [3, Fraction(1, 4), np.float32(0.25), np.int64(3), np.array(0.5), np.float16("inf")])
def test_everything_that_is_a_number_is_a_value(value: Any) -> None:
    history = History()
    history.add(np.int64(1), {"a": value})
    assert list(history) == [(1, {"a": float(value)})]


@pytest.mark.parametrize(
    ("epoch", "metrics", "error", "words"),
    [
        (2, {"a": 0.6}, ValueError, "metric 'a' of epoch 2 was reported as 0.5 and is 0.6 now"),
        (2, {"a": math.nan}, ValueError, "was reported as 0.5 and is nan now"),
        (4, {"a": 0.6}, ValueError, "epoch 4 was reported after epoch 2: epochs are consecutive"),
        (-1, {"a": 0.6}, ValueError, "epoch -1 was reported after epoch 2"),
        (3, {}, ValueError, "without a metric"),
        (3.0, {"a": 0.6}, TypeError, "epoch is 3.0: give an integer"),
        (True, {"a": 0.6}, TypeError, "epoch is True"),
        ("3", {"a": 0.6}, TypeError, "epoch is '3'"),
        (3, {"": 0.6}, ValueError, "has 0 characters: 1 to 128"),
        (3, {"a" * 129: 0.6}, ValueError, "has 129 characters: 1 to 128"),
        (3, {"a\nb": 0.6}, ValueError, "cannot be printed"),
        (3, {"a\ud800": 0.6}, ValueError, "cannot be printed"),
        (3, {5: 0.6}, TypeError, "metric name 5 is not a string"),
        (3, {"a": "0.6"}, TypeError, "metric 'a' is '0.6': give a number"),
        (3, {"a": None}, TypeError, "metric 'a' is None: give a number"),
        (3, {"a": [0.1, 0.2]}, TypeError, "metric 'a' is"),
        (3, {f"m{i}": 0 for i in range(MAX_METRICS)}, ValueError, "more than 64 metrics"),
    ],
)
def test_what_cannot_be_reported(epoch: Any, metrics: Any, error: type[Exception], words: str) -> None:
    history = reported((1, {"a": 0.1}), (2, {"a": 0.5}))
    with pytest.raises(error) as caught:
        history.add(epoch, metrics)
    assert words in str(caught.value)
    assert list(history) == [(1, {"a": 0.1}), (2, {"a": 0.5})], "a refused report must leave no trace"


def test_a_curve_does_not_begin_in_the_middle() -> None:
    with pytest.raises(
        ValueError, match=r"the first epoch reported is 6: .* first reports the epochs of its checkpoint"
    ):
        History().add(6, {"a": 1})


def test_a_log_may_say_any_epoch() -> None:
    history = History()
    for epoch in (5, 2.5, 0, 39_999, 1.00000049, 2.0, 0.1 + 0.2):
        history.place(epoch, {"a": epoch})
    epochs = [epoch for epoch, _ in history]
    assert epochs == [0, 0.3, 1, 2, 2.5, 5, 39_999]
    assert [epoch_text(epoch) for epoch in epochs] == ["0", "0.3", "1", "2", "2.5", "5", "39999"]
    assert epoch_text(history.place(0.000001, {"a": 1})[0]) == "0.000001"


@pytest.mark.parametrize("epoch", [-1, -1e-9, 40_000, math.nan, math.inf])
def test_an_epoch_out_of_bounds_is_refused(epoch: float) -> None:
    with pytest.raises(ValueError, match="is out of bounds: 0 to 39999 are kept"):
        History().place(epoch, {"a": 1})


def test_what_a_log_said_first_stays() -> None:
    history = reported((1, {"a": 0.5}))
    assert history.place(1, {"a": 0.6, "b": 1}) == (1, {"b": 1})
    assert history.value(1, "a") == 0.5


def test_a_log_may_have_more_metrics_and_names_than_are_kept() -> None:
    history = History()
    _, new = history.place(
        1, {"objective": 1, "": 2, "x" * 129: 3, "a\nb": 4} | {f"m{i}": i for i in range(MAX_METRICS)}
    )
    assert len(new) == MAX_METRICS
    assert "objective" in new
    assert new.keys().isdisjoint({"", "x" * 129, "a\nb"})
