"""Operators that reconcile with a simulated cluster until they crash, and a Prometheus that scrapes it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from tests.unit.simulation.connection import Connection, Crash
from tests.unit.simulation.objects import KEY, copied
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.core.model.attempt import Scraping
from tuning_operator.core.suggest import suggest_without_model
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.events import EventRecorder
from tuning_operator.runtime.kubernetes.store import PODS, TRIALS, Store
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.poller import MetricsPoller
from tuning_operator.runtime.reconciler.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.unit.simulation.connection import Fault
    from tests.unit.simulation.objects import Body
    from tests.unit.simulation.world import World
    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.suggest import Suggestion, SuggestRequest
    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.prometheus.client import Prometheus
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.suggestions import Suggester


class FakePrometheus:
    """Answers with what has been scraped."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def curves(self, namespace: str, pods: Mapping[str, str], windows: Mapping[str, int]) -> dict[str, Curve]:
        """As `Prometheus.curves`."""
        assert (namespace, set(pods)) == (KEY.namespace, set(windows))
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return {pod: self._world.curve(int(pod.split("-")[-2]), self._world.scraped.get(pod, 0)) for pod in pods}

    async def progress(self, _namespace: str, windows: Mapping[str, int]) -> dict[str, float]:
        """As `Prometheus.progress`."""
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return {pod: float(self._world.scraped[pod]) for pod in windows if pod in self._world.scraped}

    async def scraping(self, _namespace: str, windows: Mapping[str, int], _gauges: object) -> dict[str, Scraping]:
        """As `Prometheus.scraping`."""
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return dict.fromkeys(windows, Scraping.WORKS)


class Inline(ThreadPoolExecutor):
    """Works at once and in no thread, so that a history is the same each time."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except ValueError as error:
            future.set_exception(error)
        return future


def new_runner() -> asyncio.Runner:
    """A loop in which nothing happens at the same time."""
    runner = asyncio.Runner()
    runner.get_loop().set_default_executor(Inline())
    return runner


class InstantSuggester:
    """Draws at random without a thread, so that a history is the same each time; sometimes it takes until later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: SuggestRequest | None = None

    def prepare(self, _job: JobKey, request: SuggestRequest) -> None:
        """As `Suggester.prepare`."""
        if not self._world.suggests_slowly:
            self._asked = request

    def take(self, _job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        """As `Suggester.take`: what was asked for before."""
        asked, self._asked = self._asked, request
        if asked is None or asked.numbers[0] != request.numbers[0]:
            return ()
        self._asked = None
        return tuple(item for item in suggest_without_model(asked) if item.number in request.numbers)

    def drop(self, _job: JobKey) -> None:
        """As `Suggester.drop`."""
        self._asked = None

    forget = drop


class SimulatedOperator:
    """One process of the operator: what it remembers dies with it."""

    def __init__(self, world: World, runner: asyncio.Runner, options: PodOptions | None = None) -> None:
        self.connection = Connection(world)
        cluster = cast("Cluster", self.connection)
        self._runner, self._world = runner, world
        prometheus = cast("Prometheus", FakePrometheus(world))
        self.poller = MetricsPoller(prometheus, 2.0, 300.0, lambda _: None, lambda: world.now)
        self.recorder = EventRecorder(cluster)
        self.is_live, self.hearing = True, "all"
        self.store = Store(cluster, lambda *_: self.is_live)
        self._heard: dict[str, dict[str, Body]] = {TRIALS: {}, PODS: {}}
        self._unheard: list[tuple[str, str, Body]] = []
        suggester = cast("Suggester", InstantSuggester(world))
        self.is_urgent = False
        self.reconciler = Reconciler(
            self.store,
            self.poller,
            suggester,
            self.recorder,
            options or PodOptions(),
            clock=lambda: world.now,
            is_urgent=lambda _: self.is_urgent,
        )

    def hear(self) -> None:
        """Have the watches tell what has changed since they were asked last: all of it, or less, later or never."""
        for kind, before in self._heard.items():
            now = {body["metadata"]["uid"]: body for body in self._world.listed(kind).items}
            for uid, body in now.items():
                if uid not in before or before[uid]["metadata"] != body["metadata"]:
                    self._unheard.append((kind, "MODIFIED" if uid in before else "ADDED", body))
            for uid in before.keys() - now.keys():
                self._world.versions += 1
                metadata = before[uid]["metadata"] | {"resourceVersion": str(self._world.versions)}
                self._unheard.append((kind, "DELETED", before[uid] | {"metadata": metadata}))
            self._heard[kind] = now
        if self.hearing == "late":
            return
        events, self._unheard = self._unheard, []
        if self.hearing == "gap":
            self.resync()
        if self.hearing in {"gap", "never"}:
            return
        if self.hearing == "one":
            events, self._unheard = events[:1], events[1:]
        for event in reversed(events) if self.hearing == "backwards" else events:
            self.store.heard(*copied(event))

    def resync(self) -> None:
        """Have the next pass look at everything."""
        self.store.doubt_job(KEY)

    def reconcile(self, fault: Fault | None = None) -> bool:
        """Run one pass, which may fail; False when the process has died of it."""
        self.hear()
        self.connection.expect(fault)
        try:
            self._runner.run(self.make_pass())
        except Crash:
            return False
        return True

    def poll(self) -> None:
        """Ask Prometheus, if any Pod is of interest."""
        for namespace in self.poller.namespaces:
            self._runner.run(self.poller.poll(namespace))

    async def make_pass(self) -> None:
        """One pass, which may fail."""
        try:
            await self.reconciler.reconcile(KEY)
        except ApiError as error:
            gone = error.kind is ErrorKind.NOT_FOUND and self._world.deleted
            if error.kind not in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT} and not gone:
                raise
        await self.recorder.drain()
