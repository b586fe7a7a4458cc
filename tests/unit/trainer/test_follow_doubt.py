"""A setting that is called epoch is none, and a log that is printed twice has its epochs once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.logs import Followed, assert_points
from tuning_trainer.follow.epochs import QUIET_SECONDS
from tuning_trainer.follow.patterns import NUMBER

Points = list[tuple[float, float | None]]

REGEX = f"val_loss[=:] ?{NUMBER}"
COUNTED = "val_loss=3\nval_loss=2\nval_loss=1\n"
STATED = "Epoch 1/3 val_loss=3\nEpoch 2/3 val_loss=2\nEpoch 3/3 val_loss=1\n"
JSON = "".join(f'{{"val_loss": {value}}}\n' for value in (3, 2, 1))
JSON_STATED = "".join(f'{{"epoch": {epoch}, "val_loss": {4 - epoch}}}\n' for epoch in (1, 2, 3))
SETTINGS = [
    "epoch: 100\n",
    "epochs: 100\n",
    "max_epoch=50\n",
    "num_train_epochs: 3\n",
    "lr: 0.1\nepoch: 100\nseed: 3\n",
    '{\n  "epoch": 100,\n  "lr": 0.1\n}\n',
    "{'epoch': 100, 'lr': 0.1}\n",
    "Namespace(epoch=100, lr=0.1)\n",
    "TrainConfig(epoch=100, lr=0.1)\n",
    "config: epoch=100 lr=0.1\n",
    "epoch           100\nlr              0.1\n",
    "[rank0] epoch: 100\n[rank1] epoch: 100\n",
    "start_epoch: 0, epoch: 100, val_loss: mse\n",
]


@pytest.mark.parametrize("log", [COUNTED, STATED], ids=["counted", "stated"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_before_the_training_is_no_epoch(setting: str, log: str) -> None:
    expected: Points = [(1, 3), (2, 2), (3, 1)]
    assert Followed(regex=REGEX).end(setting + log) == expected
    live = Followed(regex=REGEX)
    for line in (setting + log).splitlines(keepends=True):
        live.settled(line, QUIET_SECONDS)
    assert live.end() == expected


@pytest.mark.parametrize("log", [JSON, JSON_STATED], ids=["counted", "stated"])
@pytest.mark.parametrize("setting", ['{"epoch": 100, "lr": 0.1}\n', "{'epoch': 100}\n", '{"args": {"epoch": 9}}\n'])
def test_neither_is_one_in_json(setting: str, log: str) -> None:
    followed = Followed()
    assert followed.end(setting + log) == [(1, 3), (2, 2), (3, 1)]
    assert 100 not in dict(followed.history)


@pytest.mark.parametrize(
    "mention",
    [
        "=> loaded checkpoint 'model.pth' (epoch 90)",
        "Loaded checkpoint at epoch 2",
        "LR will be decayed at epoch 30, by 0.1",
        "The backbone is frozen before epoch: 30",
        "stops after epoch 100",
    ],
)
@pytest.mark.parametrize("log", [COUNTED, STATED, COUNTED * 40], ids=["counted", "stated", "counted for long"])
def test_an_epoch_that_a_sentence_mentions_is_none(mention: str, log: str) -> None:
    expected = Followed(regex=REGEX).end(log)
    followed, live = Followed(regex=REGEX), Followed(regex=REGEX)
    assert followed.end(f"{mention}\n{log}") == expected
    for line in f"{mention}\n{log}".splitlines(keepends=True):
        live.settled(line)
    assert live.points[:2] == expected[:2], "before the end"
    assert live.end() == expected


def test_epochs_of_sentences_are_believed_where_each_has_its_own() -> None:
    log = "".join(f"After epoch {epoch}:\nval_loss={9 - epoch}\n" for epoch in (5, 6, 8))
    assert Followed(regex=REGEX).end(log) == [(5, 4), (6, 3), (8, 1)]


def test_values_that_were_taken_from_a_setting_are_reported() -> None:
    followed = Followed(regex=REGEX)
    followed.end(f"epoch: 100\n{COUNTED}")
    assert "epoch 100 is stated only before the training: it is taken for a setting" in followed.summary["problem"]
    silent = Followed(regex=REGEX)
    silent.end(f"epoch: 100\n{STATED}")
    assert silent.summary["refused"] == 0, "it had no value"


@pytest.mark.parametrize(
    ("log", "points"),
    [
        pytest.param("epoch: 7\nval_loss=3\nval_loss=2\nepoch: 8\nval_loss=1\n", [(7, 2), (8, 1)], id="a later one"),
        pytest.param("epoch: 5\nval_loss=3\nepoch: 10\nval_loss=1\n", [(5, 3), (10, 1)], id="a stride"),
        pytest.param("epoch: 7\nval_loss=3\n", [(7, 3)], id="the only value"),
        pytest.param("epoch: 7\nval_loss=3\nepoch: 7\nval_loss=2\n", [(7, 2)], id="stated before each value"),
        pytest.param("epoch: 7\nval_loss=3\nepoch: 7 val_loss=2\n", [(7, 2)], id="stated beside a value"),
        pytest.param("epoch: 7\nval_loss=3\nepoch: 7/9\nval_loss=2\n", [(7, 2)], id="stated with a total"),
        pytest.param("epoch: 2\n" + COUNTED, [(2, 1)], id="more values than epochs"),
        pytest.param("Epoch 7\n" + COUNTED, [(7, 1)], id="a heading"),
        pytest.param("Epoch: [7]\n" + COUNTED, [(7, 1)], id="a heading with brackets"),
        pytest.param("epoch: 7\nval_loss=3\nBest val_loss=1\n", [(7, 3)], id="a best value"),
        pytest.param("epoch: 7\n\rval_loss=3\rval_loss=2\n", [(7, 2)], id="a line that is rewritten"),
    ],
)
def test_an_epoch_that_looks_like_a_setting_is_one(log: str, points: Points) -> None:
    assert Followed(regex=REGEX).end(log) == points
    live = Followed(regex=REGEX)
    for line in log.splitlines(keepends=True):
        live.settled(line)
    assert live.end() == points, "read as it came"


@pytest.mark.parametrize("heading", ["Epoch 7", "epoch: 1"])
def test_of_several_values_of_the_only_epoch_the_log_is_told(heading: str) -> None:
    followed = Followed(regex=REGEX)
    assert followed.end(f"{heading}\n{COUNTED}") == [(float(heading[-1]), 1)]
    assert "of 3 values the last one counts: epoch" in followed.summary["problem"]


@pytest.mark.parametrize("line", ["val_loss=1\n", "\rval_loss=1 (epoch: 50)", "\rval_loss=1", "lr: 0.1\nepoch: 50\n"])
def test_what_is_held_has_a_bound(line: str) -> None:
    followed = Followed(regex=REGEX)
    followed.read("epoch: 50\n" + line * 500)
    assert len(followed.follower._doubt._held) <= 2


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(COUNTED, id="counted"),
        pytest.param(STATED, id="stated"),
        pytest.param(STATED.replace(" val", "\nval"), id="headings"),
        pytest.param(STATED + STATED.replace("=", "=4"), id="two fits"),
        pytest.param("val_loss=3\nval_loss=nan\nval_loss=1\n", id="NaN"),
    ],
)
@pytest.mark.parametrize("times", [2, 3])
def test_a_log_that_is_printed_again_at_its_end_has_no_more_epochs(log: str, times: int) -> None:
    once, again, live = Followed(regex=REGEX), Followed(regex=REGEX), Followed(regex=REGEX)
    for line in (log * times).splitlines(keepends=True):
        live.settled(line)
    points = once.end(log)
    assert_points(again.end(log * times), points)
    assert_points(live.end(), points)
    assert f"{(times - 1) * len(points)} values are all of the log once more" in again.summary["problem"]


@pytest.mark.parametrize(
    ("log", "epochs"),
    [
        pytest.param(COUNTED + "val_loss=3\nval_loss=2\n", 5, id="a part of it: values of their own"),
        pytest.param(COUNTED + COUNTED + "val_loss=0\n", 7, id="more follows"),
        pytest.param("val_loss=0.5\n" * 8, 8, id="a training that does not move"),
        pytest.param("val_loss=0\nval_loss=1\n" * 4, 8, id="one that swings"),
        pytest.param(STATED + STATED.replace("=1", "=0"), 6, id="a second fit that differs at its end"),
        pytest.param("".join(f"Epoch {e} val_loss={v}\n" for e, v in enumerate([3, 2, 1] * 2, 1)), 6, id="stated so"),
    ],
)
def test_what_only_looks_like_the_beginning_is_kept(log: str, epochs: int) -> None:
    followed = Followed(regex=REGEX)
    assert len(followed.end(log)) == epochs
    assert followed.summary["refused"] == 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_no_repetition_changes_the_last_or_the_best_value(values: list[int], reads: list[bool]) -> None:
    followed = Followed(regex=REGEX)
    for value, is_read in zip(values, reads, strict=False):
        followed.read(f"val_loss={value}\n")
        if is_read:
            followed.settled()
    found = [value for _, value in followed.end()]
    assert found[-1] == values[-1]
    assert min(value for value in found if value is not None) == min(values)
    assert found == values[: len(found)]
    assert all(one < other for one, other in pairwise(epoch for epoch, _ in followed.points))
