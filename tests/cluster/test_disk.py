from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cluster import disk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_file_that_has_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(8 * MIB))
    (tmp_path / "link").hardlink_to(tmp_path / "file")
    assert disk.used_gib(tmp_path) * 1024 == pytest.approx(8, abs=1)


def test_the_cache_folder_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_OPERATOR_CACHE", str(tmp_path))
    monkeypatch.setattr(disk, "require_free", lambda *_: None)
    monkeypatch.setattr(disk, "used_gib", lambda _: 13.0)
    disk.require_room(1.9, "loading")
    with pytest.raises(SystemExit, match=rf"loading needs 2\.1 GiB, but 13\.0 of 15 are in use in {tmp_path}"):
        disk.require_room(2.1, "loading")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNING_OPERATOR_CACHE", str(tmp_path))
    with pytest.raises(SystemExit, match=f"loading needs 1000002 GiB of free disk at {tmp_path}"):
        disk.require_free(1_000_000, "loading")
