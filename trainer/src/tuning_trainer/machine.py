"""What this container may use of its machine: processor cores and memory."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cpu_count() -> int:
    """Cores to use: TUNING_CPU_THREADS, else the smaller of the affinity mask and the control group's quota.

    Raises:
        ValueError: TUNING_CPU_THREADS is no integer from 1.
    """
    text = os.environ.get("TUNING_CPU_THREADS", "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"the environment variable TUNING_CPU_THREADS is {text!r}: give an integer from 1")
        return int(text)
    cores, limit = len(os.sched_getaffinity(0)), quota()
    return cores if limit is None else max(1, min(cores, round(limit)))


def quota(root: Path = CGROUPS) -> float | None:
    """The control group's share of the processor in cores, if it is limited."""
    text = _read(root / "cpu.max")
    if text is not None:
        share, period = text.split()
        return None if share == "max" else int(share) / int(period)
    share = _read(root / "cpu/cpu.cfs_quota_us") or "-1"
    return None if int(share) <= 0 else int(share) / int(_read(root / "cpu/cpu.cfs_period_us") or 100_000)


def free_memory(root: Path = CGROUPS) -> int:
    """Bytes that this process may still take: what the machine has, or what the control group's limit leaves."""
    available = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )
    limit = _number(root / "memory.max", root / "memory/memory.limit_in_bytes")
    if limit is None:
        return available
    usage = _number(root / "memory.current", root / "memory/memory.usage_in_bytes") or 0
    return max(0, min(available, limit - usage))


def _number(*paths: Path) -> int | None:
    """What the first of the files says that exists; `max` is none."""
    text = next((text for text in map(_read, paths) if text is not None), "max")
    return None if text == "max" else int(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
