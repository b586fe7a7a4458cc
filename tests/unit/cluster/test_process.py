"""How the servers of the tests are started."""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest

from cluster.process import Process, ProcessFailedError, start_on_free_ports

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = ("OSError: [Errno 98] Address already in use", "listen tcp 127.0.0.1:80: bind: address already in use")


def _server(log: Path, message: str) -> Process:
    script = (
        f"import sys, time; sys.exit({message!r}) if {bool(message)} else print('serving', flush=True); time.sleep(60)"
    )
    return Process("server", [sys.executable, "-c", script], log, lambda: log.exists() and "serving" in log.read_text())


@pytest.mark.parametrize("message", TAKEN, ids=["Python", "Go"])
def test_a_server_whose_port_was_taken_starts_on_another(tmp_path: Path, message: str) -> None:
    numbers = count()

    def make() -> Process:
        number = next(numbers)
        return _server(tmp_path / f"{number}.log", "" if number else message)

    process = start_on_free_ports(make)
    assert process.alive
    process.stop(hard=True)


def test_a_server_that_fails_is_not_started_again(tmp_path: Path) -> None:
    numbers = count()
    with pytest.raises(ProcessFailedError, match="no such flag"):
        start_on_free_ports(lambda: _server(tmp_path / f"{next(numbers)}.log", "no such flag"))
    assert next(numbers) == 1
