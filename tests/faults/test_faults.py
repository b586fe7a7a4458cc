"""The subset of the sweep that runs with all other tests: every promise, under faults of nearly every kind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cluster.controlplane import ControlPlane
from tests.faults.__main__ import CRDS, play_all
from tests.faults.lab import Lab, Result
from tests.faults.scenarios import reference, subset

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults

SCENARIOS = [reference(), *subset()]
PARALLEL = 6


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return asyncio.run(_play(tmp_path_factory.mktemp("faults")))


async def _play(directory: Path) -> dict[str, Result]:
    with ControlPlane(directory / "control-plane", manifests=[CRDS]) as control_plane:
        async with Lab(control_plane, directory / "runs") as lab:
            played = await play_all(lab, lambda _: SCENARIOS[1:], PARALLEL)
    return {result.scenario.name: result for result in played}


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_all_promises_are_kept(results: dict[str, Result], name: str) -> None:
    result = results[name]
    assert result.violations == ()
    assert result.injected or result.scenario.kind in {"none", "two operators"}, "the fault did not happen"
