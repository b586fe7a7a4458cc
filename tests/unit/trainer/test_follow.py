from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import DEADLINE, scrape, until
from tuning_trainer.follow import MAX_LINE, Follower, Lines, from_json, from_regexes
from tuning_trainer.history import History

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OBJECTIVE = "validation:accuracy"
# As in the log of SageMaker's image classification.
DEFINITIONS = {
    "train:accuracy": re.compile(r"Train-accuracy=([0-9.]+|nan)"),
    OBJECTIVE: re.compile(r"Validation-accuracy=([0-9.]+|nan)"),
}


def followed(parse: Callable[[str], dict[str, float]], *lines: str) -> list[tuple[int, dict[str, float]]]:
    history = History()
    follower = Follower(lambda epoch, metrics: (history.add(epoch, metrics), None)[1], OBJECTIVE, parse)
    for line in lines:
        follower.take(line)
    return list(history)


def test_an_objective_in_the_log_ends_an_epoch() -> None:
    assert followed(
        from_regexes(DEFINITIONS),
        "[11/19/2018 17:37:47] Epoch[0] Train-accuracy=0.1",
        "[11/19/2018 17:37:49] Epoch[0] Validation-accuracy=0.2",
        "nothing of interest",
        "Epoch[1] Train-accuracy=0.3 Validation-accuracy=nan",
        "Epoch[2] Train-accuracy=0.5",
    ) == [
        (1, {"train:accuracy": 0.1, OBJECTIVE: 0.2}),
        (2, {"train:accuracy": 0.3, OBJECTIVE: pytest.approx(math.nan, nan_ok=True)}),
    ]


def test_a_match_that_is_no_number_is_said_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    loose = from_regexes({OBJECTIVE: re.compile(r"accuracy=(\S+)")})
    assert followed(loose, "accuracy=high", "accuracy=0.5") == [(1, {OBJECTIVE: 0.5})]
    assert f"{OBJECTIVE}: 'high' is no number" in capsys.readouterr().err


def test_json_lines_are_counted_by_the_objective() -> None:
    assert followed(
        from_json,
        '{"validation:accuracy": 0.1, "loss": 2, "done": false, "note": "x", "nested": {"validation:accuracy": 9}}',
        "no JSON",
        "[1, 2]",
        '{"loss": 1' + "0" * 400 + "}",
        '{"validation:accuracy": NaN}',
    ) == [
        (1, {OBJECTIVE: 0.1, "loss": 2.0}),
        (2, {OBJECTIVE: pytest.approx(math.nan, nan_ok=True), "loss": math.inf}),
    ]


def test_a_line_may_say_its_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        '{"epoch": 0, "loss": 3}',
        '{"epoch": 0, "validation:accuracy": 0.1}',
        '{"epoch": 1, "validation:accuracy": 0.2}',
        '{"epoch": 9, "validation:accuracy": 0.9}',
        '{"epoch": 1, "validation:accuracy": 0.7}',
        '{"epoch": 2.0, "validation:accuracy": 0.3}',
    ]
    assert followed(from_json, *lines) == [
        (0, {"loss": 3.0, OBJECTIVE: 0.1}),
        (1, {OBJECTIVE: 0.2}),
        (2, {OBJECTIVE: 0.3}),
    ]
    said = capsys.readouterr().err
    assert "epoch 9 was reported after epoch 1" in said
    assert "is 0.7 now" in said


def test_a_file_is_followed_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = Lines(path)
    assert list(lines.new()) == []
    with path.open("ab", buffering=0) as file:
        file.write(b"one\r\ntw")
        assert list(lines.new()) == ["one"]
        file.write(b"o\nthree")
        assert list(lines.new()) == ["two"]
        assert list(lines.new()) == []
    assert list(lines.new(last=True)) == ["three"]


@pytest.mark.parametrize(
    "anew", [lambda path: path.write_text("b\n"), lambda path: (path.unlink(), path.write_text("b\nc\nd\n"))]
)
def test_a_file_that_is_started_anew_is_read_anew(tmp_path: Path, anew: Callable[[Path], object]) -> None:
    path = tmp_path / "log"
    path.write_text("first\nand second\n")
    lines = Lines(path)
    assert list(lines.new()) == ["first", "and second"]
    held = path.open()  # keeps the number of the file from being given to the next one
    anew(path)
    assert next(lines.new()) == "b"
    held.close()


def test_a_line_without_end_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * MAX_LINE) + b"\nshort\n")
    assert [len(line) <= 2 * MAX_LINE for line in Lines(path).new()] == [True, True]


@pytest.mark.parametrize("epochs", [3, 2000])
def test_the_sidecar_serves_the_log_and_leaves_it_in_the_message(tmp_path: Path, epochs: int) -> None:
    log, message = tmp_path / "log", tmp_path / "message"
    environment = {
        **os.environ,
        "TUNING_METRICS_PORT": "0",
        "TUNING_OBJECTIVE_METRIC": OBJECTIVE,
        "TUNING_TERMINATION_LOG": str(message),
        "TUNING_TRIAL": "job-0001",
        "TUNING_FINISH_TIMEOUT": "60",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SIDECAR, str(log)], env=environment, stdout=subprocess.PIPE, text=True
    ) as sidecar:
        assert sidecar.stdout is not None
        port = int(sidecar.stdout.readline())
        log.write_text("".join(f'{{"{OBJECTIVE}": 0.{epoch:04d}}}\n' for epoch in range(1, epochs)))
        until(lambda: scrape(port).completed == epochs - 1 or None)
        with log.open("a") as file:
            file.write(f'{{"{OBJECTIVE}": 0.99}}')  # the training was killed in mid-line
        sidecar.send_signal(signal.SIGTERM)
        if epochs > 100:  # the message has no room for them: the page has to be fetched once more
            until(lambda: scrape(port).finished or None)
        assert sidecar.wait(DEADLINE) == 0
    left = json.loads(message.read_text())
    assert left["completed"] == epochs
    assert left["metrics"][OBJECTIVE][-1] == 0.99
    assert left["thinned"] == (epochs > 100)


SIDECAR = """
import sys
from tuning_trainer import follow, reporting
class Announced(reporting.Reporter):
    def __init__(self):
        super().__init__()
        print(self.port, flush=True)
follow.Reporter = Announced
follow.main()
"""


@pytest.mark.parametrize("definitions", ["{", '{"m": "("}', '{"m": 1}', "[]"])
def test_definitions_that_are_none_end_it_at_once(tmp_path: Path, definitions: str) -> None:
    command = [sys.executable, "-m", "tuning_trainer.follow", str(tmp_path / "log"), f"--definitions={definitions}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert done.returncode == 2
    assert "argument --definitions" in done.stderr
