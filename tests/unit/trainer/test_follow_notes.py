"""Unusable lines of a log are counted, and the first one is shown."""

from __future__ import annotations

import pytest

from tests.unit.trainer.logs import PLAIN, Followed


@pytest.mark.parametrize(
    ("log", "refused", "words"),
    [
        ('{"epoch": "first", "val_loss": 1}', 1, "the epoch is 'first', not a number"),
        ('{"epoch": [1], "val_loss": 1}', 1, "the epoch is [1], not a number"),
        ('{"epoch": -1, "val_loss": 1}', 1, "epoch -1 is out of bounds: 0 to 39999"),
        ('{"epoch": NaN, "val_loss": 1}', 1, "epoch nan is out of bounds"),
        ('{"epoch": 1e300, "val_loss": 1}', 1, "epoch 1e+300 is out of bounds"),
        ('{"epoch": 1, "val_loss": null}', 1, "val_loss is null, not a number"),
        ('{"epoch": 1, "val_loss": true}', 1, "val_loss is True, not a number"),
        (
            '{"epoch": 1, "val_loss": "high"}\n' * 3,
            3,
            "3 lines of 3 could not be used: val_loss is 'high', not a number",
        ),
        (
            '{"epoch": 1, "val_loss": 1}\n{"epoch": 2, "val_loss": 2}\n{"epoch": 1, "val_loss": 3}',
            1,
            "epoch 1 had val_loss 1.0",
        ),
    ],
)
def test_what_json_lines_have_wrong_is_told(log: str, refused: int, words: str) -> None:
    followed = Followed()
    followed.end(log)
    assert followed.summary["refused"] == refused
    assert words in followed.summary["problem"]


@pytest.mark.parametrize("word", ["high", "", "--", "NaNo"])
def test_a_prefix_without_a_number_is_told(word: str) -> None:
    followed = Followed(regex=f"val_loss={PLAIN}")
    assert followed.end(f"val_loss=0.5\nval_loss={word}\n") == [(1, 0.5)]
    assert followed.summary["refused"] == 1
    assert followed.summary["problem"] == f"1 line of 2 could not be used: val_loss is {word!r}, not a number"
    assert followed.summary["sample"] == f"val_loss={word}"


def test_a_match_that_is_no_number_is_told() -> None:
    followed = Followed(regex=r"val_loss=(\S+)")
    assert followed.end("val_loss=high\nval_loss=0.5,\n") == [(1, 0.5)]
    assert "val_loss is 'high', not a number" in followed.summary["problem"]


def test_lines_without_the_objective_are_told_with_the_first_and_what_they_have() -> None:
    followed = Followed()
    followed.end('starting\x1b[1m up\n{"epoch": 1, "eval": {"val_loss": 2}, "lr": 1}\n')
    assert followed.summary == {
        "lines": 2,
        "used": 1,
        "refused": 0,
        "problem": "no val_loss in 2 lines: none is a JSON object with that number; found instead: eval.val_loss, lr",
        "sample": "starting up",
    }


def test_a_log_that_is_used_whole_has_no_problem() -> None:
    followed = Followed(regex=f"val_loss={PLAIN}")
    followed.end("hello\nval_loss=0.5\n")
    assert followed.summary == {"lines": 2, "used": 1, "refused": 0}


def test_an_empty_log_says_so() -> None:
    followed = Followed()
    followed.end("\n\n \n")
    assert followed.summary == {"lines": 0, "used": 0, "refused": 0, "problem": "the file is empty"}


def test_what_is_told_is_short_and_printable() -> None:
    followed = Followed("m" * 128, regex="x" * 900 + "(.)")
    followed.end("\x07\u202e" + "y" * 5000)
    assert len(followed.summary["problem"]) <= 300
    assert len(followed.summary["sample"]) <= 200
    assert (followed.summary["problem"] + followed.summary["sample"]).isprintable()
