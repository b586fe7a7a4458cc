"""Logs that count their epochs again, or state one that is no epoch."""

from __future__ import annotations

import pytest

from tests.unit.trainer.logs import Followed
from tuning_trainer.follow.epochs import QUIET_SECONDS
from tuning_trainer.follow.patterns import NUMBER

REGEX = f"val_loss[=:] ?{NUMBER}"
Points = list[tuple[float, float | None]]


def keras(first: int, last: int, start: float) -> str:
    """What a fit prints: a heading, and the value behind it, which falls by 0.1 an epoch."""
    total = last
    return "".join(
        f"Epoch {epoch}/{total}\n9/9 - loss: 2 - val_loss: {start - epoch / 10:.1f}\n"
        for epoch in range(first, last + 1)
    )


@pytest.mark.parametrize(
    ("log", "points"),
    [
        pytest.param(
            keras(1, 3, 1) + keras(1, 2, 2),
            [(1, 0.9), (2, 0.8), (3, 0.7), (4, 1.9), (5, 1.8)],
            id="a second fit, which is shorter",
        ),
        pytest.param(
            keras(1, 1, 1) + keras(1, 1, 2) + keras(1, 1, 3), [(1, 0.9), (2, 1.9), (3, 2.9)], id="fits of one"
        ),
        pytest.param(
            "".join(f"Fold {fold}: Epoch {e}/2 val_loss=0.{fold}{e}\n" for fold in (1, 2) for e in (0, 1)),
            [(0, 0.10), (1, 0.11), (2, 0.20), (3, 0.21)],
            id="folds, counted from 0",
        ),
        pytest.param(
            "".join(f'{{"epoch": "{e}/2", "val_loss": {v}}}\n' for e, v in [(1, 4), (2, 3), (1, 2), (2, 1)]),
            [(1, 4), (2, 3), (3, 2), (4, 1)],
            id="JSON",
        ),
        pytest.param(
            keras(1, 2, 1) + keras(1, 2, 1).replace("/2", "/9"),
            [(1, 0.9), (2, 0.8), (3, 0.9), (4, 0.8)],
            id="another total",
        ),
        pytest.param(
            "".join(f"Epoch {e}/9 val_loss={v}\n" for e, v in [(1, 4), (2, 3), (1, 2), (2, 1), (3, 0)]),
            [(1, 4), (2, 3), (3, 0)],
            id="begun again before the end: the first values stay",
        ),
        pytest.param(
            "".join(f"Epoch {e} val_loss={v}\n" for e, v in [(1, 4), (2, 3), (1, 2), (2, 1)]),
            [(1, 4), (2, 3)],
            id="no total, so nobody knows: the first values stay",
        ),
        pytest.param(
            "Epoch 1/2 [train]\nEpoch 1/2 val_loss=4\nEpoch 2/2 [train]\nEpoch 2/2 val_loss=3\nepoch 2/2 saved\n",
            [(1, 4), (2, 3)],
            id="the last epoch mentioned again",
        ),
        pytest.param(
            "before: val_loss=9\nEpoch 1 val_loss=4\nEpoch 2 val_loss=3\n",
            [(1, 9), (2, 4), (3, 3)],
            id="a value before",
        ),
        pytest.param(
            "sanity: val_loss=9\nEpoch 0 val_loss=4\nEpoch 1 val_loss=3\n", [(1, 9), (2, 4), (3, 3)], id="… epoch 0"
        ),
        pytest.param("resumed: val_loss=9\nEpoch 5 val_loss=4\n", [(1, 9), (5, 4)], id="… a later epoch"),
        pytest.param(
            "val_loss=9\nval_loss=8\nval_loss=7\nRestored epoch 2 with val_loss=8\n",
            [(1, 9), (2, 8), (3, 7)],
            id="one mention after values without epochs",
        ),
        pytest.param(
            "".join(
                f"Epoch[1] Complete. Time taken: 1\nval_loss={1 / e}\nEpoch[{e}] Complete. Time taken: 2\n"
                for e in (1, 2, 4)
            ),
            [(1, 1), (2, 0.5), (3, 0.25)],
            id="Ignite's evaluator has its own epoch 1",
        ),
    ],
)
def test_a_log_that_counts_again_continues_where_it_was_over(log: str, points: Points) -> None:
    regex = "" if log.startswith("{") else REGEX
    assert Followed(regex=regex).end(log) == points
    live = Followed(regex=regex)
    for line in log.splitlines(keepends=True):
        live.settled(line)
    assert live.end() == points, "read as it came"


def test_a_file_that_is_written_again_is_no_other_stage() -> None:
    followed = Followed(regex=REGEX)
    followed.read("begin\n" + keras(1, 2, 1))
    followed.read("begin\n" + keras(1, 3, 1), restarted=True)
    assert followed.end() == [(1, 0.9), (2, 0.8), (3, 0.7)]


@pytest.mark.parametrize("heading", ["Epoch 1", "Epoch 7/9"])
def test_a_heading_that_is_surely_one_does_not_wait(heading: str) -> None:
    followed = Followed(regex=REGEX)
    followed.settled(f"{heading}\nval_loss=3\n")
    assert [value for _, value in followed.settled("", QUIET_SECONDS)] == [3]


def test_when_a_log_is_read_makes_no_difference() -> None:
    log = "".join(f'{{"epoch": {e}, "val_loss": {v}}}\n' for e, v in [(1, 4), (2, 3), (3, 2), (3, 9)])
    followed, live = Followed(), Followed()
    for line in log.splitlines(keepends=True):
        live.settled(line)
    assert followed.end(log) == live.end() == [(1, 4), (2, 3), (3, 2)], "a last evaluation, after one line an epoch"
    assert followed.summary == live.summary
    assert "epoch 3 had val_loss 2.0 before, and has 9.0 now" in followed.summary["problem"]


@pytest.mark.parametrize("time", ["5.2 min", "0:12:03", "12.5 hrs", "1.5h", "3 hours"])
def test_a_time_is_no_epoch(time: str) -> None:
    assert Followed(regex=REGEX).end(f"epoch: {time} val_loss=3\nepoch: {time} val_loss=2\n") == [(1, 3), (2, 2)]
