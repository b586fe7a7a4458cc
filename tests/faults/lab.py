"""One run: a script is played in its own namespace while something goes wrong, and judged.

Many runs share one control plane and one Prometheus; operator and proxies are each run's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp import web

from cluster import kubeconfig
from cluster.operators import GROUP
from cluster.ports import free_ports
from cluster.prometheus import Prometheus, Target
from cluster.zygote import Zygote
from tests.faults.faults import Quiet
from tests.faults.history import History
from tests.faults.kubelet import NODE, Kubelet
from tests.faults.operators import Operator
from tests.faults.proxy import Proxy, kubernetes_call, prometheus_call
from tests.faults.script import Script, some_jobs
from tests.faults.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cluster.controlplane import ControlPlane
    from tests.faults.server import Body

RECOVERY_SECONDS = 10.0
"""Within this time after a fault every job continues."""
STANDSTILL_SECONDS = 90.0
HEAVY_SECONDS = 120.0
"""What loading PyTorch may take on a busy machine, where many runs share two cores; alone it takes some."""
QUIET_SECONDS = 1.0
SCRAPE_SECONDS = 0.5
FLAGS = ("--poll-interval=0.2", "--log-format=plain")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Scenario:
    """What goes wrong, and in which play.

    Attributes:
        kind: Scenarios of a kind are summed up in the report.
        api: Makes the fault between operator and API server.
        metrics: Makes the fault between operator and Prometheus.
        script: What is played.
        flags: More flags for the operator.
        operators: How many of them run at once.
        own_prometheus: Whether Prometheus is this run's own.
        is_heavy: Whether suggestions come from the model: then counts and phases are as scripted, but which parameters
            are drawn depends on who is faster; and a restart loads PyTorch first, however long that takes.
    """

    name: str
    kind: str
    api: Callable[[Run], Quiet] = lambda _: Quiet()
    metrics: Callable[[Run], Quiet] = lambda _: Quiet()
    script: Script = field(default_factory=some_jobs)
    flags: tuple[str, ...] = ()
    operators: int = 1
    own_prometheus: bool = False
    is_heavy: bool = False


@dataclass(frozen=True)
class Result:
    """How a run went.

    Attributes:
        recovery: The longest time that a job stood still after the fault's end; seconds.
        ends: How often the operator ended by itself.
    """

    scenario: Scenario
    seconds: float
    recovery: float
    writes: int
    ends: int
    injected: Counter[str]
    violations: tuple[str, ...]
    end_state: Body


def failed(scenario: Scenario, error: Exception) -> Result:
    """The result of a run that went wrong by itself."""
    return Result(scenario, 0.0, 0.0, 0, 0, Counter(), (f"the run failed: {error!r}",), {})


class Lab:
    """What all runs share, inside an `async with` block."""

    def __init__(
        self, control_plane: ControlPlane, directory: Path, recovery_seconds: float = RECOVERY_SECONDS
    ) -> None:
        self.recovery_seconds = recovery_seconds
        self.control_plane = control_plane
        self.directory = directory
        self._runs: dict[str, Run] = {}

    async def __aenter__(self) -> Self:
        shutil.rmtree(self.directory, ignore_errors=True)
        async with contextlib.AsyncExitStack() as stack:
            self.server = await stack.enter_async_context(Server(self.control_plane.kubeconfig))
            self.zygote = stack.enter_context(contextlib.closing(Zygote()))
            self.target = await self._serve_metrics(stack)
            self.prometheus = stack.enter_context(self.new_prometheus("prometheus"))
            if await self.server.get(f"/api/v1/nodes/{NODE}") is None:
                node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
                await self.server.call("POST", "/api/v1/nodes", node)
            watching = asyncio.create_task(self.server.observe(self._saw))
            stack.callback(watching.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def new_prometheus(self, name: str) -> Prometheus:
        """A Prometheus that scrapes the Pods of all runs."""
        return Prometheus(self.directory / name, [self.target], scrape_interval=SCRAPE_SECONDS)

    async def play(self, scenario: Scenario, reference: Body | None = None) -> Result:
        """Play a scenario, and compare its end with that of a run without faults."""
        namespace = await asyncio.to_thread(self.control_plane.create_namespace, f"faults-{next(_numbers)}")
        run = Run(self, scenario, namespace)
        self._runs[namespace] = run
        try:
            return await run.play(reference)
        finally:
            del self._runs[namespace]

    def _saw(self, resource: str, kind: str, body: Body) -> None:
        run = self._runs.get(body["metadata"]["namespace"])
        if run is not None:
            run.saw(resource, kind, body)

    async def _serve_metrics(self, stack: contextlib.AsyncExitStack) -> Target:
        """All Pods are one target, which says itself whose series are whose: no new target has to be discovered."""

        async def page(_: web.BaseRequest) -> web.Response:
            return web.Response(text="".join(run.kubelet.page() for run in self._runs.values()))

        (port,) = free_ports(1)
        runner = web.ServerRunner(web.Server(page), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return Target(f"127.0.0.1:{port}")


class Run:
    """A run under way."""

    def __init__(self, lab: Lab, scenario: Scenario, namespace: str) -> None:
        self.lab = lab
        self.scenario = scenario
        self.namespace = namespace
        self.directory = lab.directory / namespace
        self.history = History(lab.server, namespace, scenario.script)
        self.kubelet = Kubelet(lab.server, namespace, scenario.script.training, self._is_known)
        self.operators: list[Operator] = []
        self.prometheus = lab.prometheus

    def saw(self, resource: str, kind: str, body: Body) -> None:
        """Something has appeared, changed or gone in the run's namespace."""
        self.history.saw(resource, kind, body)
        if resource == "pods":
            self.kubelet.saw(kind, body)

    def kill(self) -> None:
        """Kill the operator, the first if there are several."""
        self.operators[0].kill()

    async def close_api(self) -> None:
        """Take the API server away."""
        self.api.close()

    async def open_api(self) -> None:
        """Bring the API server back."""
        self.api.open()

    async def close_metrics(self) -> None:
        """Take Prometheus away."""
        self.metrics.close()

    async def open_metrics(self) -> None:
        """Bring Prometheus back."""
        self.metrics.open()

    async def play(self, reference: Body | None) -> Result:
        """Play the script to its end."""
        self.directory.mkdir(parents=True)
        began = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            if self.scenario.own_prometheus:
                self.prometheus = stack.enter_context(self.lab.new_prometheus(f"{self.namespace}/prometheus"))
            faults = (self.scenario.api(self), self.scenario.metrics(self))
            await self._open_proxies(stack, *faults)
            stack.callback(self.kubelet.close)
            for task in (*self._start_operators(), asyncio.create_task(self._act())):
                stack.push_async_callback(_end, task)
            await self._wait_for_the_end(faults)
            await self._expect_quiet()
        injected = faults[0].injected + faults[1].injected
        ended = max(fault.ended for fault in faults)
        recovery = self.history.longest_pause(ended)
        limit = self.lab.recovery_seconds
        if recovery > limit and not self.scenario.is_heavy:
            self.history.violations.append(f"recovery within {limit:g} s: it took {recovery:.1f} s")
        self._judge_end(reference)
        result = Result(
            self.scenario,
            time.monotonic() - began,
            recovery,
            self.api.writes,
            sum(operator.ends for operator in self.operators),
            injected,
            tuple(self.history.violations),
            self.history.end_state(),
        )
        if not result.violations:
            shutil.rmtree(self.directory)
        return result

    async def _open_proxies(self, stack: contextlib.AsyncExitStack, api_fault: Quiet, metrics_fault: Quiet) -> None:
        server = self.lab.server
        to_api = await stack.enter_async_context(server.new_session())
        to_prometheus = await stack.enter_async_context(aiohttp.ClientSession())
        self.api = await stack.enter_async_context(
            Proxy(server.url, to_api, kubernetes_call, api_fault, self.history.judge_request)
        )
        self.metrics = await stack.enter_async_context(
            Proxy(self.prometheus.url, to_prometheus, prometheus_call, metrics_fault)
        )

    def _start_operators(self) -> Iterable[asyncio.Task[None]]:
        config = kubeconfig.copy(self.lab.control_plane.kubeconfig, self.directory / "kubeconfig", url=self.api.url)
        arguments = (
            f"--namespaces={self.namespace}",
            f"--prometheus-url={self.metrics.url}",
            *FLAGS,
            *self.scenario.flags,
        )
        for number in range(self.scenario.operators):
            log = self.directory / f"operator-{number}.log"
            operator = Operator(self.lab.zygote, arguments, config, log)
            self.operators.append(operator)
            yield asyncio.create_task(operator.run())

    async def _act(self) -> None:
        """What users do: apply the jobs; delete one in mid-flight."""
        script, jobs = self.scenario.script, f"{GROUP}/namespaces/{self.namespace}/tuningjobs"
        for name in script.jobs:
            await self.lab.server.call("POST", jobs, script.manifest(self.namespace, name))
        if script.doomed is not None:
            while sum(run.is_trained for run in self._runs_of(script.doomed)) < script.parallel(script.doomed):  # noqa: ASYNC110 - other processes are waited for
                await asyncio.sleep(0.05)
            await self.lab.server.call("DELETE", f"{jobs}/{script.doomed}")

    async def _is_known(self, pod: str, epochs: int) -> bool:
        """Whether Prometheus has this many epochs of a Pod."""
        series = f'last_over_time(tuning_epoch_value{{namespace="{self.namespace}",pod="{pod}"}}[1h])'
        async with self.lab.server.session.get(
            f"{self.prometheus.url}/api/v1/query", params={"query": series}
        ) as response:
            answer = await response.json()
        return len(answer["data"]["result"]) == epochs

    def _runs_of(self, job: str) -> list[Any]:
        return [run for run in self.kubelet.runs.values() if run.name.startswith(f"{job}-")]

    async def _wait_for_the_end(self, faults: Iterable[Quiet]) -> None:
        began = time.monotonic()
        while not self.history.is_over():
            await asyncio.sleep(0.05)
            since = max(began, self.history.last_step, *(fault.ended for fault in faults))
            if time.monotonic() - since > STANDSTILL_SECONDS + HEAVY_SECONDS * self.scenario.is_heavy:
                self.history.violations.append(f"recovery: everything stands still for {STANDSTILL_SECONDS:g} s")
                return

    async def _expect_quiet(self) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        before = len(self.api.calls)
        await asyncio.sleep(QUIET_SECONDS)
        late = [str(call) for call in self.api.calls[before:] if call.is_write]
        if late:
            self.history.violations.append(f"no write at all once everything is finished: {'; '.join(late)}")

    def _judge_end(self, reference: Body | None) -> None:
        state, violations = self.history.end_state(), self.history.violations
        phases = {name: facts["status"].get("phase") for name, facts in state["trials"].items()}
        if phases != self.scenario.script.expected:
            violations.append(f"every trial ends as scripted: {phases}")
        # A pass that began before its job was deleted may still create a Pod of it: see `History._judge_pod`.
        runs = Counter(run.name for job in self.history.jobs for run in self._runs_of(job))
        twice = [name for name, count in runs.items() if count > 1]
        if twice:
            violations.append(f"no trial run twice except by a recorded retry: {', '.join(twice)}")
        if reference is not None and not self.scenario.is_heavy:
            different = list(_differences("", reference, state))
            if different:
                violations.append(f"the end state is that of a run without faults: {'; '.join(different[:5])}")


def _differences(where: str, expected: Any, found: Any) -> Iterable[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}, key=str):
            yield from _differences(f"{where}.{key}", expected.get(key), found.get(key))
    elif expected != found:
        yield f"{where} is {found}, not {expected}"


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
