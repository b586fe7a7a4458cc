"""Of several values that a pattern finds, the metric's own counts: not the best one, not that of other data."""

from __future__ import annotations

import pytest

from tests.unit.trainer.logs import Followed
from tuning_trainer.follow.epochs import QUIET_SECONDS
from tuning_trainer.follow.patterns import NUMBER

LOSS = f"val_loss[=:] ?{NUMBER}"
SLOPPY = r"val_loss\W+([0-9.]+)"
PADDLE = "".join(
    f"ppocr INFO: epoch: [{epoch}/2], global_step: 10, loss: 2.3\n"
    f"ppocr INFO: cur metric, precision: 0.5, recall: {recall}, hmean: {recall}, fps: 30.1\n"
    "ppocr INFO: best metric, hmean: 0.6, is_float16: False, precision: 0.5, recall: 0.6, fps: 30.1, best_epoch: 1\n"
    for epoch, recall in [(1, 0.6), (2, 0.4)]
)


@pytest.mark.parametrize(
    "mention",
    [
        "Best epoch: 2, val_loss=0.3",
        "Best model at epoch 2 with val_loss=0.3",
        "best checkpoint: epoch=2 val_loss=0.3",
        "Best step 200: val_loss=0.3",
        "Best trial (step 200): val_loss=0.3",
        "Best result so far: val_loss=0.3",
        "Loaded best model (epoch 2), val_loss=0.3",
        "best metric, acc: 0.9, val_loss: 0.3",
        "Early stopping, best iteration is:\n[2]\tval_loss: 0.3",
        "Did not meet early stopping. Best iteration is:\n[2]\tval_loss: 0.3",
        "Stopping. Best iteration:\n[2]\tval_loss:0.3",
        "=== Best results ===\nval_loss=0.3",
    ],
)
@pytest.mark.parametrize("heading", ["", "Epoch {}/3\n"])
def test_a_best_value_at_the_end_is_not_the_last(mention: str, heading: str) -> None:
    log = "".join(f"{heading.format(n)}[{n}]\tval_loss={v}\n" for n, v in [(1, 0.5), (2, 0.3), (3, 0.4)])
    assert Followed(regex=LOSS).end(f"{log}{mention}\n") == [(1, 0.5), (2, 0.3), (3, 0.4)]


@pytest.mark.parametrize("heading", ["Epoch {}/3 ", "Epoch {}/3\n"])
@pytest.mark.parametrize(
    "mention",
    [
        "Best val_loss=0.3 at epoch 2\n",
        "(best val_loss=0.5 at epoch 1)\n",
        "Best epoch: 1, val_loss=0.5\n",
        "Loaded model.pt (epoch 1)\nval_loss=0.5\n",
        "The best model was saved at epoch 2\nval_loss=0.3\n",
    ],
)
def test_an_epoch_that_is_mentioned_after_the_last_one_begins_no_other_fit(heading: str, mention: str) -> None:
    log = "".join(f"{heading.format(n)}val_loss={v}\n" for n, v in [(1, 0.5), (2, 0.3), (3, 0.4)]) + mention
    live = Followed(regex=LOSS)
    for line in log.splitlines(keepends=True):
        live.settled(line, QUIET_SECONDS)
    assert Followed(regex=LOSS).end(log) == live.end() == [(1, 0.5), (2, 0.3), (3, 0.4)]
    second = "".join(f"{heading.format(n)}val_loss={v}\n" for n, v in [(1, 0.7), (2, 0.6), (3, 0.8)])
    both = Followed(regex=LOSS).end(log + second)
    assert both == [(1, 0.5), (2, 0.3), (3, 0.4), (4, 0.7), (5, 0.6), (6, 0.8)], "a second fit is one all the same"


@pytest.mark.parametrize("heading", ["", "Epoch {}/3 ", "Epoch {}/3\n"])
@pytest.mark.parametrize("first", ["best_val_loss = inf\n", "Best val_loss: 9\nstarting\n"])
def test_a_best_value_before_the_first_one_is_none(heading: str, first: str) -> None:
    log = first + "".join(f"{heading.format(n)}val_loss={v}\n" for n, v in [(1, 0.5), (2, 0.3), (3, 0.4)])
    followed, live = Followed(regex=SLOPPY), Followed(regex=SLOPPY)
    for line in log.splitlines(keepends=True):
        live.settled(line, QUIET_SECONDS)
    assert followed.end(log) == live.end() == [(1, 0.5), (2, 0.3), (3, 0.4)]
    assert followed.summary["refused"] == live.summary["refused"] == 1


def test_of_other_data_the_first_value_is_none_either() -> None:
    log = "".join(f"train loss: 0.9\nval loss: 0.{n}\n" for n in (1, 2, 3))
    assert Followed("val_loss", f"loss: {NUMBER}").end(log) == [(1, 0.1), (2, 0.2), (3, 0.3)]


