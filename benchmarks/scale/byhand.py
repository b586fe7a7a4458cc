"""The same Pods without an operator: what a cluster pays for a load anyway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.scale.kubelet import JOB

if TYPE_CHECKING:
    from benchmarks.scale.apiserver import ApiServer
    from benchmarks.scale.kubelet import Kubelet
    from benchmarks.scale.loads import Load

_AT_ONCE = 16
_LOOK_SECONDS = 0.05


class ByHand:
    """Keeps a load's slots filled: creates Pods, deletes each when it has ended, and records nothing.

    Args:
        server: The administrator's access.
        kubelet: Runs the Pods.
        load: How many there are, and how many at a time.
        namespace: Where they are.
    """

    def __init__(self, server: ApiServer, kubelet: Kubelet, load: Load, namespace: str) -> None:
        self._server, self._kubelet, self._parallel = server, kubelet, load.parallel
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        jobs = [load.manifest(namespace, number) for number in range(load.jobs)]
        self._spec = {**jobs[0]["spec"]["template"]["spec"], "restartPolicy": "Never"}
        self._left = {job["metadata"]["name"]: iter(range(1, load.trials + 1)) for job in jobs}
        self._doors = asyncio.Semaphore(_AT_ONCE)
        self._deleted: set[str] = set()

    async def run(self) -> None:
        """Fill all slots, and each again when its Pod has ended, for ever."""
        slots = [job for job in self._left for _ in range(self._parallel)]
        await asyncio.gather(*map(self._create, slots))
        while True:
            pods = self._kubelet.pods.values()
            over = [pod for pod in pods if pod.ended is not None and pod.uid not in self._deleted]
            self._deleted.update(pod.uid for pod in over)
            await asyncio.gather(*(self._replace(pod.name, pod.job) for pod in over))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _replace(self, name: str, job: str) -> None:
        await self._create(job)
        async with self._doors:
            await self._server.delete(f"{self._path}/{name}")

    async def _create(self, job: str) -> None:
        number = next(self._left[job], None)
        if number is None:
            return
        metadata = {"name": f"{job}-{number:04d}-1", "labels": {JOB: job}}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self._spec}
        async with self._doors:
            await self._server.create(self._path, body)
