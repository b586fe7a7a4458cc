"""Serves the metrics of all played Pods to a real Prometheus on one page, by the metrics contract.

One target with the labels `namespace` and `pod` on its series, instead of one target for each Pod: what Prometheus
stores and is asked for is the same, and this process has the time to serve it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from aiohttp import web

from cluster.operators import METRIC
from cluster.prometheus import Target

if TYPE_CHECKING:
    from benchmarks.scale.kubelet import Kubelet, Pod


class Pages:
    """The page of all Pods that run now, inside an `async with` block."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/metrics", self._serve)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        self.target = Target(f"{host}:{port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, _request: web.Request) -> web.Response:
        now = time.monotonic()
        running = [pod for pod in self._kubelet.pods.values() if pod.began is not None and pod.ended is None]
        text = "".join(line for pod in running for line in _lines(pod, now))
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})


def _lines(pod: Pod, now: float) -> list[str]:
    """A Pod's part of the page: a line for each epoch that is over. They are kept, since they never change."""
    labels = f'namespace="{pod.namespace}",pod="{pod.name}"'
    completed = pod.completed(now)
    for epoch in range(len(pod.page) + 1, completed + 1):
        sample = f'{{{labels},metric="{METRIC}",epoch="{epoch}"}} {pod.value(epoch)}'
        pod.page.append(f"tuning_epoch_value{sample}\n")
    return [*pod.page, f"tuning_epochs_completed{{{labels}}} {completed}\n"]
