"""A server process of a test: started, waited for, stopped, and gone when the test process is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_POLL_SECONDS = 0.05
_PORT_ATTEMPTS = 5


class ProcessFailedError(RuntimeError):
    """The process ended, or was not ready in time; the message has the end of its log."""


class PortTakenError(ProcessFailedError):
    """The process ended because another one had taken its port."""


class Running(Protocol):
    """What of `subprocess.Popen` is needed of a process that was started."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def kill(self) -> None: ...


class Process:
    """A server that can be started and stopped again and again.

    Attributes:
        name: for messages.
        command: the program and its arguments.
        log: file that receives stdout and stderr of all runs.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        ready: Callable[[], bool],
        *,
        ready_seconds: float = 60.0,
        stop_seconds: float = 20.0,
    ) -> None:
        """Describe the process.

        Args:
            name: for messages.
            command: absolute path of the program and its arguments.
            log: file for its output.
            ready: asked again and again until it says yes; must not raise.
            ready_seconds: how long a start may take.
            stop_seconds: how long the process may take to end by itself before it is killed.
        """
        self.name = name
        self.log = log
        self.command = [str(word) for word in command]
        self._ready = ready
        self._ready_seconds = ready_seconds
        self._stop_seconds = stop_seconds
        self._running: Running | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._running is not None and self._running.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, and before it ran."""
        return self._running.poll() if self._running is not None else None

    @property
    def pid(self) -> int:
        """Its process id; raises `ProcessFailedError` when it does not run."""
        if self._running is None or self._running.poll() is not None:
            raise ProcessFailedError(f"{self.name} does not run")
        return self._running.pid

    def start(self) -> None:
        """Start it and wait until it is ready; no-op while it runs."""
        if self.alive:
            return
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it and do not wait."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._running = self._launch()

    def _launch(self) -> Running:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*_tied_to_this_process(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )

    def wait_ready(self) -> None:
        """Wait for a launched process; stops it and raises when it dies or takes too long."""
        deadline = time.monotonic() + self._ready_seconds
        while not self._ready():
            if not self.alive:
                taken = "address already in use" in self._tail().lower()  # Go and Python differ in the first letter
                error = PortTakenError if taken else ProcessFailedError
                raise error(f"{self.name} ended at its start. {self.log} says:\n{self._tail()}")
            if time.monotonic() > deadline:
                self.stop(hard=True)
                raise ProcessFailedError(
                    f"{self.name} was not ready within {self._ready_seconds:.0f} s. {self.log} says:\n{self._tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, *, hard: bool = False) -> None:
        """End it and wait for its end; no-op when it does not run.

        Args:
            hard: kill it at once, as a crash or a lost machine would.
        """
        running, self._running = self._running, None
        if running is None:
            return
        running.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        try:
            running.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()

    def restart(self, *, hard: bool = False) -> None:
        """Stop it, then start it on the same port with the same data."""
        self.stop(hard=hard)
        self.start()

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(line[:500] for line in lines[-15:])


def start_on_free_ports(make: Callable[[], Process]) -> Process:
    """Start what `make` describes, again with other ports when somebody has just taken one of them."""
    for _ in range(_PORT_ATTEMPTS - 1):
        process = make()
        with contextlib.suppress(PortTakenError):
            process.start()
            return process
    process = make()
    process.start()
    return process


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without proxies and the user's kubeconfig: servers talk to each other."""
    hidden = {"kubeconfig", "http_proxy", "https_proxy", "all_proxy"}
    kept = {name: value for name, value in os.environ.items() if name.lower() not in hidden}
    return {**kept, **(extra or {})}


def _tied_to_this_process() -> list[str]:
    """Words before a command that make the kernel kill it when this process dies, however it dies.

    The kernel watches the thread that started the command, so this is for the main thread alone.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", "KILL", "--"]
