from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tuning_trainer import machine

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu_DOT_max": "max 100000"}, None),
        ({"cpu_DOT_max": "70000 100000"}, 0.7),
        ({"cpu__cpu_DOT_cfs_quota_us": "-1"}, None),
        ({"cpu__cpu_DOT_cfs_quota_us": "150000", "cpu__cpu_DOT_cfs_period_us": "100000"}, 1.5),
    ],
)
def test_quota(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    assert machine.quota(write(tmp_path, **files)) == cores


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("", None)])
def test_cpu_count(monkeypatch: pytest.MonkeyPatch, text: str, count: int | None) -> None:
    monkeypatch.setenv("TUNING_CPU_THREADS", text)
    monkeypatch.setattr(machine, "quota", lambda: 0.7)
    assert machine.cpu_count() == (count or 1)
    monkeypatch.setattr(machine, "quota", lambda: None)
    assert machine.cpu_count() == (count or machine.available_cores())


@pytest.mark.parametrize("text", ["0", "two", "1.5", "-1"])
def test_a_bad_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TUNING_CPU_THREADS", text)
    with pytest.raises(ValueError, match=f"TUNING_CPU_THREADS is '{text}': give an integer from 1"):
        machine.cpu_count()


def test_free_memory_is_what_the_limit_leaves(tmp_path: Path) -> None:
    machine_wide = machine.free_memory(tmp_path)
    assert machine_wide > 0
    assert machine.free_memory(write(tmp_path, memory_DOT_max="1000000", memory_DOT_current="400000")) == 600_000
    assert machine.free_memory(write(tmp_path, memory_DOT_max="max")) > 600_000


@pytest.fixture
def no_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system that lacks what Linux alone has, as macOS does."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for name in ("CGROUPS", "MEMORY", "SHARED_MEMORY"):
        monkeypatch.setattr(machine, name, tmp_path / "missing")


@pytest.mark.usefixtures("no_linux")
def test_another_system_has_the_machines_cores_and_half_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNING_CPU_THREADS", raising=False)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.available_cores() == os.cpu_count()
    assert machine.cpu_count() >= 1
    assert machine.free_memory(machine.CGROUPS) == machine.shared_memory() == whole // 2
