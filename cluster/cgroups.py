"""A control group of the cluster's own, which names every process that belongs to it, containers included.

Process ids in files go stale and may name another's process; a control group cannot. Version 1 (one hierarchy for each
controller) and version 2 are both served.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/tuning-operator-test"
_MOUNT = Path("/sys/fs/cgroup")
_KILL_SECONDS = 20.0


def create() -> None:
    """Make the group; kubelet expects it with all controllers."""
    if _is_version_2():
        for controller in (_MOUNT / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):  # a controller that this kernel cannot hand down is not needed
                (_MOUNT / "cgroup.subtree_control").write_text(f"+{controller}")
    for hierarchy in _hierarchies():
        _group(hierarchy).mkdir(exist_ok=True)


def entry(daemon: str) -> Path:
    """The file to which a process writes its id in order to belong to this daemon's group."""
    folder = _group(_tracking()) / "daemons" / daemon
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "cgroup.procs"


def running(daemon: str) -> list[int]:
    """The process ids in a daemon's group."""
    return _ids(_group(_tracking()) / "daemons" / daemon / "cgroup.procs")


def processes() -> list[int]:
    """All process ids of the cluster."""
    return [pid for path in _group(_tracking()).rglob("cgroup.procs") for pid in _ids(path)]


def kill(daemon: str) -> None:
    """Kill one daemon and what it started."""
    _kill_all(lambda: running(daemon))


def remove() -> None:
    """Kill every process of the cluster and remove the group."""
    _kill_all(processes)
    for hierarchy in _hierarchies():
        folders = [path for path in _group(hierarchy).rglob("*") if path.is_dir()]
        for folder in [*sorted(folders, reverse=True), _group(hierarchy)]:
            with contextlib.suppress(FileNotFoundError):
                _remove_folder(folder)


def _kill_all(listed: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while alive := [pid for pid in listed() if not _is_zombie(pid)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"these processes do not end after SIGKILL: {alive}")
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _remove_folder(folder: Path) -> None:
    """A group stays busy for a moment after its last process has ended."""
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        try:
            folder.rmdir()
        except OSError as error:
            if isinstance(error, FileNotFoundError) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _ids(path: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(line) for line in path.read_text().split()]
    return []


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _group(hierarchy: Path) -> Path:
    return hierarchy / ROOT.lstrip("/")


def _tracking() -> Path:
    """The hierarchy in which the processes are looked up; containers are in all of them."""
    return _MOUNT if _is_version_2() else _MOUNT / "pids"


def _hierarchies() -> list[Path]:
    if _is_version_2():
        return [_MOUNT]
    return [path for path in _MOUNT.iterdir() if path.is_dir() and (path / "cgroup.procs").exists()]


def _is_version_2() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()
