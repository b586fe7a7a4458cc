"""A job in which a trial is paused and resumed, with a fault at every request of the passes around that."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.unit.simulation.connection import Fault
from tests.unit.simulation.objects import EPOCHS, new_job
from tests.unit.simulation.operator import SimulatedOperator, new_runner
from tests.unit.simulation.world import SimulatedPod, World

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

LIMITS = {"maxTrials": 4, "maxParallelTrials": 1}
CURVES = {
    1: (0.2, 0.3, 0.4, 0.6, 0.9),
    2: (0.3, 0.4, 0.5, 0.65, 0.7),
    3: (0.02, 0.03, 0.05, 0.5, 0.85),
    4: (0.25, 0.35, 0.45, 0.55, 0.65),
}
"""The first two change places late, so that the third, which is paused, may still become the best."""
KINDS = (("crash", False), ("crash", True), ("error", False), ("error", True), ("rival", True))


class Crossing(World):
    """Its trials measure these curves; the third waits after its third epoch until it is paused."""

    def value(self, number: int, epoch: int) -> float:
        return CURVES[number][epoch - 1]

    def _report(self, pod: SimulatedPod) -> None:
        if pod.name != "job-0003-1" or pod.reported < 3:
            super()._report(pod)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with new_runner() as runner:
        yield runner


class Play:
    """One history of the job; `phases` are those of the third trial, each with the pass that led there."""

    def __init__(self, runner: asyncio.Runner, **edits: object) -> None:
        self.runner = runner
        self.world = Crossing(new_job(1, LIMITS, None, "Pause"), 1)
        self.world.edit(**edits)
        self.phases: list[tuple[int, str]] = []
        self._passes = 0

    def until_it_ends(self, fault: Fault | None = None, at: int = 0) -> None:
        """Play; a fault strikes in one of the passes."""
        operator, rival = (SimulatedOperator(self.world, self.runner) for _ in range(2))
        self.world.rival = rival.make_pass
        for _ in range(150):
            self._passes += 1
            if not operator.reconcile(fault if self._passes == at else None):
                operator = SimulatedOperator(self.world, self.runner)
            self._note()
            if self.world.job.get("status", {}).get("phase") == "Completed":
                return
            self._live()
            operator.poll()
        raise AssertionError(f"the job does not end: {self.phases}")

    def _live(self) -> None:
        world = self.world
        world.now += timedelta(seconds=1)
        world.befall("reap all", 0)
        for pod in world.pods.values():
            if pod.runs and pod.reported == EPOCHS:
                world.befall("succeed", 0)
        world.befall("report all", 0)
        world.befall("start all", 0)
        world.scrape()

    def _note(self) -> None:
        third = self.world.trials.get("job-0003")
        phase = (third or {}).get("status", {}).get("phase", "Pending")
        if third and (not self.phases or self.phases[-1][1] != phase):
            self.phases.append((self._passes, phase))


RESUMED = ["Pending", "Running", "Stopping", "Paused", "Pending", "Running", "Collecting", "Completed"]


def _story(play: Play) -> list[str]:
    """The phases, without those that a slow or a quick pass may miss."""
    return [phase for _, phase in play.phases if phase != "Collecting"]


def test_it_is_paused_for_new_trials_and_resumed_from_its_checkpoint(runner: asyncio.Runner) -> None:
    play = Play(runner)
    play.until_it_ends()
    assert _story(play) == [phase for phase in RESUMED if phase != "Collecting"]
    status = play.world.trials["job-0003"]["status"]
    assert (status["attempt"], status["resumptions"], status["disruptions"]) == (2, 1, 0)
    assert status["curve"]["epochs"] == [1, 2, 3, 4, 5]
    assert "repeatedEpochs" not in status, "its checkpoint was that of its last epoch"
    saved = play.world.job["status"]["earlyStopping"]
    assert (saved["resumptions"], saved["repeatedEpochs"], saved["stopped"]) == (1, 0, 0)


def test_a_checkpoint_that_is_missing_costs_epochs_and_is_counted(runner: asyncio.Runner) -> None:
    play = Play(runner)
    play.world.checkpoints = _Forgetful()
    play.until_it_ends()
    status = play.world.trials["job-0003"]["status"]
    assert (status["phase"], status["resumptions"], status["repeatedEpochs"]) == ("Completed", 1, 2)


class _Forgetful(dict[str, int]):
    def get(self, _key: object, default: object = None) -> object:  # type: ignore[override]
        return default


def _struck(runner: asyncio.Runner) -> set[int]:
    """The passes from the decision to pause the third trial to its second Pod."""
    play = Play(runner)
    play.until_it_ends()
    return {at for at, phase in play.phases[2:] if phase in {"Stopping", "Paused", "Pending", "Running"}}


@pytest.mark.parametrize(("kind", "late"), KINDS)
def test_a_fault_at_any_request_changes_nothing(runner: asyncio.Runner, kind: str, late: bool) -> None:
    for at in sorted(_struck(runner)):
        for call in range(1, 6):
            play = Play(runner)
            play.until_it_ends(Fault(call, kind, late=late), at)
            status = play.world.trials["job-0003"]["status"]
            told = f"{kind} at request {call} of pass {at}: {play.phases}"
            assert (status["phase"], status["attempt"], status["resumptions"]) == ("Completed", 2, 1), told
            assert len(play.world.pods) <= 5, told
