"""Patterns find every number that a program prints, and a command's output is shown and kept with its exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import re2

from tuning_client.logs import (
    FOLDER,
    NUMBER,
    groups,
    refusal,
    shown_and_kept,
    with_control_characters,
    with_every_number,
)

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = ["1", "-1", "+1.5", "0.25", ".5", "2.", "2.5e-05", "1E+10", "nan", "NaN", "-inf", "Infinity"]


@pytest.mark.parametrize("engine", [re, re2])
@pytest.mark.parametrize("number", NUMBERS)
def test_the_pattern_takes_the_whole_of_every_number(engine: object, number: str) -> None:
    found = engine.search(f"loss={NUMBER}", f"epoch 3: loss={number} lr=0.1")  # type: ignore[attr-defined]
    assert found is not None
    assert found.group(1) == number
    float(found.group(1))


@pytest.mark.parametrize("text", ["nano", "information", "none", "n/a", "diverged", "-", "e5"])
def test_the_pattern_takes_no_word_for_a_number(text: str) -> None:
    assert re2.search(f"loss={NUMBER}", f"loss={text}") is None


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("loss=([0-9.]+)", f"loss={NUMBER}"),
        (r"loss=([-+]?\d*\.?\d+)%", f"loss={NUMBER}%"),
        (r"loss=(?P<value>\d+\.\d+)", f"loss={NUMBER}"),
        (r"loss=(\S+)", r"loss=(\S+)"),
        (r"loss=(.*?);", r"loss=(.*?);"),
        (r"(train|test) loss=([0-9.]+)", r"(train|test) loss=([0-9.]+)"),
        (f"loss={NUMBER}", f"loss={NUMBER}"),
        ("loss", "loss"),
        ("loss=([", "loss=(["),
    ],
)
def test_a_group_that_takes_some_numbers_takes_all(given: str, becomes: str) -> None:
    assert with_every_number(given) == becomes


def test_groups_are_found_whatever_only_looks_like_one() -> None:
    assert [r"\((a[)(]b)(?:c(d))"[start:end] for start, end in groups(r"\((a[)(]b)(?:c(d))")] == ["(a[)(]b)", "(d)"]
    assert groups("[]()](x)") == [(5, 8)]
    assert groups("(?i:a)(?P<n>b)") == [(6, 14)]


@pytest.mark.parametrize("tab", ["\t", "#011"])
def test_rsyslogs_escapes_are_the_characters_themselves(tab: str) -> None:
    regex = with_control_characters(r".*\[[0-9]+\].*#011validation-auc:(\S+)")
    found = re2.search(regex, f"[42]{tab}train-auc:0.7{tab}validation-auc:0.6")
    assert found is not None
    assert found.group(1) == "0.6"
    assert with_control_characters(r"#[#011]\\#1 #012") == r"#[#011]\\#1 (?:#012|\x0a)"


@pytest.mark.parametrize(
    ("regex", "says"),
    [
        (r"(?<=loss=)([0-9.]+)", "neither lookaround nor backreferences"),
        (r"(a)\1", "neither lookaround nor backreferences"),
        ("loss=[0-9]", "no group"),
        ("(" + "x" * 1000 + ")", "at most 128 characters, a regular expression 500"),
    ],
)
def test_what_cannot_be_used_says_why(regex: str, says: str) -> None:
    assert says in refusal("loss", regex)


def run(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command as a container does, with another folder for the file."""
    sh, c, script, *words = shown_and_kept(list(command))
    assert FOLDER in script
    assert "sleep 10;" in script
    kept = script.replace(FOLDER, str(folder)).replace("sleep 10;", "sleep 1;")
    return subprocess.Popen(
        [sh, c, kept, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


@pytest.mark.parametrize("code", [0, 1, 42])
def test_output_is_shown_and_kept_and_the_exit_code_is_the_trainings(tmp_path: Path, code: int) -> None:
    lines = "echo 'epoch 1'; echo \"it's $1\" >&2; exit " + str(code)
    process = run(tmp_path, "sh", "-c", lines, "sh", "a b")
    shown, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert shown == (tmp_path / "training.log").read_text() == "epoch 1\nit's a b\n"
    assert (tmp_path / "training.log").stat().st_mode & 0o044 == 0o044


def test_the_last_line_is_kept_however_much_comes_before(tmp_path: Path) -> None:
    process = run(tmp_path, "sh", "-c", "seq 1 200000; echo last")
    shown, _ = process.communicate(timeout=30)
    assert shown.endswith("200000\nlast\n")
    assert (tmp_path / "training.log").read_text() == shown


def test_an_early_stop_reaches_the_training_which_may_take_its_time(tmp_path: Path) -> None:
    training = "trap 'echo stopping; sleep 0.2; echo stopped; exit 143' TERM; echo ready; while :; do sleep 0.1; done"
    process = run(tmp_path, "sh", "-c", training)
    wait_for(tmp_path / "training.log", "ready")
    process.send_signal(signal.SIGTERM)
    shown, _ = process.communicate(timeout=20)
    assert process.returncode == 143
    assert shown == "ready\nstopping\nstopped\n"


def test_a_process_that_outlives_the_training_does_not_hold_the_container(tmp_path: Path) -> None:
    with run(tmp_path, "sh", "-c", "sleep 60 & echo done; exit 3") as process:
        try:
            assert process.wait(timeout=30) == 3
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{text} did not come"
        time.sleep(0.02)
