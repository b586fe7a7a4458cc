"""Looks whether the disk has room before something large is written to it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.cluster import paths
from tests.cluster.commands import run

if TYPE_CHECKING:
    from pathlib import Path

_GIB = 1 << 30
LIMIT_GIB = 25  # for all that the project keeps in its cache folder
_SPARE_GIB = 2  # left to everything else on the disk


def require_room(gib: float, purpose: str) -> None:
    """End with one line when the cache folder would grow beyond its limit, or the disk has no room."""
    require_free(gib, purpose)
    folder = paths.cache()
    if (used := used_gib(folder)) + gib > LIMIT_GIB:
        raise SystemExit(f"{purpose} needs {gib:.0f} GiB, but {folder} has {used:.0f} of its {LIMIT_GIB} GiB already")


def require_free(gib: float, purpose: str) -> None:
    """End with one line when the disk has no room for `gib` more."""
    folder = paths.cache()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / _GIB
    if free < gib + _SPARE_GIB:
        raise SystemExit(f"{purpose} needs {gib + _SPARE_GIB:.0f} GiB of free disk at {folder}; {free:.0f} are free")


def used_gib(folder: Path) -> float:
    """What a folder occupies."""
    return int(run("du", "-sxk", str(folder)).split()[0]) * 1024 / _GIB
