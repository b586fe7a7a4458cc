"""The process around the passes: shutdown, hanging requests, and what its probe says about them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.simulation.connection import Connection
from tests.unit.simulation.objects import KEY, new_job
from tests.unit.simulation.operator import SimulatedOperator
from tests.unit.simulation.world import World
from tuning_operator.runtime import operator as module
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.operator import Operator
from tuning_operator.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tuning_operator.runtime.kubernetes.cluster import Cluster

Body = dict[str, Any]


class Hanging(Connection):
    """An API server whose answers to some requests are held back."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.held: set[str] = set()
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.requests: list[str] = []

    async def patch_trial_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        await self._hold("patch")
        return await super().patch_trial_status(namespace, name, status, version)

    async def create_attempt(self, namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        await self._hold("create Pod")
        return await super().create_attempt(namespace, body, dry_run=dry_run)

    async def create_trial(self, namespace: str, body: Body) -> Body:
        await self._hold("create trial")
        return await super().create_trial(namespace, body)

    async def list_jobs(self, _namespace: str) -> list[Body]:
        return []

    async def newest_version(self, _plural: str, _namespace: str) -> str:
        await asyncio.Event().wait()  # so that there is no watch
        raise AssertionError

    async def close(self) -> None:
        self.requests.append("close")

    async def _hold(self, request: str) -> None:
        self.requests.append(request)
        if request in self.held:
            self.asked.set()
            await self.answer.wait()


def world_with_lost_pods(trials: int = 1) -> World:
    """A job whose trials ran when their Pods vanished: the next pass records that, and creates other Pods."""
    world = World(new_job(7, {"maxTrials": trials, "maxParallelTrials": trials}, None, "Off"), 7)
    with asyncio.Runner() as runner:
        before = SimulatedOperator(world, runner)
        while len(world.pods) < trials:
            before.reconcile()
        world.befall("start all", 0)
        before.reconcile()
        world.befall("vanish all", 0)
    assert (world.pods, len(world.trials)) == ({}, trials)
    return world


@contextlib.asynccontextmanager
async def running(server: Hanging, **settings: Any) -> AsyncIterator[Operator]:
    known: dict[str, Any] = {"namespaces": ("ns",), "prometheus_url": "http://127.0.0.1:9"}
    operator = Operator(Settings(**(known | settings)), cast("Cluster", server))
    try:
        yield operator
    finally:
        server.answer.set()
        await operator.stop()


async def requests_when_it_ends_during(request_: str, world: World) -> list[str]:
    """All requests of an operator that is asked to end while the first one of this kind has no answer yet."""
    server = Hanging(world)
    server.held.add(request_)
    async with running(server, workers=1) as operator:
        operator.start()
        operator.queue.add(KEY)
        await server.asked.wait()
        operator.queue.add(KEY)  # what comes now is left to the next operator
        stopping = asyncio.create_task(operator.stop())
        await asyncio.sleep(0)
        server.answer.set()
        await stopping
        return list(server.requests)


def test_at_the_end_what_was_decided_is_recorded_and_nothing_is_started() -> None:
    world = world_with_lost_pods()
    assert asyncio.run(requests_when_it_ends_during("patch", world)) == ["patch", "close"]
    assert world.trials["job-0001"]["status"]["attempt"] == 2
    assert world.pods == {}


@pytest.mark.parametrize("kind", ["create Pod", "create trial"])
def test_at_the_end_only_the_first_of_several_is_started(kind: str) -> None:
    world = world_with_lost_pods(2)
    world.edit(limits={"maxTrials": 4, "maxParallelTrials": 4})
    requests = asyncio.run(requests_when_it_ends_during(kind, world))
    assert requests[-2:] == [kind, "close"]
    assert requests.count(kind) == 1


def test_a_pass_that_hangs_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASS_SECONDS", 0.05)
    world = world_with_lost_pods()

    async def hang() -> None:
        server = Hanging(world)
        server.held.add("patch")
        async with running(server, workers=1) as operator:
            operator.start()
            operator.queue.add(KEY)
            await server.asked.wait()
            server.held.clear()  # only the first request is never answered
            async with asyncio.timeout(30):
                while not world.pods:  # noqa: ASYNC110 - what is waited for is state of the code under test
                    await asyncio.sleep(0.01)
            assert operator.heartbeats.stuck() == []

    asyncio.run(hang())
    assert set(world.pods) == {"job-0001-2"}


@pytest.mark.parametrize("served", [{"pods"}, {"pods", "tuningjobs"}, {"pods", "tuningjobs", "tuningtrials"}])
def test_an_operator_that_would_not_hear_of_something_ends(monkeypatch: pytest.MonkeyPatch, served: set[str]) -> None:
    """As when it is started before the CRDs are served; it waits for an API server that does not answer yet."""
    monkeypatch.setattr(module, "OUTAGE_BACKOFF", 0.0)
    answers: list[set[str] | ApiError] = [ApiError(ErrorKind.UNAVAILABLE, "no answer"), served]

    async def fails() -> bool:
        server = Hanging(World({}, 0))
        async with running(server, namespaces=()) as operator:

            async def discover() -> set[str]:
                answer = answers.pop(0)
                if isinstance(answer, ApiError):
                    raise answer
                return answer

            server.served = discover  # type: ignore[attr-defined]
            await operator.require_served()
            return operator.end.done() and operator.end.result()

    assert asyncio.run(fails()) == (len(served) < 3)
    assert answers == []
