"""Starts operators by forking a process that has loaded them already: a start takes milliseconds instead of seconds.

Each is a process of its own, in a session of its own, that runs the same `main` as the command `tuning-operator`.
Reads one order a line as JSON on stdin and answers with the new process's id.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1


class Zygote:
    """The forking process, seen from the tests."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.zygote", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._turn = asyncio.Lock()
        assert self._process.stdout
        assert await self._process.stdout.readline(), "the operator cannot be loaded"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()  # its operators die with it
        await self._process.wait()

    async def fork(self, arguments: Sequence[str], kubeconfig: Path, log: Path) -> int:
        """Start an operator and return its process id.

        Args:
            arguments: Its flags.
            kubeconfig: Its way to the API server.
            log: File that its output is appended to.
        """
        order = {"arguments": [*arguments], "kubeconfig": str(kubeconfig), "log": str(log)}
        assert self._process.stdin
        assert self._process.stdout
        async with self._turn:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return int(await self._process.stdout.readline())


def main() -> None:
    """Load the operator, then fork one for each line of input until that ends."""
    import kopf  # noqa: F401, PLC0415 - what an operator needs is loaded here, and not in its suggestion processes

    import tuning_operator.__main__  # noqa: PLC0415

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            _become_operator(json.loads(line), tuning_operator.__main__.main)
        print(child, flush=True)


def _become_operator(order: Mapping[str, Any], run: Any) -> NoReturn:
    from kubernetes.aio.config import kube_config  # noqa: PLC0415

    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
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
    except BaseException:  # noqa: BLE001 - whatever ends an operator belongs into its log
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
