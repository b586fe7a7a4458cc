from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cluster import disk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_file_that_two_folders_share_counts_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "file").write_bytes(os.urandom(8 * MIB))
    (two / "link").hardlink_to(one / "file")
    sizes = disk.used_gib([one, two])
    assert list(sizes) == [one, two]
    assert sum(sizes.values()) * 1024 == pytest.approx(8, abs=1)


def test_all_that_the_project_fills_counts_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {tmp_path / "cache": 10.0, tmp_path / "storage": 9.0, tmp_path / "uv": 4.0}
    monkeypatch.setattr(disk, "require_free", lambda *_: None)
    monkeypatch.setattr(disk, "folders", lambda: list(sizes))
    monkeypatch.setattr(disk, "used_gib", lambda folders: {folder: sizes[folder] for folder in folders})
    disk.require_room(1.9, "loading")
    with pytest.raises(SystemExit) as refused:
        disk.require_room(2.1, "loading")
    said = str(refused.value)
    assert "2.1 GiB, but 23.0 of the project's 25" in said
    assert all(f"{folder} {size}" in said for folder, size in sizes.items())


def test_buildahs_storage_and_uvs_cache_are_among_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, storage, uv = tmp_path / "cache", tmp_path / "storage", tmp_path / "home" / "uv"
    for folder in (cache, storage, uv):
        folder.mkdir(parents=True)
    monkeypatch.setenv("TUNING_OPERATOR_CACHE", str(cache))
    monkeypatch.setenv("XDG_CACHE_HOME", str(uv.parent))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setattr(disk, "run", lambda *_: f'{{"store": {{"GraphRoot": "{storage}"}}}}')
    assert disk.folders() == [cache, storage, uv]
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "nowhere"))
    assert disk.folders() == [cache, storage]
