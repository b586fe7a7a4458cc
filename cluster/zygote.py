"""Starts operators by forking a process that has loaded them already: a start takes milliseconds instead of seconds.

Each is a separate process, in its own session, that runs the same `main` as the command `tuning-operator`.
Reads one order a line as JSON on stdin, and answers with a process id or an exit code.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from cluster.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1


class Zygote:
    """The forking process, seen from the tests; it and its operators end with the test process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cluster.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self._turn = threading.Lock()
        assert self._ask({}) == 0, "the operator cannot be loaded"

    def close(self) -> None:
        """End it, and with it its operators."""
        self._process.kill()
        self._process.communicate()

    def fork(self, arguments: Sequence[str], kubeconfig: Path, log: Path) -> Child:
        """Start an operator.

        Args:
            arguments: Its flags.
            kubeconfig: Its way to the API server.
            log: File that its output is appended to.
        """
        order = {"arguments": [*arguments], "kubeconfig": str(kubeconfig), "log": str(log)}
        return Child(self._ask(order), lambda pid: self._ask({"ended": pid}))

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        with self._turn:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


class Child:
    """An operator that was forked, with what of `subprocess.Popen` the tests need."""

    def __init__(self, pid: int, reap: Callable[[int], int]) -> None:
        self.pid = pid
        self._reap = reap
        self._handle = os.pidfd_open(pid)  # it is not reaped before it is asked for, so the number is still its own
        self._code: int | None = None

    def fileno(self) -> int:
        """Readable once it has ended."""
        return self._handle

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        code = self._ended_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("operator", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, seconds: float | None) -> int | None:
        if self._code is None and select.select([self], [], [], seconds)[0]:
            self._code = self._reap(self.pid)
            os.close(self._handle)
        return self._code


def main() -> None:
    """Load the operator, then fork one, or tell how one has ended, for each line of input until that ends."""
    # What an operator needs is loaded here, and not in its suggestion processes.
    import tuning_operator.__main__  # noqa: PLC0415

    gc.freeze()
    while line := sys.stdin.readline():
        order, answer = json.loads(line), 0
        if "ended" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["ended"], 0)[1])
        elif order:
            answer = os.fork()
            if not answer:
                _become_operator(order, tuning_operator.__main__.main)
        print(answer, flush=True)


def _become_operator(order: Mapping[str, Any], run: Any) -> NoReturn:
    from kubernetes.aio.config import kube_config  # noqa: PLC0415

    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["KUBECONFIG"] = order["kubeconfig"]
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = order["kubeconfig"]  # read from the environment when it was loaded
    sys.argv = ["tuning-operator", *order["arguments"]]
    code = 1
    try:
        run()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - whatever ends an operator belongs in its log
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
