"""The cluster's processes: each in its own control group, those of the node in a private mount namespace."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import TYPE_CHECKING

from cluster import cgroups, host, packages, paths
from cluster.process import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Joins the control group named first, then becomes the rest.
_JOIN = 'echo $$ > "$1"; shift; exec "$@"'
# In a mount namespace from which nothing reaches the host's: puts its own folders in place of those named (pairs, up
# to a dash), then becomes the rest.
_ENCLOSE = 'mount --make-rshared /; while [ "$1" != - ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@"'


def log(name: str) -> Path:
    """The file with a daemon's output."""
    return paths.state() / "log" / f"{name}.log"


def start(name: str, command: Sequence[str | Path]) -> None:
    """Start a daemon and do not wait for it."""
    log(name).parent.mkdir(parents=True, exist_ok=True)
    _command_file(name).parent.mkdir(parents=True, exist_ok=True)
    _command_file(name).write_text(json.dumps([str(word) for word in command]))
    join = ["sh", "-ec", _JOIN, "sh", str(cgroups.entry(name))]
    with log(name).open("wb") as output:
        started = subprocess.Popen(
            [*join, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=paths.state(),
            env=environment({"PATH": packages.PATH}),
        )
    while not cgroups.running(name) and started.poll() is None:
        time.sleep(0.005)


def restart(name: str) -> None:
    """Kill a daemon and start it as it was started before."""
    command = json.loads(_command_file(name).read_text())
    cgroups.kill(name)
    start(name, command)


def start_enclosed(name: str, command: Sequence[str | Path]) -> None:
    """Start a daemon in a new mount namespace, where `host.PRIVATE_FOLDERS` are the cluster's own."""
    pairs: list[str | Path] = []
    for folder in host.PRIVATE_FOLDERS:
        own = private(folder)
        own.mkdir(parents=True, exist_ok=True)
        pairs += [own, folder]
    unshare = ["unshare", "--mount", "--propagation", "slave", "sh", "-ec", _ENCLOSE, "sh"]
    start(name, [*unshare, *pairs, "-", *command])


def start_beside(name: str, neighbour: str, command: Sequence[str | Path]) -> None:
    """Start a daemon in the mount namespace of another one."""
    pid = min(cgroups.running(neighbour))
    start(name, ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", *command])


def private(folder: str) -> Path:
    """What the cluster's mount namespace has in place of one of the host's folders."""
    return paths.state() / "private" / folder.strip("/").replace("/", "-")


def wait(name: str, ready: Callable[[], bool], seconds: float) -> None:
    """Wait for what a daemon brings about (`OSError`: not yet); ends with its last words when it dies or is slow."""
    deadline = time.monotonic() + seconds
    while not _says_yes(ready):
        if not cgroups.running(name):
            raise SystemExit(f"{name} ended at its start. {_last_words(name)}")
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} was not ready within {seconds:.0f} s. {_last_words(name)}")
        time.sleep(0.1)


def _command_file(name: str) -> Path:
    return paths.state() / "commands" / f"{name}.json"


def _says_yes(ready: Callable[[], bool]) -> bool:
    with contextlib.suppress(OSError):
        return ready()
    return False


def _last_words(name: str) -> str:
    lines = log(name).read_text(errors="replace").splitlines()[-12:]
    return f"{log(name)} says:\n" + "\n".join(line[:400] for line in lines)
