"""A training process under test, and a reader of its metrics page."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

# Long enough for a process that loads torch on a busy machine.
DEADLINE = 180.0

T = TypeVar("T")


@dataclass(frozen=True)
class Scrape:
    values: dict[tuple[str, float], float]
    completed: float
    finished: float


def scrape(port: int, timeout: float = 5.0) -> Scrape:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout) as response:
        text = response.read().decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    plain = {s.name: s.value for s in samples if not s.labels}
    values = {
        (s.labels["metric"], float(s.labels["epoch"])): s.value for s in samples if s.name == "tuning_epoch_value"
    }
    return Scrape(values, plain["tuning_epochs_completed"], plain["tuning_finished"])


def until(probe: Callable[[], T | None], deadline: float = DEADLINE) -> T:
    """What the probe gives once it gives something; connection errors count as nothing."""
    end = time.monotonic() + deadline
    while True:
        try:
            result = probe()
        except OSError:
            result = None
        if result:
            return result
        assert time.monotonic() < end, "nothing before the deadline"
        time.sleep(0.02)


@dataclass
class Run:
    """A training process under test."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def scrape(self) -> Scrape:
        return until(lambda: scrape(self.port))

    def scrape_when(self, condition: Callable[[Scrape], bool]) -> Scrape:
        def probe() -> Scrape | None:
            page = scrape(self.port)
            return page if condition(page) else None

        return until(probe)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, str]:
        """Exit code and stderr."""
        _, errors = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, errors

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.log.read_text())
        return message


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
