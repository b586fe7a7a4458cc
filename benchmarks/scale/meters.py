"""What the processes use, and what they tell of themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.operators import is_healthy, metrics_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scale.apiserver import ApiServer
    from benchmarks.scale.kubelet import Kubelet
    from cluster.process import Process

SECONDS, METRICS_SECONDS = 1.0, 10.0
"""Between two readings, and between two of them with the metrics of API server and operator: a page costs its process
something, and a Prometheus asks for it no more often.
"""
_PROBE_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE = re.compile(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
_OF_SERVER = re.compile(
    r"apiserver_request_total|apiserver_response_sizes_sum|apiserver_watch_events_sizes_sum"
    r"|apiserver_flowcontrol_dispatched_requests_total"
)


@dataclass(frozen=True)
class Reading:
    """What was known at a moment.

    Attributes:
        at: seconds of the monotonic clock.
        created: Pods so far, and `ended` those of them.
        cpu: seconds by process, those of its children included.
        memory: MiB by process, and of the operator's children.
        own: the operator's metrics, by name with labels, or nothing.
        server: the API server's, or nothing.
        sent: the kubelet's own requests, by verb and resource.
    """

    at: float
    created: int
    ended: int
    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    own: Mapping[str, float]
    server: Mapping[str, float]
    sent: Mapping[tuple[str, str], int]


@dataclass
class Meters:
    """Reads what processes use once a second, and asks the operator's probe twenty times: so long its loop was busy."""

    server: ApiServer
    kubelet: Kubelet
    processes: Mapping[str, Process]
    readings: list[Reading] = field(default_factory=list)
    longest_probe: float = 0.0
    _metrics_at: float = 0.0

    async def run(self) -> None:
        """Read for ever."""
        async with asyncio.TaskGroup() as group:
            if "operator" in self.processes:
                group.create_task(self._probe())
            while True:
                await self.read()
                await asyncio.sleep(SECONDS)

    async def read(self, *, whole: bool = False) -> None:
        """Read once; `whole` with all metrics."""
        now = time.monotonic()
        whole = whole or now - self._metrics_at >= METRICS_SECONDS
        server: Mapping[str, float] = {}
        own: Mapping[str, float] = {}
        if whole:
            self._metrics_at = now
            server = _samples(await self.server.metrics(), _OF_SERVER)
            if "operator" in self.processes:
                with contextlib.suppress(OSError):
                    page = await asyncio.to_thread(metrics_page, self.processes["operator"])
                    own = _samples(page, re.compile("tuning_operator"))
        used = {name: _usage(process) for name, process in self.processes.items()}
        memory = {name: own_memory for name, (_, own_memory, _) in used.items()}
        if "operator" in used:
            memory["suggestion processes"] = used["operator"][2]
        self.readings.append(
            Reading(
                at=now,
                created=len(self.kubelet.pods),
                ended=self.kubelet.ended,
                cpu={name: cpu for name, (cpu, _, _) in used.items()},
                memory=memory,
                own=own,
                server=server,
                sent=dict(self.kubelet.sent),
            )
        )

    async def _probe(self) -> None:
        while True:
            began = time.monotonic()
            if await asyncio.to_thread(is_healthy, self.processes["operator"]):
                self.longest_probe = max(self.longest_probe, time.monotonic() - began)
            await asyncio.sleep(_PROBE_SECONDS)


def _samples(page: str, names: re.Pattern[str]) -> dict[str, float]:
    return {name: float(value) for name, value in _SAMPLE.findall(page) if names.match(name)}


def _usage(process: Process) -> tuple[float, float, float]:
    """CPU seconds of a process and its descendants, ended ones too; resident MiB of itself, and of the others."""
    if not process.alive:
        return 0.0, 0.0, 0.0
    stats = {int(path.parent.name): words for path in Path("/proc").glob("[0-9]*/stat") if (words := _words(path))}
    family = [process.pid]
    for pid in family:  # it grows meanwhile
        family += [child for child, words in stats.items() if int(words[1]) == pid]
    found = [stats[pid] for pid in family if pid in stats]
    memory = [int(words[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20 for words in found]
    return sum(int(word) for words in found for word in words[11:15]) / _TICKS, sum(memory[:1]), sum(memory[1:])


def _words(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text().rpartition(")")[2].split()
    return []
