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
from tuning_operator.runtime.queue import OUTAGE_BACKOFF, JobKey
from tuning_operator.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tuning_operator.runtime.kubernetes.cluster import Cluster

Body = dict[str, Any]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


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
        operator._spawn(operator._work("worker 0"), "worker 0")
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
    record = ["patch"] if kind == "create Pod" else []  # of its uid
    assert requests[-2 - len(record) :] == [kind, *record, "close"]
    assert requests.count(kind) == 1


def test_a_pass_that_hangs_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASS_SECONDS", 0.05)
    world = world_with_lost_pods()

    async def hang() -> None:
        server = Hanging(world)
        server.held.add("patch")
        async with running(server, workers=1) as operator:
            operator._spawn(operator._work("worker 0"), "worker 0")
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


def test_the_probe_blames_no_outage_but_a_part_that_stands_still() -> None:
    """An API server that lets each of many questions wait for 100 s, and the last one for ever."""
    clock = Clock()

    async def resync() -> list[str]:
        server = Hanging(World({}, 0))
        async with running(server, namespaces=("a", "b", "c", "d")) as operator:
            operator.heartbeats._clock = clock

            async def list_jobs(namespace: str) -> list[Body]:
                clock.now += 100
                assert operator.heartbeats.stuck() == []
                if namespace == "d":
                    server.asked.set()
                    await server.answer.wait()
                raise ApiError(ErrorKind.UNAVAILABLE, "no answer")

            server.list_jobs = list_jobs  # type: ignore[attr-defined]
            operator._spawn(operator._resync(), "resync")
            await server.asked.wait()
            clock.now += 100
            return operator.heartbeats.stuck()

    assert asyncio.run(resync()) == ["resync: no progress for 200 s"]


def test_a_resync_looks_at_jobs_that_have_something_to_do_and_the_first_one_loads_their_model() -> None:
    started: list[JobKey] = []

    def body(name: str, phase: str, **spec: Any) -> Body:
        status = {"phase": phase, "observedGeneration": 1}
        return {"metadata": {"name": name, "namespace": "ns", "generation": 1}, "spec": spec, "status": status}

    async def queued() -> list[JobKey | None]:
        server = Hanging(World({}, 0))

        async def list_jobs(_namespace: str) -> list[Body]:
            server.asked.set()
            idle = [body(f"idle-{number}", "Suspended", suspend=True) for number in range(600)]
            ended = [body("ended", "Completed", strategy="Bayesian")]
            return [*idle, *ended, body("resumed", "Suspended", strategy="Grid"), body("runs", "Running", **bayesian)]

        bayesian = {"strategy": "Bayesian"}

        server.list_jobs = list_jobs  # type: ignore[attr-defined]
        async with running(server, resync_interval=0.001) as operator:
            operator._suggester.start = started.append  # type: ignore[method-assign,assignment]
            operator._spawn(operator._resync(), "resync")
            for _ in range(2):
                await server.asked.wait()
                server.asked.clear()
                await asyncio.sleep(0)
            return [await operator.queue.get() for _ in range(len(operator.queue))]

    assert asyncio.run(queued()) == [JobKey("ns", "resumed"), JobKey("ns", "runs")]
    assert started == [JobKey("ns", "runs")]


@pytest.mark.parametrize("fails", [True, False])
def test_a_resync_looks_at_one_job_after_the_other_unless_it_has_looked_at_none(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look lists all that a job has, and meanwhile slots of others become free."""
    done: list[str | float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        done.append(seconds)
        if done.count("list") > 2:
            await sleep(3600)

    async def resync() -> None:
        server = Hanging(World({}, 0))

        async def list_jobs(_namespace: str) -> list[Body]:
            done.append("list")
            if done.count("list") > 2:
                server.asked.set()
            if fails and done.count("list") == 1:
                raise ApiError(ErrorKind.UNAVAILABLE, "no answer")
            names = ("a", "b")
            return [{"metadata": {"name": name, "namespace": "ns"}, "spec": {}, "status": {}} for name in names]

        server.list_jobs = list_jobs  # type: ignore[attr-defined]
        async with running(server, resync_interval=60.0) as operator:
            monkeypatch.setattr(operator.queue, "add_patient", lambda key: done.append(key.name))
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "sleep", note)
                operator._spawn(operator._resync(), "resync")
                await server.asked.wait()

    asyncio.run(resync())
    at_once, spread = ["list", "a", 0.0, "b", 0.0, 60.0], ["list", "a", 15.0, "b", 15.0, 30.0]
    expected = ["list", OUTAGE_BACKOFF, *at_once] if fails else [*at_once, *spread]
    assert done[: len(expected)] == expected


def pod(name: str, version: int, phase: str = "Running", job: str = "job", **metadata: Any) -> Body:
    labels = {"tuning-operator.dev/job": job} if job else {}
    about = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version), "labels": labels}
    return {
        "metadata": about | metadata,
        "spec": {"containers": [{"name": "train"}]},
        "status": {"phase": phase},
    }


async def heard(*events: tuple[str, Body]) -> tuple[list[JobKey], list[JobKey], list[str], int]:
    """The jobs that events of Pods lead to at once and soon, whose quota they free, and how many Pods are noted."""
    async with running(Hanging(World({}, 0))) as operator:
        freed: list[str] = []
        operator.reconciler.quota_freed = freed.append  # type: ignore[method-assign,assignment]
        for kind, body in events:
            operator._hear("pods", kind, body)
        soon = list(operator.queue._timers)
        keys = [key for _ in range(len(operator.queue)) if (key := await operator.queue.get())]
        return keys, soon, freed, len(operator._cluster.departed)


@pytest.mark.parametrize(("job", "keys"), [("job", [JobKey("ns", "job")]), ("", [])])
async def test_an_event_leads_to_the_job_of_its_label(job: str, keys: list[JobKey]) -> None:
    assert await heard(("MODIFIED", pod("job-0001-1", 1, "Failed", job=job))) == (keys, [], ["ns"], 0)


@pytest.mark.parametrize(
    ("kind", "phase", "freed", "noted"),
    [
        ("DELETED", "Running", True, 0),
        ("DELETED", "Succeeded", True, 1),
        ("MODIFIED", "Failed", True, 0),
        ("MODIFIED", "Running", False, 0),
        ("ADDED", "Pending", False, 0),
    ],
)
async def test_a_pod_that_ends_or_goes_frees_a_slot_and_quota_and_one_that_goes_is_noted(
    kind: str, phase: str, freed: bool, noted: int
) -> None:
    job = [JobKey("ns", "job")]
    lists = (job, []) if freed else ([], job)
    assert await heard((kind, pod("job-0001-1", 1, phase))) == (*lists, ["ns"] * freed, noted)


async def test_pods_that_start_together_have_one_pass() -> None:
    events = [("MODIFIED", pod(f"job-{number:04d}-1", number, "Running")) for number in range(1, 50)]
    assert await heard(*events) == ([], [JobKey("ns", "job")], [], 0)


def test_after_a_gap_the_jobs_are_looked_at_whose_events_may_have_been_missed() -> None:
    async def queued() -> list[JobKey | None]:
        async with running(Hanging(World({}, 0))) as operator:
            for job in ("one", "two"):
                await operator._store.pods(JobKey("ns", job))
            operator._look_again("jobs", "ns")
            operator._look_again("pods", "other")
            assert len(operator.queue) == 0
            operator._look_again("pods", "ns")
            return [await operator.queue.get() for _ in range(len(operator.queue))]

    assert asyncio.run(queued()) == [JobKey("ns", "one"), JobKey("ns", "two")]
