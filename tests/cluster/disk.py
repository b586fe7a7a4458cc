"""Looks whether the disk and the project's share of it have room before something large is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import paths
from tests.cluster.commands import run

if TYPE_CHECKING:
    from collections.abc import Sequence

_GIB = 1 << 30
LIMIT_GIB = 25  # for all that the project keeps outside the checkout
_SPARE_GIB = 2  # left to everything else on the disk


def require_room(gib: float, purpose: str) -> None:
    """End with one line when the project would grow beyond its limit, or the disk has no room."""
    require_free(gib, purpose)
    sizes = used_gib(folders())
    if (used := sum(sizes.values())) + gib > LIMIT_GIB:
        where = ", ".join(f"{folder} {size:.1f}" for folder, size in sizes.items())
        raise SystemExit(
            f"{purpose} needs {gib:.1f} GiB, but {used:.1f} of the project's {LIMIT_GIB} are in use ({where}): "
            "`uv cache prune` or `buildah rmi --prune` may make room"
        )


def require_free(gib: float, purpose: str) -> None:
    """End with one line when the disk has no room for `gib` more."""
    folder = paths.cache()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / _GIB
    if free < gib + _SPARE_GIB:
        raise SystemExit(f"{purpose} needs {gib + _SPARE_GIB:.0f} GiB of free disk at {folder}; {free:.0f} are free")


def folders() -> list[Path]:
    """Those that grow with the project: its cache, buildah's storage, and uv's cache, which the `.venv` links to."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    uv = Path(os.environ.get("UV_CACHE_DIR") or caches / "uv")
    buildah = Path(json.loads(run("buildah", "info"))["store"]["GraphRoot"])
    return [folder for folder in (paths.cache(), buildah, uv) if folder.is_dir()]


def used_gib(folders: Sequence[Path]) -> dict[Path, float]:
    """What folders occupy; a file counts once, however often it is linked.

    What is mounted in them does not count: a container's file system shows its image's files a second time.
    """
    # du fails when a file vanishes meanwhile, as files do in a running cluster, but counts the others.
    done = subprocess.run(
        ["du", "-sxk", *map(str, folders)], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    rows = [line.split("\t", 1) for line in done.stdout.splitlines()]
    return {Path(folder): int(kib) * 1024 / _GIB for kib, folder in rows}
