"""An operator as a Deployment runs it: a process that is started again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from cluster.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cluster.zygote import Child, Zygote

RESTART_SECONDS = 0.1


class Operator:
    """One replica.

    Attributes:
        ends: How often it ended by itself, without having been killed.
    """

    def __init__(self, zygote: Zygote, arguments: Sequence[str], kubeconfig: Path, log: Path) -> None:
        self._zygote = zygote
        self._arguments = arguments
        self._kubeconfig = kubeconfig
        self._log = log
        self._child: Child | None = None
        self.ends = 0

    async def run(self) -> None:
        """Keep it running, until this is cancelled."""
        try:
            while True:
                metrics, health = free_ports(2)
                ports = (f"--metrics-port={metrics}", f"--health-port={health}")
                self._child = child = self._zygote.fork([*self._arguments, *ports], self._kubeconfig, self._log)
                await _death(child)
                self.ends += self._child is not None
                self._child = None
                await asyncio.sleep(RESTART_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and all of its processes at once, as the loss of its node would."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


async def _death(child: Child) -> None:
    """Wait until a process has ended."""
    loop, dead = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(child, dead.set)
    try:
        await dead.wait()
    finally:
        loop.remove_reader(child)
    child.poll()  # reaps it
