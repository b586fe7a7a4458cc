"""Which value of a log belongs to which epoch: kinds of logs, each as some framework writes it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.trainer.logs import PLAIN, Followed, assert_points, bar
from tuning_trainer.follow.epochs import QUIET_SECONDS
from tuning_trainer.follow.patterns import NUMBER
from tuning_trainer.history import MAX_EPOCH

STATED = f"val_loss={PLAIN}"
KERAS = "".join(
    f"Epoch {epoch}/3\n"
    + "".join("\b" * 40 + f"\r{batch}/3 [===] - loss: {3 - epoch / 2 - batch / 10:.4f}" for batch in (1, 2, 3))
    + f" - val_loss: {2 - epoch / 2:.4f}\n"
    for epoch in (1, 2, 3)
)


def lines(*values: tuple[Any, Any]) -> str:
    return "".join(f'{{"epoch": {epoch}, "val_loss": {value}}}\n' for epoch, value in values)


@pytest.mark.parametrize(
    ("log", "points"),
    [
        pytest.param(lines((5, 1.0), (10, 0.5), (15, 0.3)), [(5, 1.0), (10, 0.5), (15, 0.3)], id="strides"),
        pytest.param(lines((1, 1.0), (4, 0.5)), [(1, 1.0), (4, 0.5)], id="gaps"),
        pytest.param(
            lines((0.5, 1.0), (1.0, 0.5), (1.3333333333, 0)), [(0.5, 1), (1, 0.5), (1.333333, 0)], id="fractions"
        ),
        pytest.param(lines((7, 1.0), (8, 0.5)), [(7, 1.0), (8, 0.5)], id="a run that resumes"),
        pytest.param(lines(('"1"', '"1.0"'), ('"2/10"', '"50%"')), [(1, 1.0), (2, 50.0)], id="numbers in texts"),
        pytest.param(lines((0, 1), (1, "NaN")), [(0, 1), (1, math.nan)], id="NaN"),
        pytest.param(lines((2, 1), (1, 3)), [(1, 3), (2, 1)], id="out of order"),
        pytest.param(lines((1, 1), (1, 1), (2, 0.5)), [(1, 1), (2, 0.5)], id="lines twice"),
        pytest.param(lines((1, 3.9), (1, 3.8), (2, 2.9), (2, 2.8)), [(1, 3.8), (2, 2.8)], id="several lines an epoch"),
        pytest.param(
            lines((1, 3), (2, 2), (3, 1), (2, 2.5), (3, 0.5), (4, 0)),
            [(1, 3), (2, 2), (3, 1), (4, 0)],
            id="back to a checkpoint: the first value of an epoch stays",
        ),
        pytest.param(
            '{"epoch": 1, "loss": 3}\n{"val_loss": 1.0}\n{"epoch": 2, "loss": 2}\n{"val_loss": 0.5}\n',
            [(1, 1.0), (2, 0.5)],
            id="the epoch in the line before",
        ),
        pytest.param('{"step": 100, "val_loss": 1}\n{"step": 200, "val_loss": 0.5}', [(1, 1), (2, 0.5)], id="steps"),
        pytest.param('{"val": {"val_loss": 1}, "val_loss": 2}', [(1, 2)], id="the outer of two"),
    ],
)
def test_json_lines_are_believed(log: str, points: list[tuple[float, float | None]]) -> None:
    assert_points(Followed().end(log), points)


def test_numbers_within_an_object_have_its_name_before_their_own() -> None:
    followed = Followed("eval.loss")
    assert_points(followed.end('{"epoch": 1, "eval": {"loss": 0.5, "deep": {"er": 2}}}'), [(1, 0.5)])
    assert dict(followed.history)[1] == {"eval.loss": 0.5, "eval.deep.er": 2.0}


@pytest.mark.parametrize(
    ("log", "regex", "points"),
    [
        pytest.param(bar(3), STATED, [(0, 1.0), (1, 0.9), (2, 0.8)], id="a bar for all epochs"),
        pytest.param(KERAS, f"- loss: {PLAIN}", [(1, 2.2), (2, 1.7), (3, 1.2)], id="a line an epoch, rewritten"),
        pytest.param(KERAS, f"val_loss: {PLAIN}", [(1, 1.5), (2, 1.0), (3, 0.5)], id="at the end of a rewritten line"),
        pytest.param(
            "\rval_loss=0.9\rval_loss=0.8\nval_loss=0.7\r \r\n", STATED, [(1, 0.8), (2, 0.7)], id="no epochs stated"
        ),
        pytest.param("val_loss=0.9 val_loss=0.8\nval_loss=0.7\n", STATED, [(1, 0.8), (2, 0.7)], id="twice in a line"),
        pytest.param("val_loss=0.9\r\nval_loss=0.8\r\r\n", STATED, [(1, 0.9), (2, 0.8)], id="Windows' ends of lines"),
        pytest.param("val_loss=0.9\nval_loss=0.8", STATED, [(1, 0.9), (2, 0.8)], id="no end"),
        pytest.param("\x1b[32mEpoch 3\x1b[0m val_loss\x1b[1;31m=\x1b[0m0.5\x1b[K\n", STATED, [(3, 0.5)], id="colours"),
        pytest.param(
            "".join(f"\x1b[2K\x1b[1Gval_loss={v}" for v in (0.9, 0.8)) + "\n", STATED, [(1, 0.8)], id="erased lines"
        ),
        pytest.param(
            "\x1b[?25l"
            + "".join(f"val_loss={value}\nother\n\x1b[2A" for value in (0.9, 0.8, 0.7))
            + "\n\n\nval_loss=0.6\n",
            STATED,
            [(1, 0.7), (2, 0.6)],
            id="the cursor moved up",
        ),
        pytest.param(
            "".join(f"val_loss=0.{i}\b\b\b0.5\n" for i in (8, 9)), STATED, [(1, 0.5), (2, 0.5)], id="typed over"
        ),
        pytest.param(
            "".join(f"\rEpoch: {n}0%|#| {n}/2 [val_loss={v}]" for n, v in [(0, 3), (1, 3), (1, 2), (2, 2), (2, 1)]),
            STATED,
            [(0, 3), (1, 2), (2, 1)],
            id="a bar whose steps are epochs",
        ),
        pytest.param(
            "".join(f"Train Epoch: {e} [0/60 (0%)]\tLoss: 2\nTest set: val_loss={1 / e}\n" for e in (1, 2)),
            STATED,
            [(1, 1.0), (2, 0.5)],
            id="the epoch in a line before",
        ),
        pytest.param(
            "".join(f"| epoch   {e} | batch {b} | val_loss={9 - e - b / 10:.1f}\n" for e in (6, 7) for b in (1, 2)),
            STATED,
            [(6, 2.8), (7, 1.8)],
            id="a table",
        ),
        pytest.param(
            "".join(f"val_loss={1 / e}\nEpoch {e} is over\n" for e in (1, 2, 4)),
            STATED,
            [(1, 1.0), (2, 0.5), (3, 0.25)],
            id="an epoch that is stated after its value",
        ),
        pytest.param(
            "Namespace(epoch=9)\npython train.py --epoch 8\nresuming from epoch 7\nval_loss=1\nval_loss=0.5\n",
            STATED,
            [(1, 1.0), (2, 0.5)],
            id="what is no epoch",
        ),
        pytest.param("{'val_loss': 0.5, 'epoch': 1.5}\n", f"'val_loss': {PLAIN}", [(1.5, 0.5)], id="Python's own form"),
        pytest.param(
            "val_loss=np.float64(0.5)\nval_loss=tensor(0.4, device='cuda:0')\n",
            STATED,
            [(1, 0.5), (2, 0.4)],
            id="NumPy",
        ),
        pytest.param("val_loss=tensor(0.5)\n", rf"tensor\({PLAIN}\)", [(1, 0.5)], id="a pattern that knows PyTorch"),
        pytest.param("v\0a\0l_loss=0.5\n", STATED, [(1, 0.5)], id="NUL"),
    ],
)
def test_text_is_read_as_on_a_screen(log: str, regex: str, points: list[tuple[float, float | None]]) -> None:
    assert_points(Followed(regex=regex).end(log), points)


@pytest.mark.parametrize("regex", [STATED, rf"(?:train|val)_loss\s*=\s*{PLAIN}", r"val_loss=([+-]?\d*(?:\.\d+)?)"])
@pytest.mark.parametrize(
    ("word", "value"),
    [
        *((word, math.nan) for word in ("nan", "NaN", "-nan", "'nan'", "None", "null", "-nan(ind)", "1.#QNAN")),
        *((word, math.inf) for word in ("inf", "Infinity", "+inf")),
        ("-inf", -math.inf),
        ("2.5e-05", 2.5e-05),
        ("-0.25", -0.25),
        (".5", 0.5),
    ],
)
def test_what_a_pattern_cannot_say_is_the_value_all_the_same(regex: str, word: str, value: float) -> None:
    assert_points(Followed(regex=regex).end(f"val_loss=0.5 x\nval_loss={word}, x\n"), [(1, 0.5), (2, value)])


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-inf", "2.5e-05", "-1E+3", "7", ".5"])
def test_the_recommended_pattern_says_every_number(word: str) -> None:
    followed = Followed(regex=f"(?i)Val_Loss={NUMBER}")
    assert_points(followed.end(f"val_loss={word}\n"), [(1, float(word))])


def test_a_best_value_is_no_epochs() -> None:
    followed = Followed(regex=STATED)
    log = "Epoch 1 val_loss=0.5\nEpoch 2 val_loss=0.3\nEpoch 3 val_loss=0.4\nBest epoch: 2, val_loss=0.3\n"
    assert_points(followed.end(log), [(1, 0.5), (2, 0.3), (3, 0.4)])
    assert followed.summary["refused"] == 1
    assert followed.summary["sample"] == "Best epoch: 2, val_loss=0.3"


def test_metrics_since_the_last_value_belong_to_the_next() -> None:
    followed = Followed(regex=STATED, loss=rf"\bloss={PLAIN}")
    followed.end("loss=3\nval_loss=2\nloss=1\nval_loss=0.5\nloss=0\n")
    assert list(followed.history) == [(1, {"val_loss": 2.0, "loss": 3.0}), (2, {"val_loss": 0.5, "loss": 1.0})]


def test_an_epoch_of_a_bar_is_known_when_the_next_one_begins() -> None:
    followed = Followed(regex=STATED)
    assert followed.settled("\rEpoch 0: 50% val_loss=0.9\rEpoch 0: 100% val_loss=0.8") == []
    assert followed.settled("\rEpoch 1") == []
    assert followed.settled(": 0% val_") == [(0, 0.8)]
    assert followed.end("loss=0.7") == [(0, 0.8), (1, 0.7)]


def test_a_line_without_an_epoch_is_known_at_once() -> None:
    followed = Followed(regex=STATED)
    assert followed.settled("val_loss=0.9") == []
    assert followed.settled("1\n") == [(1, 0.91)]
    assert followed.settled("other\nval_loss=0.8\n") == [(1, 0.91), (2, 0.8)]


def test_one_line_an_epoch_is_known_at_once_when_two_were() -> None:
    followed = Followed()
    assert followed.settled(lines((1, 3))) == []
    assert followed.settled(lines((2, 2))) == [(1, 3)]
    assert followed.settled(lines((3, 1))) == [(1, 3), (2, 2), (3, 1)]
    assert followed.settled(lines((4, 0))) == [(1, 3), (2, 2), (3, 1), (4, 0)]


def test_the_first_line_of_an_epoch_is_known_when_no_other_has_followed_for_long() -> None:
    followed = Followed()
    assert followed.settled(lines((1, 3)), QUIET_SECONDS - 1) == []
    assert followed.settled("", QUIET_SECONDS) == [(1, 3)]
    assert followed.settled(lines((1, 2))) == [(1, 3)]
    assert "epoch 1 had val_loss 3.0 before, and has 2.0 now" in followed.summary["problem"]
    assert followed.settled(lines((2, 1)), QUIET_SECONDS) == [(1, 3)], "others have followed before"
    assert followed.end() == [(1, 3), (2, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "Epoch: [{0}][{1}0/20]  loss={2}",
        "Epoch [{0}/3], Step [{1}/900], loss={2}",
        "epoch: {0}/3, iter: {1}0/200, loss={2}",
        "Train Epoch: {0} [{1}/600 ({1}%)]\tloss={2}",
        "| epoch   {0} |   {1}0/ 2983 batches | loss={2}",
        "Epoch(train)  [{0}][ {1}0/100]  lr: 1.0e-02  loss={2}",
        "Epoch {0}, batch {1}, loss={2}",
        "Epoch {0}\n  batch {1}/9 loss={2}",
    ],
)
def test_a_line_from_within_an_epoch_is_not_its_last_after_any_silence(line: str) -> None:
    followed = Followed("loss", f"loss={PLAIN}")
    for epoch in (1, 2, 3):
        for step in (1, 2):
            points = followed.settled(line.format(epoch, step, epoch + step / 10) + "\n", QUIET_SECONDS)
            assert points == [(before, before + 0.2) for before in range(1, epoch)]
    assert followed.end()[-1] == (3, 3.2)
    assert followed.summary["refused"] == 0


@pytest.mark.parametrize(
    "line", ["Epoch 1/3 loss=1", "Epoch 1 [5/5] loss=1", "Epoch 1/3 loss=1 correct 3/9 batch_size=4"]
)
def test_a_line_at_the_end_of_an_epoch_is_its_last_after_some_silence(line: str) -> None:
    assert Followed("loss", f"loss={PLAIN}").settled(f"{line}\n", QUIET_SECONDS) == [(1, 1)]


def test_of_several_lines_an_epoch_none_is_known_before_the_last() -> None:
    followed = Followed()
    for epoch in (1, 2, 3, 4):
        for step in (1, 2):
            points = followed.settled(lines((epoch, step)))
            assert points == [(before, 2) for before in range(1, epoch)]
    assert followed.end()[-1] == (4, 2)


def test_a_log_that_is_written_again_is_counted_again() -> None:
    followed = Followed()
    again = lines(("null", 3), ("null", 2))
    followed.read(again)
    for piece in followed.screen.take(again):
        followed.follower.take(replace(piece, restarted=piece.text == again.splitlines()[0]))
    assert followed.end(lines(("null", 1))) == [(1, 3), (2, 2), (3, 1)]


@pytest.mark.slow
def test_of_too_many_values_the_last_one_is_kept() -> None:
    followed = Followed(regex=STATED)
    points = followed.end("".join(f"val_loss={value}\n" for value in range(MAX_EPOCH + 10)))
    assert points[-2:] == [(MAX_EPOCH - 1, MAX_EPOCH - 2), (MAX_EPOCH, MAX_EPOCH + 9)]
    assert "left out" in followed.summary["problem"]


def test_a_flood_of_metrics_leaves_the_objective() -> None:
    followed = Followed()
    flood = {f"m{number}": 1 for number in range(100)}
    followed.end("".join(json.dumps(flood | {"val_loss": epoch}) + "\n" for epoch in range(200)))
    assert [value for _, value in followed.points] == list(range(200))
    assert sum(len(metrics) for _, metrics in followed.history) < 10_000
