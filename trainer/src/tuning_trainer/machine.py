"""What this process may use of its machine: processor cores and memory.

In a container that is less than all. On systems other than Linux, which do not say, it is the machine's.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMORY = Path("/proc/meminfo")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - not a temporary file


def cpu_count() -> int:
    """Return cores to use: TUNING_CPU_THREADS, else the smaller of the affinity mask and the control group's quota.

    Raises:
        ValueError: TUNING_CPU_THREADS is not a positive integer.
    """
    text = os.environ.get("TUNING_CPU_THREADS", "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"the environment variable TUNING_CPU_THREADS is {text!r}: give an integer from 1")
        return int(text)
    cores, limit = available_cores(), quota()
    return cores if limit is None else max(1, min(cores, round(limit)))


def available_cores() -> int:
    """Return the cores in this process's affinity mask, or the machine's if there is no mask."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota(root: Path = CGROUPS) -> float | None:
    """Return the control group's share of the processor in cores, if it is limited."""
    text = _read(root / "cpu.max")
    if text is not None:
        share, period = text.split()
        return None if share == "max" else int(share) / int(period)
    share = _read(root / "cpu/cpu.cfs_quota_us") or "-1"
    return None if int(share) <= 0 else int(share) / int(_read(root / "cpu/cpu.cfs_period_us") or 100_000)


def free_memory(root: Path = CGROUPS) -> int:
    """Return bytes that this process may still take: what the machine has, or what the control group's limit leaves."""
    available = _available_memory()
    limit = _number(root / "memory.max", root / "memory/memory.limit_in_bytes")
    if limit is None:
        return available
    usage = _number(root / "memory.current", root / "memory/memory.usage_in_bytes") or 0
    return max(0, min(available, limit - usage))


def shared_memory() -> int:
    """Return the bytes that processes may still share; only Linux counts these separately."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else free_memory()


def _available_memory() -> int:
    """Return the bytes that the machine has left, or half of its memory if it does not say."""
    for line in (_read(MEMORY) or "").splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _number(*paths: Path) -> int | None:
    """Return the limit in the first file that exists; None for `max`."""
    text = next((text for text in map(_read, paths) if text is not None), "max")
    return None if text == "max" else int(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
