"""Patterns that say less than the number, or more than its name: the value is the whole number that the log has."""

from __future__ import annotations

import math

import pytest

from tests.unit.trainer.logs import Followed, assert_points

WILD = [
    r"val_loss\D+([0-9.]+)",
    r"val_loss\W+([0-9.]+)",
    r"val_loss.*?([0-9.]+)",
    r"val_loss.{1,3}?([0-9.]+)",
    r"val_loss[^0-9]*([0-9.]+)",
    r"val_loss[^\d.]*?\s*([0-9.]+)",
    r"val_loss[\s:=-]+([0-9.]+)",
]
GREEDY = [r"val_loss.*([0-9.]+)", r"val_loss.*(\d+\.\d+)", r"val_loss.+([0-9]\.[0-9]+)"]
SAYS_LITTLE = [r"^\d+\s+\S+\s+([0-9.]+)", r"\s([0-9.]+)$", r"^\S+\s.*\s([0-9.]+)"]
BEHIND = [r"([0-9.]+)\s+= Validation score", r"(\d+\.\d+)\s+= Validation", r"(?P<v>[0-9.]+) += Val"]


@pytest.mark.parametrize("regex", WILD + GREEDY)
def test_a_group_that_begins_within_a_number_has_all_of_it(regex: str) -> None:
    followed = Followed(regex=regex)
    log = "val_loss: -0.5\nval_loss: 12.5\nval_loss: 1.5e-05\nval_loss: nan\nval_loss: -inf\n"
    assert_points(followed.end(log), [(1, -0.5), (2, 12.5), (3, 1.5e-5), (4, math.nan), (5, -math.inf)])
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize("regex", WILD)
@pytest.mark.parametrize(("word", "value"), [("nan", math.nan), ("NaN", math.nan), ("-inf", -math.inf)])
def test_a_wildcard_does_not_take_the_value_of_the_next_metric(regex: str, word: str, value: float) -> None:
    log = f"Epoch 1 - val_loss: 0.5 - val_acc: 0.9\nEpoch 2 - val_loss: {word} - val_acc: 0.1\n"
    assert_points(Followed(regex=regex).end(log), [(1, 0.5), (2, value)])


@pytest.mark.parametrize("regex", [r"val_loss\D+([0-9.]+)", r"val_loss.*?([0-9.]+)"])
def test_a_value_that_is_missing_is_reported_and_not_that_of_the_next_metric(regex: str) -> None:
    followed = Followed(regex=regex)
    assert followed.end("Epoch 1 val_loss: 0.5, acc: 0.9\nEpoch 2 val_loss: n/a, acc: 0.1\n") == [(1, 0.5)]
    assert "1 line of 2 could not be used: val_loss is 'n/a, acc: 0.1', not a number" in followed.summary["problem"]


@pytest.mark.parametrize("regex", SAYS_LITTLE)
def test_nan_in_a_column_of_a_table_is_the_value(regex: str) -> None:
    log = "0   0.9   0.5\n1   0.9   nan\n2   nan   NaN\n3   nan   -inf\n4   nan   0.4\n"
    points: list[tuple[float, float | None]] = [(1, 0.5), (2, math.nan), (3, math.nan), (4, -math.inf), (5, 0.4)]
    assert_points(Followed(regex=regex).end(log), points)


@pytest.mark.parametrize("regex", BEHIND)
def test_a_value_before_its_name_may_be_any_number(regex: str) -> None:
    followed = Followed(regex=regex)
    log = "".join(f"\t{value}\t = Validation score   (f1)\n" for value in ("0.77", "-0.88", "1.5e-05", "nan", "-inf"))
    if regex.startswith("(?P"):
        log = log.replace("\t =", " =")
    points: list[tuple[float, float | None]] = [(1, 0.77), (2, -0.88), (3, 1.5e-5), (4, math.nan), (5, -math.inf)]
    assert_points(followed.end(log), points)
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    ("regex", "line", "value"),
    [
        (r"loss: -([0-9.]+)", "loss: -0.5", 0.5),
        (r"acc=0\.([0-9]+)", "acc=0.95", 95),
        (r"weights\.\d+-([0-9.]+)\.h5", "weights.03-0.51.h5", 0.51),
        (r"range \S+-([0-9.]+)", "range 0.3-0.5", 0.5),
        (r"took \D*([0-9.]+)", "took (mean)-0.5", 0.5),
        (r"loss.*?([0-9.]+)", "loss is finite, not infinite or banana: 0.5", 0.5),
        (r"Epoch.*val_loss: ([0-9.]+)", "Epoch 1 loss: nan val_loss: 0.5", 0.5),
        (r"^epoch \d+,[^,]+,([0-9.]+)", "epoch 1,nan,0.5", 0.5),
        (r"^epoch.*,([0-9.]+)$", "epoch 1,nan,0.5", 0.5),
        (r"all\s+\S+\s+([0-9.]+)", "all nan 0.5", 0.5),
    ],
)
def test_what_a_pattern_names_or_what_is_another_column_is_left_alone(regex: str, line: str, value: float) -> None:
    followed = Followed("m", regex)
    assert [found for _, found in followed.end(f"{line}\n")] == [value]
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    "power", ["1.5 x 10^-3", "1.5\xd710^-3", "1.5 \xd7 10\u207b\xb3", "1.5*10**-3", "1.5\xb710^-3"]
)
def test_a_power_of_ten_is_reported_and_not_cut(power: str) -> None:
    followed = Followed(regex=r"val_loss: ([0-9.]+)")
    assert followed.end(f"val_loss: {power}\n") == []
    assert "not a number" in followed.summary["problem"]
