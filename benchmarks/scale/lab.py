"""Runs one load against one state of the operator: with its own control plane, Prometheus and played Pods."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from benchmarks.scale import history
from benchmarks.scale.apiserver import ApiServer
from benchmarks.scale.byhand import ByHand
from benchmarks.scale.kubelet import Kubelet
from benchmarks.scale.meters import Meters
from benchmarks.scale.pages import Pages
from cluster.controlplane import ControlPlane
from cluster.operators import GROUP, start_operator
from cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from benchmarks.scale.kubelet import Pod
    from benchmarks.scale.loads import Load
    from benchmarks.scale.meters import Reading
    from cluster.process import Process

NAMESPACE, OPERATOR_NAMESPACE = "scale", "scale-system"
_SCRAPE_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""That the operator is watched after the end of a load: what it uses then is what it uses at rest."""
_DEFAULTS = ("--poll-interval=2",)
"""Flags that put the operator's own default in the place of the tests'."""


@dataclass
class Run:
    """What happened; times are of the monotonic clock.

    Attributes:
        operator_started: when the operator's process was started, and `operator_ready` when its probe answered.
        began: when the jobs were created, or the operator started beside them.
        ended: when the load was over, before the operator was watched at rest.
        pods: in the order of their creation.
        longest_probe: seconds, at most, that the operator's probe took to answer.
        restarts: when the operator was killed, when it created a Pod again, and how many had ended meanwhile.
        peak: the operator's largest memory, in MiB, without suggestion processes.
    """

    load: Load
    operator_started: float = 0.0
    operator_ready: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    pods: list[Pod] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    longest_probe: float = 0.0
    restarts: list[tuple[float, float, int]] = field(default_factory=list)
    peak: float = 0.0


class Lab:
    """Everything that runs, inside an `async with` block.

    Args:
        load: what is measured.
        checkout: the operator's, with its resource definitions.
        folder: for logs and data.
        by_hand: create the same Pods without the operator and its objects.
    """

    def __init__(self, load: Load, checkout: Path, folder: Path, *, by_hand: bool = False) -> None:
        self._load, self._checkout, self._folder, self._by_hand = load, checkout, folder, by_hand
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.run = Run(load)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        enter = self._stack.enter_context
        plane = enter(ControlPlane(self._folder / "control-plane", manifests=[self._checkout / "crds"]))
        for namespace in (NAMESPACE, OPERATOR_NAMESPACE):
            plane.create_namespace(namespace)
        self._server = await self._stack.enter_async_context(ApiServer(plane.kubeconfig))
        self._kubelet = Kubelet(self._server, self._load.seconds, self._load.epochs)
        pages = await self._stack.enter_async_context(Pages(self._kubelet))
        self._prometheus = enter(
            Prometheus(
                self._folder / "prometheus",
                [pages.target],
                scrape_interval=_SCRAPE_SECONDS,
                limits={"honor_labels": True},
            )
        )
        self._kubeconfig = await self._grant(plane)
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._stack.callback(self._cancel)
        self._in_background(self._kubelet.run())
        self._processes = {
            "API server": plane.apiserver,
            "etcd": plane.etcd,
            "Prometheus": self._prometheus.process,
        }

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that never ends beside the load; if it fails, so does the benchmark."""
        self._tasks.append(self._group.create_task(work))

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _grant(self, plane: ControlPlane) -> Path:
        """Give the operator a service account, as in a cluster: an administrator's requests wait for nobody."""
        await self._server.create(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "scale"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "cluster-admin",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": OPERATOR_NAMESPACE}],
            },
        )
        return plane.kubeconfig_for_service_account(OPERATOR_NAMESPACE, "default")

    async def measure(self) -> Run:
        """Run the load to its end and watch the operator at rest."""
        run = self.run
        if self._by_hand:
            self._start_by_hand()
        else:
            await self._start_jobs()
        await self._wait()
        run.ended = time.monotonic()
        await asyncio.sleep(_IDLE_SECONDS)
        await self._meters.read(whole=True)
        run.peak = 0.0 if self._by_hand else _peak(self._processes["operator"])
        run.pods, run.readings = list(self._kubelet.pods.values()), self._meters.readings
        run.longest_probe = self._meters.longest_probe
        return run

    async def _start_jobs(self) -> None:
        before = self._load.finished_trials > 0
        if before:
            await self._prepare()
        self._start_operator()
        if not before or self._load.finished_jobs:
            await self._create_jobs()

    def _start_by_hand(self) -> None:
        self.run.began = time.monotonic()
        self._in_background(ByHand(self._server, self._kubelet, self._load, NAMESPACE).run())
        self._start_meters()

    async def _prepare(self) -> None:
        if self._load.finished_jobs:
            await history.finished_jobs(self._server, NAMESPACE, self._load)
        else:
            await self._create_jobs()
            job = await self._server.get(f"{GROUP}/namespaces/{NAMESPACE}/tuningjobs/job000")
            await history.finished_trials(self._server, self._load, job)

    def _start_operator(self) -> None:
        self.run.operator_started = self.run.began = time.monotonic()
        operator = start_operator(
            self._kubeconfig,
            [NAMESPACE],
            self._prometheus.url,
            self._folder / "operator.log",
            *_DEFAULTS,
            *self._load.flags,
            checkout=self._checkout,
        )
        self._stack.callback(operator.stop)
        self.run.operator_ready = time.monotonic()
        self._processes["operator"] = operator
        self._start_meters()

    def _start_meters(self) -> None:
        self._meters = Meters(self._server, self._kubelet, self._processes)
        self._in_background(self._meters.run())

    async def _create_jobs(self) -> None:
        path = f"{GROUP}/namespaces/{NAMESPACE}/tuningjobs"
        self.run.began = time.monotonic()
        for number in range(self._load.jobs):
            await self._server.create(path, self._load.manifest(NAMESPACE, number))

    async def _wait(self) -> None:
        """Wait until all trials have ended, or for as long as the load says; kill the operator on the way."""
        load = self._load
        total = load.jobs * load.trials - (0 if load.finished_jobs else load.finished_trials)
        deadline = time.monotonic() + 60 * load.minutes
        kill_at = load.kill * total if load.kill and not self._by_hand else None
        while (ended := self._kubelet.ended) < total and time.monotonic() < deadline:
            if kill_at is not None and ended >= kill_at:
                kill_at = None
                await self._kill()
            await asyncio.sleep(0.2)

    async def _kill(self) -> None:
        """Kill the operator, start it, and note when it creates a Pod."""
        operator = self._processes["operator"]
        operator.stop(hard=True)
        killed = time.monotonic()
        operator.launch()
        await asyncio.sleep(0.5)  # a request that was under way arrives
        ended = self._kubelet.ended
        self._kubelet.arrived.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._kubelet.arrived.wait(), 120)
        self.run.restarts.append((killed, time.monotonic(), self._kubelet.ended - ended))


def _peak(process: Process) -> float:
    """The most memory that a process has held, in MiB."""
    with open(f"/proc/{process.pid}/status") as status:  # noqa: PTH123 - no file
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
