"""Plays the kubelet for thousands of Pods: one watch, a task for each Pod, no threads.

A Pod is bound when it is seen, runs at once, and ends when its training is over. `cluster.played_kubelet` can do more
with each Pod, and lists all of them twenty times a second.
"""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.scale.apiserver import MERGE_PATCH
from cluster.operators import METRIC

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from benchmarks.scale.apiserver import ApiServer

JOB = "tuning-operator.dev/job"
_NODE = "played-node"
_PAUSES = (0.2, 1.0, 3.0)
_MESSAGE_BYTES = 4096


@dataclass
class Pod:
    """One Pod's life; times are of the monotonic clock."""

    namespace: str
    name: str
    uid: str
    job: str
    container: str
    seconds: float
    epochs: int
    created: float
    began: float | None = None
    ended: float | None = None
    leaving: bool = False
    page: list[str] = field(default_factory=list)

    def value(self, epoch: int) -> float:
        """A curve that rises, a little different for each Pod."""
        share = zlib.crc32(self.uid.encode()) % 1000 / 2500
        return round((0.5 + share) * (1 - 0.9 ** (epoch * 20 / self.epochs)), 6)

    def completed(self, now: float) -> int:
        """Epochs that are over."""
        trained = 0.0 if self.began is None else (self.ended or now) - self.began
        return min(self.epochs, int(trained / self.seconds * self.epochs + 1e-6))

    def message(self) -> str:
        """The termination message; a long history is thinned to 4 KiB, as the trainer does it."""
        for step in range(1, self.epochs + 1):
            epochs = [epoch for epoch in range(1, self.epochs + 1) if epoch % step == 0 or epoch in {1, self.epochs}]
            history = {"epochs": epochs, "metrics": {METRIC: [*map(self.value, epochs)]}, "completed": self.epochs}
            text = json.dumps({**history, "thinned": step > 1})
            if len(text) <= _MESSAGE_BYTES:
                return text
        raise AssertionError("two epochs fit")


class Kubelet:
    """Runs the Pods of all trials of all jobs.

    Attributes:
        pods: all that there ever were, by uid, in the order of their creation.
        sent: its own requests by verb and resource, with subresource, as the API server counts them.
        arrived: set when a Pod is seen for the first time.

    Args:
        server: the administrator's access.
        seconds: the least and the most that a training takes.
        epochs: of each training.
    """

    def __init__(self, server: ApiServer, seconds: tuple[float, float], epochs: int) -> None:
        self._server, self._seconds, self._epochs = server, seconds, epochs
        self.pods: dict[str, Pod] = {}
        self.sent: Counter[tuple[str, str]] = Counter()
        self.arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def alive(self) -> int:
        """Pods that hold a slot."""
        return sum(pod.ended is None for pod in self.pods.values())

    @property
    def ended(self) -> int:
        """Pods that hold none any more."""
        return len(self.pods) - self.alive

    async def run(self) -> None:
        """Watch for ever; what fails ends the benchmark."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": _NODE}}
        await self._server.create("/api/v1/nodes", node)
        path = f"/api/v1/pods?labelSelector={JOB}"
        version = (await self._server.get(path))["metadata"]["resourceVersion"]
        try:
            while True:
                async for event in self._server.watch(path, version):
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._see(event["type"], event["object"])
        finally:
            for task in self._tasks:
                task.cancel()

    def _see(self, kind: str, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"]
        pod = self.pods.get(metadata["uid"])
        if pod is None and kind == "ADDED":
            self._spawn(self._live(self._adopt(body)))
        elif pod is not None and kind == "DELETED":
            self._end(pod)
        elif pod is not None and "deletionTimestamp" in metadata and not pod.leaving:
            pod.leaving = True
            self._spawn(self._remove(pod))

    def _adopt(self, body: Mapping[str, Any]) -> Pod:
        metadata = body["metadata"]
        low, high = self._seconds
        pod = Pod(
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            metadata["labels"][JOB],
            body["spec"]["containers"][0]["name"],
            low + zlib.crc32(metadata["name"].encode()) % 997 / 997 * (high - low),
            self._epochs,
            time.monotonic(),
        )
        self.pods[pod.uid] = pod
        self.arrived.set()
        return pod

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _end(pod: Pod) -> None:
        if pod.ended is None:
            pod.ended = time.monotonic()

    async def _live(self, pod: Pod) -> None:
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod.name}}
        await self._call(pod, "POST", "/binding", {**binding, "target": {"kind": "Node", "name": _NODE}})
        started = _now()
        await self._patch(pod, "Running", {"running": {"startedAt": started}})
        pod.began = time.monotonic()
        await asyncio.sleep(pod.seconds)
        if pod.leaving or pod.ended is not None:
            return
        state = {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": _now()}
        await self._patch(pod, "Succeeded", {"terminated": {**state, "message": pod.message()}})
        self._end(pod)

    async def _remove(self, pod: Pod) -> None:
        await self._call(pod, "DELETE", "", {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}})

    async def _patch(self, pod: Pod, phase: str, state: Mapping[str, Any]) -> None:
        runs = "running" in state
        container = {"name": pod.container, "state": state, "ready": runs, "started": runs, "restartCount": 0}
        status = {"phase": phase, "podIP": "127.0.0.1"}
        status["containerStatuses"] = [{**container, "image": "played", "imageID": "played"}]  # type: ignore[assignment]
        await self._call(pod, "PATCH", "/status", {"status": status}, MERGE_PATCH)

    async def _call(self, pod: Pod, method: str, rest: str, body: Any, kind: str = "application/json") -> None:
        """Send a request until it is accepted, or the Pod is gone."""
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}{rest}"
        for pause in (*_PAUSES, None):
            self.sent[method, f"pods{rest}"] += 1
            status, answer = await self._server.call(method, path, body, kind)
            if status < 400 or status in {404, 409}:
                return
            if pause is None:
                raise RuntimeError(f"{method} {path}: {status} {answer.get('message')}")
            await asyncio.sleep(pause)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
