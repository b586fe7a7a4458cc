"""The sidecar in its own process, beside a training that writes a log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.trainer.eventlog import append, event, frame, simple
from tests.unit.trainer.logs import PLAIN
from tests.unit.trainer.runs import DEADLINE, free_port, scrape, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OBJECTIVE = "validation:accuracy"
REGEX = f"--definitions={json.dumps({OBJECTIVE: f'acc={PLAIN}'})}"


class Sidecar:
    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.log, self.message_file, self.port = folder / "log", folder / "message", free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tuning_trainer.follow", str(self.log), *options],
            env={
                **os.environ,
                "TUNING_METRICS_PORT": str(self.port),
                "TUNING_OBJECTIVE_METRIC": OBJECTIVE,
                "TUNING_TERMINATION_LOG": str(self.message_file),
                "TUNING_TRIAL": "job-0001",
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)

    def points(self) -> dict[float, float]:
        return {epoch: value for (metric, epoch), value in scrape(self.port).values.items() if metric == OBJECTIVE}

    def message(self) -> Any:
        return json.loads(self.message_file.read_text() or "{}")

    def message_when(self, condition: Callable[[Any], object]) -> Any:
        return until(lambda: next(filter(condition, [self.message()]), None))

    def end(self) -> Any:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == 0
        return self.message()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sidecar]]:
    started: list[Sidecar] = []

    def start_sidecar(*options: str, **environment: str) -> Sidecar:
        started.append(Sidecar(tmp_path, *options, **environment))
        return started[-1]

    yield start_sidecar
    for sidecar in started:
        sidecar.process.kill()
        sidecar.process.communicate()


@pytest.mark.parametrize("epochs", [3, 2000])
def test_the_sidecar_serves_the_log_and_leaves_it_in_the_message(start: Callable[..., Sidecar], epochs: int) -> None:
    sidecar = start(TUNING_FINISH_TIMEOUT="60")
    sidecar.write("".join(f'{{"{OBJECTIVE}": 0.{epoch:04d}}}\n' for epoch in range(1, epochs)))
    seen: dict[float, float] = {}
    until(lambda: len(seen.update(sidecar.points()) or seen) == epochs - 1 or None)
    sidecar.write(f'{{"{OBJECTIVE}": 0.99}}')  # the training was killed in mid-line
    sidecar.process.send_signal(signal.SIGTERM)
    if epochs > 100:  # the message has no room for them: the page has to be fetched once more
        until(lambda: scrape(sidecar.port).finished or None)
    assert sidecar.process.wait(DEADLINE) == 0
    left = sidecar.message()
    assert left["completed"] == epochs
    assert left["metrics"][OBJECTIVE][-1] == 0.99
    assert left["thinned"] == (epochs > 100)
    assert left["log"] == {"lines": epochs, "used": epochs, "refused": 0}


def test_a_bar_is_read_while_it_runs(start: Callable[..., Sidecar]) -> None:
    sidecar = start(REGEX)
    known: dict[float, float] = {}
    for epoch in range(4):
        sidecar.write(f"\rEpoch {epoch}: 50% acc=0.{epoch}\rEpoch {epoch}: 100% acc=0.{epoch}5")
        until(lambda: sidecar.points() == known)
        known[epoch] = float(f"0.{epoch}5")
    message = sidecar.end()
    assert (message["epochs"], message["metrics"][OBJECTIVE]) == ([0, 1, 2, 3], [0.05, 0.15, 0.25, 0.35])


def test_epochs_may_be_fractions(start: Callable[..., Sidecar]) -> None:
    sidecar = start()
    sidecar.write("".join(f'{{"epoch": {epoch / 2}, "{OBJECTIVE}": {epoch}}}\n' for epoch in range(1, 6)))
    until(lambda: sidecar.points() == {epoch / 2: epoch for epoch in range(1, 6)} or None)
    assert sidecar.end()["epochs"] == [0.5, 1, 1.5, 2, 2.5]


@pytest.mark.parametrize(
    ("log", "problem"),
    [
        (None, "never appeared"),
        ("", "the file is empty"),
        ("hello\n", f"no {OBJECTIVE} in 1 line: acc={PLAIN} matches none"),
        ("acc=high\n", f"1 line of 1 could not be used: {OBJECTIVE} is 'high', not a number"),
    ],
)
def test_what_kept_it_from_measuring_is_in_its_message_all_along(
    start: Callable[..., Sidecar], log: str | None, problem: str
) -> None:
    sidecar = start(REGEX)
    if log is not None:
        sidecar.write(log)
    log_note = sidecar.message_when(lambda message: problem in message.get("log", {}).get("problem", ""))["log"]
    assert log_note.get("sample", "") == (log or "").strip()
    left = sidecar.end()
    assert (left["epochs"], left["completed"], left["log"]) == ([], 0, log_note)


def test_a_port_in_use_leaves_the_message(start: Callable[..., Sidecar]) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        sidecar = start(TUNING_METRICS_PORT=str(listener.getsockname()[1]))
        sidecar.write(f'{{"{OBJECTIVE}": 0.5}}\n')
        left = sidecar.message_when(lambda message: message.get("epochs") and "log" in message)
        assert "Address already in use" in left["log"]["problem"]
        assert sidecar.end()["metrics"][OBJECTIVE] == [0.5]


@pytest.mark.parametrize(
    ("definitions", "words"),
    [
        ("{", "Expecting"),
        ('{"m": "("}', "missing )"),
        ('{"m": 1}', "m"),
        ("[1]", ""),
        ('{"m": "x"}', "put parentheses around the value"),
        ('{"m": "(?<!x)(y)"}', "RE2 has no look-around"),
        (json.dumps({"m": "(x)" * 400}), "more than 1000 characters"),
        (json.dumps({f"m{number}": "(x)" for number in range(41)}), "more than 40"),
        ('{"m": "((((a{9}){9}){9}){9})"}', "m"),
    ],
)
def test_definitions_that_are_none_end_it_at_once(tmp_path: Path, definitions: str, words: str) -> None:
    command = [sys.executable, "-m", "tuning_trainer.follow", str(tmp_path / "log"), f"--definitions={definitions}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert done.returncode == 2
    assert "argument --definitions" in done.stderr
    assert words in done.stderr


def test_event_files_are_followed_and_left_in_the_message(start: Callable[..., Sidecar]) -> None:
    sidecar = start("--tensorboard=validation/acc")
    path = sidecar.log / "validation" / "version_0" / "events.out.tfevents.1.host"
    append(path, frame(event(10, simple("acc", 0.5), simple("lr", 0.25))))
    until(lambda: sidecar.points() == {1: 0.5})
    again = path.parents[1] / "version_1" / path.name
    append(again, frame(event(10, simple("acc", 0.5))), frame(event(20, simple("acc", 0.75))))
    message = sidecar.end()
    assert (message["epochs"], message["metrics"][OBJECTIVE]) == ([1, 2], [0.5, 0.75])
    assert message["metrics"]["validation/lr"] == [0.25, None]
    assert message["log"] == {"lines": 4, "used": 4, "refused": 0}


def test_event_files_without_the_tag_say_what_they_have(start: Callable[..., Sidecar]) -> None:
    sidecar = start("--tensorboard=acc")
    append(sidecar.log / "validation" / "events.out.tfevents.1.host", frame(event(10, simple("acc", 0.5))))
    sidecar.message_when(lambda message: message.get("log", {}).get("lines"))
    problem = sidecar.end()["log"]["problem"]
    assert problem == f"no {OBJECTIVE} in 1 scalar: none has the tag acc; found instead: validation/acc"
