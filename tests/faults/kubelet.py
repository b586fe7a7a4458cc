"""Plays the kubelet for the Pods of one namespace, which it learns of by a watch; trainings go as the script says.

Unlike the one of `tests/api/operator` it asks nobody, so that many of them fit on one machine, and a training can
wait for what the operator does: the outcome of a run then does not depend on how fast anything is.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from cluster.operators import METRIC
from tests.faults.server import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.faults.server import Body, Server

NODE = "test-node"


@dataclass(frozen=True)
class Training:
    """What happens in a Pod.

    Attributes:
        values: The objective of each epoch, from epoch 1.
        exit_code: Of the training container; None: it runs until somebody ends it.
        leaves_message: Whether the history is in the termination message; else it ends once Prometheus has it.
        is_evicted: Whether the cluster evicts the Pod after the last of these epochs.
        epoch_seconds: Duration of an epoch.
        kept: Epochs that are in its checkpoint: it shows them from the beginning.
    """

    values: tuple[float, ...]
    exit_code: int | None = 0
    leaves_message: bool = True
    is_evicted: bool = False
    epoch_seconds: float = 0.05
    kept: int = 0


@dataclass
class PodRun:
    """One Pod's life so far."""

    name: str
    uid: str
    training: Training
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    began: float | None = None
    ended: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs are finished by now."""
        if self.began is None:
            return 0
        trained = int((time.monotonic() - self.began) / self.training.epoch_seconds)
        return min(len(self.training.values), self.training.kept + trained)

    @property
    def is_trained(self) -> bool:
        """Whether it has no more epochs to show."""
        return self.epochs == len(self.training.values)

    def page(self, namespace: str) -> str:
        """What is scraped now."""
        if self.began is None or self.ended:
            return ""
        labels = f'namespace="{namespace}",pod="{self.name}"'
        values = "".join(
            f'tuning_epoch_value{{{labels},metric="{METRIC}",epoch="{epoch}"}} {value}\n'
            for epoch, value in enumerate(self.training.values[: self.epochs], start=1)
        )
        return f"{values}tuning_epochs_completed{{{labels}}} {self.epochs}\n"

    def message(self) -> str:
        """The termination message."""
        if not self.training.leaves_message:
            return ""
        values = self.training.values[: self.epochs]
        epochs = list(range(1, len(values) + 1))
        return json.dumps({"epochs": epochs, "metrics": {METRIC: values}, "completed": len(values), "thinned": False})


class Kubelet:
    """Runs the Pods of a namespace.

    Attributes:
        runs: All Pods that ever ran, in this order.
    """

    def __init__(
        self,
        server: Server,
        namespace: str,
        train: Callable[[str], Training],
        is_known: Callable[[str, int], Awaitable[bool]],
    ) -> None:
        """Describe the kubelet.

        Args:
            server: The way to the API server.
            namespace: Whose Pods it runs.
            train: What happens in a Pod, by its name.
            is_known: Whether Prometheus has that many epochs of a Pod.
        """
        self._server = server
        self._is_known = is_known
        self._namespace = namespace
        self._train = train
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.runs: dict[str, PodRun] = {}

    def saw(self, kind: str, pod: Body) -> None:
        """A Pod has appeared, changed or gone."""
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            if task := self._tasks.pop(uid, None):
                task.cancel()
            if uid in self.runs:
                self.runs[uid].ended = True
            return
        if uid not in self.runs:
            run = PodRun(pod["metadata"]["name"], uid, self._train(pod["metadata"]["name"]))
            self.runs[uid] = run
            self._tasks[uid] = asyncio.get_running_loop().create_task(self._live(run))
        if "deletionTimestamp" in pod["metadata"]:
            self.runs[uid].deleted.set()

    def close(self) -> None:
        """Leave all Pods as they are."""
        for task in self._tasks.values():
            task.cancel()

    def page(self) -> str:
        """What all Pods together serve to Prometheus."""
        return "".join(run.page(self._namespace) for run in self.runs.values())

    async def _live(self, run: PodRun) -> None:
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": run.name}}
        target = {"kind": "Node", "name": NODE}
        await self._insist(lambda: self._call(run, "POST", "/binding", {**binding, "target": target}))
        started = _now()
        if not run.deleted.is_set():
            await self._insist(lambda: self._patch(run, "Running", {"running": {"startedAt": started}}))
            run.began = time.monotonic()
            ending = asyncio.create_task(run.deleted.wait())
            training = asyncio.create_task(self._train_to_the_end(run))
            try:
                await asyncio.wait([ending, training], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ending.cancel()
                training.cancel()
            await self._end(run, started)
        await run.deleted.wait()
        removal = {"gracePeriodSeconds": 0, "preconditions": {"uid": run.uid}}
        await self._insist(lambda: self._call(run, "DELETE", "", removal))

    async def _train_to_the_end(self, run: PodRun) -> None:
        training = run.training
        await asyncio.sleep(training.epoch_seconds * (len(training.values) - training.kept + 0.5))
        if training.exit_code is None:
            await asyncio.Event().wait()
        while not training.leaves_message and not await self._is_known(run.name, len(training.values)):  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.1)

    async def _end(self, run: PodRun, started: str) -> None:
        killed = run.deleted.is_set() or run.training.is_evicted
        code = 143 if killed else run.training.exit_code
        terminated = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": started,
            "finishedAt": _now(),
            "message": run.message(),
        }
        run.ended = True
        disruption = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        more = {"conditions": [disruption]} if run.training.is_evicted else {}
        phase = "Succeeded" if code == 0 else "Failed"
        await self._insist(lambda: self._patch(run, phase, {"terminated": terminated}, more))

    async def _insist(self, attempt: Callable[[], Awaitable[object]]) -> None:
        """Try again and again while the server is away; a Pod that has gone needs nothing more."""
        while True:
            try:
                await attempt()
            except RefusedError as error:
                if error.status in {404, 409}:
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(0.2)

    async def _patch(self, run: PodRun, phase: str, state: Body, more: Body | None = None) -> None:
        container: Body = {
            "name": "training",
            "state": state,
            "ready": "running" in state,
            "started": "running" in state,
            "restartCount": 0,
            "image": "test",
            "imageID": "test",
        }
        status = {"phase": phase, "podIP": "127.0.0.1", "containerStatuses": [container], **(more or {})}
        body = {"metadata": {"uid": run.uid}, "status": status}
        await self._call(run, "PATCH", "/status", body, "application/merge-patch+json")

    async def _call(self, run: PodRun, method: str, rest: str, body: Any, kind: str = "application/json") -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods/{run.name}{rest}"
        await self._server.call(method, path, body, kind=kind)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
