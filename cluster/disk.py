"""Looks whether the disk and the project's share of it have room before something large is written."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from cluster import paths

if TYPE_CHECKING:
    from pathlib import Path

_GIB = 1 << 30
# For the cache folder. buildah's storage and uv's cache, which other projects may fill as well, take another 11 of the
# 25 that the project may have; what bounds those is the room on the disk.
LIMIT_GIB = 15
_SPARE_GIB = 2  # left to everything else on the disk


def require_room(gib: float, purpose: str) -> None:
    """End with one line when the cache folder would grow beyond its limit, or the disk has no room."""
    require_free(gib, purpose)
    used = used_gib(paths.cache())
    if used + gib > LIMIT_GIB:
        raise SystemExit(
            f"{purpose} needs {gib:.1f} GiB, but {used:.1f} of {LIMIT_GIB} are in use in {paths.cache()}: "
            "after `make cluster-down` that folder can be removed, and is recreated"
        )


def require_free(gib: float, purpose: str) -> None:
    """End with one line when the disk has no room for `gib` more."""
    folder = paths.cache()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / _GIB
    if free < gib + _SPARE_GIB:
        raise SystemExit(f"{purpose} needs {gib + _SPARE_GIB:.0f} GiB of free disk at {folder}; {free:.0f} are free")


def used_gib(folder: Path) -> float:
    """What a folder occupies; a file counts once, however often it is linked.

    What is mounted in it does not count: a container's file system shows its image's files a second time.
    """
    # du fails when a file vanishes meanwhile, as files do in a running cluster, but counts the others.
    done = subprocess.run(
        ["du", "-sxk", str(folder)], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    return int(done.stdout.split("\t", 1)[0]) * 1024 / _GIB
