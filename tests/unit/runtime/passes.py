"""A job in a simulated cluster, one pass after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.simulation.objects import KEY, new_job
from tests.unit.simulation.operator import SimulatedOperator
from tests.unit.simulation.world import World
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    import asyncio

    from tests.unit.simulation.connection import Connection


Body = dict[str, Any]


class Bench:
    """A job in a simulated cluster, and an operator."""

    def __init__(self, runner: asyncio.Runner, **limits: int) -> None:
        self.world = World(new_job(7, {"maxTrials": 3, "maxParallelTrials": 2} | limits, None, "Off"), 7)
        self.runner = runner
        self.operator = SimulatedOperator(self.world, runner)

    @property
    def connection(self) -> Connection:
        return self.operator.connection

    @property
    def status(self) -> Body:
        status: Body = self.world.job["status"]
        return status

    def condition(self, kind: str) -> Body:
        found: Body = next(item for item in self.status["conditions"] if item["type"] == kind)
        return found

    def reconcile(self, passes: int = 1) -> None:
        for _ in range(passes):
            assert self.operator.reconcile()

    def restart(self) -> None:
        """Begin again as another process, which remembers nothing."""
        self.operator = SimulatedOperator(self.world, self.runner)

    def asked_trials(self) -> list[str]:
        """Names of trials that are asked for from now on; the list grows."""
        asked: list[str] = []
        works = self.connection.get_trial

        async def get_trial(namespace: str, name: str) -> Body:
            asked.append(name)
            return await works(namespace, name)

        self.connection.get_trial = get_trial  # type: ignore[method-assign,assignment]
        return asked

    def commit(self) -> None:
        """One pass that commits trials and whose Pods get no answer."""
        works = self.connection.create_attempt

        async def unanswered(namespace: str, body: Body, *, dry_run: bool = False) -> Body:
            if not dry_run:
                raise ApiError(ErrorKind.UNAVAILABLE, "no answer")
            return await works(namespace, body, dry_run=True)

        self.connection.create_attempt = unanswered  # type: ignore[method-assign,assignment]
        self.reconcile()
        self.connection.create_attempt = works  # type: ignore[method-assign]

    def report(self, message: str) -> None:
        self.runner.run(self.operator.reconciler.report_failure(KEY, message))
