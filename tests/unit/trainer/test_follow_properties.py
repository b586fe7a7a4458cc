"""Whatever bytes a log has, and in whatever parts they come: the follower survives, and finds the same."""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.trainer.logs import LOSS, Followed
from tuning_trainer.follow.lines import Lines
from tuning_trainer.follow.patterns import Definition
from tuning_trainer.termination import MAX_BYTES, termination_message

if TYPE_CHECKING:
    import pytest

FRAGMENTS = st.sampled_from(
    [
        *(
            "\n",
            "\r",
            "\r\n",
            "\b\b",
            "\x1b[A",
            "\x1b[2K",
            "\x1b[1G",
            "\x1b[31m",
            "\x1b[?25l",
            "\x1b",
            "\0",
            " ",
            "é",
            "\ufeff",
        ),
        *("Epoch 1/2 val_loss=0.7\n", "Epoch 2/2 val_loss=0.6\n", "val_loss=0.1\n", "train_loss=0.2 ", "best:\n"),
        *("Epoch 1/9 ", "Epoch 2: ", "epoch=2.5 ", "Epoch: 50%|# | 3/4 ", "best epoch 1 ", "epoch"),
        *("epoch: 2\n", "epoch=3, lr=1\n", "val_loss=0.7\n", "val_loss=0.6\n", '{"epoch": 3, "lr": 1}'),
        *("val_loss=", "val_loss=0.5 ", "val_loss=1", "2.5e-05", "nan", "-inf", "None", "high", "loss=3 "),
        *(
            '{"epoch": 1, "val_loss": 2}',
            '{"epoch": "2", "val_loss": "3"}',
            '{"val_loss": NaN}',
            '{"epoch": ',
            "null}",
            "[[",
        ),
    ]
)
LOGS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=5)), max_size=40).map("".join)
REGEXES = st.sampled_from(
    ["", "val_loss=([0-9.]+)", r"(?:val_)?loss\s*=\s*(\S*)", r"(?i)loss=([-+]?\d*)", "(.*)", "(a)|b"]
)


def parts(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(LOGS, REGEXES, st.lists(st.integers(0, 400), max_size=30))
def test_the_parts_in_which_a_log_comes_do_not_matter(log: str, regex: str, cuts: list[int]) -> None:
    whole, cut = Followed(LOSS, regex), Followed(LOSS, regex)
    for part in parts(log, cuts):
        cut.read(part)
    assert repr(cut.end()) == repr(whole.end(log))
    assert cut.summary == whole.summary


@given(LOGS, REGEXES)
def test_a_log_that_is_read_as_it_comes_says_the_same_as_at_its_end(log: str, regex: str) -> None:
    live, whole = Followed(LOSS, regex), Followed(LOSS, regex)
    for line in re.findall(r"[^\n]*\n|[^\n]+", log):
        live.settled(line)
    assert repr(live.end()) == repr(whole.end(log))


@given(LOGS, REGEXES, st.lists(st.integers(0, 400), max_size=30))
def test_what_is_known_stays_known(log: str, regex: str, cuts: list[int]) -> None:
    followed = Followed(LOSS, regex)
    known: dict[float, str] = {}
    for part in parts(log, cuts):
        found = dict(followed.settled(part))
        assert {epoch: repr(found[epoch]) for epoch in known} == known
        known = {epoch: repr(value) for epoch, value in found.items() if value is not None}


@given(LOGS, REGEXES)
def test_what_is_told_of_a_log_fits_into_its_message(log: str, regex: str) -> None:
    followed = Followed(LOSS, regex)
    points = followed.end(log)
    assert all(0 <= epoch <= 39_999 and math.isfinite(epoch) for epoch, _ in points)
    message = termination_message(followed.history, LOSS, log=followed.summary)
    assert len(message) <= MAX_BYTES
    assert json.loads(message)["completed"] == len(points)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.binary(max_size=200), max_size=5), regex=REGEXES)
def test_no_bytes_end_the_follower(tmp_path_factory: pytest.TempPathFactory, data: list[bytes], regex: str) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    lines, followed = Lines(path), Followed(LOSS, regex)
    with path.open("ab", buffering=0) as file:
        for part in data:
            file.write(part)
            for piece in lines.new():
                followed.follower.take(piece)
            followed.settled()
    for piece in lines.new(last=True):
        followed.follower.take(piece)
    followed.end()
    assert lines.trouble == ""


@given(st.text(st.sampled_from("()[]{}|\\?:P<>=!*+.ax1^$-,i"), max_size=30))
def test_no_pattern_ends_the_follower(regex: str) -> None:
    with contextlib.suppress(ValueError):
        Definition.of(LOSS, regex).find("a1x=5 x nan a=")