@pytest.mark.parametrize("name", ["best val_loss", "ema_val_loss"])
def test_where_no_value_is_the_metrics_own_the_first_one_counts_when_the_second_comes(name: str) -> None:
    followed = Followed(regex=LOSS)
    assert followed.settled(f"{name}=0.5\n") == []
    assert followed.settled(f"{name}=0.3\n") == [(1, 0.5), (2, 0.3)]


@pytest.mark.parametrize(
    "mark",
    [
        "New best! ",
        "[best] ",
        "(best) ",
        "Found new best at step 2, ",
        "best 0.31, now ",
        "New best model:\n",
        "Saved the best model\n",
        "saved to run/best.pt, ",
    ],
)
def test_an_announcement_of_the_newest_value_is_not_a_best_one_of_before(mark: str) -> None:
    log = f"val_loss=0.5\n{mark}val_loss=0.3\nval_loss=0.4\n"
    assert Followed(regex=LOSS).end(log) == [(1, 0.5), (2, 0.3), (3, 0.4)]


@pytest.mark.parametrize(("metric", "last"), [("hmean", 0.4), ("recall", 0.4), ("precision", 0.5)])
def test_what_follows_the_word_best_on_a_line_is_best(metric: str, last: float) -> None:
    points = Followed(metric, f"{metric}: {NUMBER}").end(PADDLE)
    assert [epoch for epoch, _ in points] == [1, 2]
    assert points[-1][1] == last


@pytest.mark.parametrize("metric", ["val_loss", "validation:loss", "eval/loss", "dev_loss"])
@pytest.mark.parametrize(
    "line",
    [
        "Epoch {0} | val loss: 0.{0} | train loss: 0.9",
        "Epoch {0} validation loss: 0.{0} training loss: 0.9 test loss: 0.8",
        "Epoch {0}\n[eval] acc 1 loss: 0.{0}\n[train] acc 1 loss: 0.9",
        "Epoch {0} dev_loss: 0.{0} train_loss: 0.9",
    ],
)
def test_the_data_that_a_metric_is_named_after_is_looked_for_before_its_value(metric: str, line: str) -> None:
    log = "".join(f"{line.format(epoch)}\n" for epoch in (1, 2, 3))
    assert Followed(metric, f"loss: {NUMBER}").end(log) == [(1, 0.1), (2, 0.2), (3, 0.3)]


@pytest.mark.parametrize("metric", ["val_loss", "loss"])
@pytest.mark.parametrize("other", ["ema_{}", "raw-{}", "/runs/epoch=1-{}", "avg/{}"])
def test_a_metric_that_is_the_end_of_another_name_is_another(metric: str, other: str) -> None:
    log = "".join(f"epoch {n} {metric}=0.{n} {other.format(metric)}=0.9\n" for n in (1, 2))
    assert Followed(metric, f"{metric}={NUMBER}").end(log) == [(1, 0.1), (2, 0.2)]


@pytest.mark.parametrize("other", ["eval_loss", "validation/loss", "dev-loss"])
def test_the_same_data_may_have_another_word(other: str) -> None:
    log = "".join(f"epoch {n} {other}=0.{n} train_loss=0.9\n" for n in (1, 2))
    assert Followed("val_loss", f"loss={NUMBER}").end(log) == [(1, 0.1), (2, 0.2)]


@pytest.mark.parametrize("name", ["val_loss", "train_loss"])
def test_where_all_values_have_another_name_a_best_one_is_still_not_the_last(name: str) -> None:
    log = "".join(f"epoch: {n} {name}=0.{n}\n" for n in (3, 2, 1))
    for last in (f"Best {name}=0.9\n", "Test loss=0.9\n"):
        assert Followed("loss", f"loss={NUMBER}").end(log + last) == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_the_name_of_a_file_names_no_data() -> None:
    log = "".join(f"INFO train.py:{n}] loss=0.{n} avg_loss=0.9\n" for n in (1, 2))
    assert Followed("val_loss", f"loss={NUMBER}").end(log) == [(1, 0.1), (2, 0.2)]


def test_an_epoch_that_other_data_states_is_that_of_the_value_behind_it() -> None:
    log = "".join(
        "".join(f"Train Epoch: {epoch} [{batch}/60 (0%)]\tLoss: 2.{batch}\n" for batch in (0, 1))
        + f"\nTest set: Average loss: 0.{epoch}, Accuracy: 9/10 (90%)\n\n"
        for epoch in (3, 4, 5)
    )
    assert Followed("test:loss", f"(?i)loss: {NUMBER}").end(log) == [(3, 0.3), (4, 0.4), (5, 0.5)]


def test_where_no_value_is_of_that_data_others_count() -> None:
    assert Followed("val_loss", f"loss: {NUMBER}").end("train loss: 0.5\ntrain loss: 0.4\n") == [(1, 0.5), (2, 0.4)]
