"""What the operator's questions cost Prometheus: `python -m benchmarks.prometheus_queries`.

A real Prometheus scrapes the pages of some Pods, each of them of another age. Then the epochs of all of them are asked
for, in several ways:

- `one range`: all Pods with one window, which would take the epochs of an earlier Pod of the same name for theirs;
- `a range for each age`: one question with a range for each Pod, joined by `or`: what the operator asked until 0.1;
- `the operator, at first`: what it asks of Pods that it knows nothing of, each with its own window;
- `the operator, a poll later`: what it asks when no epoch has ended since;
- `the operator, one epoch in each`: what it asks when another epoch has ended in each Pod.

For each it prints the processor time of Prometheus and of the operator, the time on the clock, and the longest time for
which the operator's event loop was kept from anything else: medians of several tries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.prometheus import Prometheus, Target
from cluster.waiting import wait_until
from tuning_operator.runtime.prometheus import client as prometheus
from tuning_operator.runtime.prometheus import epochs
from tuning_operator.runtime.prometheus.interest import Interest
from tuning_operator.runtime.prometheus.poller import MetricsPoller
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

METRIC = "validation:accuracy"
JOB = JobKey("ns", "job")
WINDOW = 300.0
TICK = 0.001
PATIENCE = 300.0
"""Seconds for a question: on a busy machine the old one takes longer than the operator waits."""


class Pages(BaseHTTPRequestHandler):
    """Serves the same page for each Pod."""

    epochs = 0

    def do_GET(self) -> None:
        """Show all epochs."""
        lines = [
            f'tuning_epoch_value{{metric="{METRIC}",epoch="{epoch}"}} {epoch / 7}\n'
            for epoch in range(1, self.epochs + 1)
        ]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("".join([*lines, f"tuning_epochs_completed {self.epochs}\n"]).encode())

    def log_message(self, *_: Any) -> None:
        """Scrapes are not worth a line."""


class Cost(NamedTuple):
    """Seconds: of processor time of Prometheus and of the operator, on the clock, and of the longest pause."""

    server: float
    own: float
    clock: float
    pause: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=500, help="of each Pod (%(default)s)")
    parser.add_argument("--tries", type=int, default=3, help="(%(default)s)")
    arguments = parser.parse_args()
    with _server(arguments.pods, arguments.epochs) as server:
        asyncio.run(measure(server, arguments.pods, arguments.epochs, arguments.tries))


@contextlib.contextmanager
def _server(pods: int, count: int) -> Iterator[Prometheus]:
    Pages.epochs = count
    pages = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{pages.server_port}"
    targets = [Target(address, {"namespace": JOB.namespace, "pod": _name(number)}) for number in range(pods)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Prometheus(Path(folder) / "prometheus", targets, scrape_interval=20) as server,
    ):
        wait_until(lambda: (server.value("count(tuning_epoch_value)") or 0) >= pods * count, "all were scraped", 120)
        yield server
        pages.shutdown()


def _name(number: int) -> str:
    return f"job-{number:04d}-1"


async def measure(server: Prometheus, pods: int, count: int, tries: int) -> None:
    """Ask in each way, and print what it cost."""
    now = datetime.now(UTC)
    items = {
        _name(number): Interest(_name(number), METRIC, now - timedelta(seconds=60 + number)) for number in range(pods)
    }
    objectives = dict.fromkeys(items, METRIC)
    prometheus.QUERY_TIMEOUT = PATIENCE
    client = prometheus.Prometheus(server.url)
    poller = MetricsPoller(client, 2.0, WINDOW, lambda _: None)

    async def of_each_age() -> None:
        windows = [item.window(datetime.now(UTC), timedelta(seconds=WINDOW)) for item in items.values()]
        ranges = (
            epochs._range(JOB.namespace, [pod], [METRIC], window + number)
            for number, (pod, window) in enumerate(zip(items, windows, strict=True))
        )
        query = f"max by (pod, metric, epoch) ({' or '.join(ranges)})"
        await client._answer(query, lambda answer: epochs.parse_answer(answer, objectives))

    async def of_all() -> None:
        query = epochs.build_query(JOB.namespace, dict.fromkeys(items, round(WINDOW * 1000)), [METRIC])
        await client._answer(query, lambda answer: epochs.parse_answer(answer, objectives))

    async def first() -> None:
        poller.watch(JOB, {})
        poller.watch(JOB, items)
        await poller.poll(JOB.namespace)
        known = sum(len(reading.curve) for reading in poller.readings(JOB).values())
        if known != pods * count:
            raise RuntimeError(f"{known} of {pods * count} epochs were read: {poller.condition(JOB.namespace)}")

    async def again() -> None:
        await poller.poll(JOB.namespace)

    async def one_more() -> None:
        for pod, known in poller._known[JOB].items():
            reading = known.reading
            poller._known[JOB][pod] = replace(known, reading=replace(reading, curve=reading.curve.head(count - 1)))
        await poller.poll(JOB.namespace)

    print(f"{pods} Pods of {count} epochs")
    print(f"{'':34}{'Prometheus':>12}{'operator':>10}{'clock':>9}{'pause':>10}")
    try:
        for name, ask in (
            ("one range", of_all),
            ("a range for each age", of_each_age),
            ("the operator, at first", first),
            ("the operator, a poll later", again),
            ("the operator, one epoch in each", one_more),
        ):
            costs = [await cost(server, ask) for _ in range(tries)]
            median = Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))
            print(
                f"{name:34}{median.server:10.2f} s{median.own:8.2f} s{median.clock:7.2f} s{median.pause * 1000:7.0f} ms"
            )
    finally:
        await client.close()


async def cost(server: Prometheus, ask: Callable[[], Awaitable[None]]) -> Cost:
    """Ask once and measure."""
    pauses = [0.0]

    async def tick() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK)
            pauses.append(time.monotonic() - before - TICK)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.1)
    pauses.clear()
    before, own, clock = _processor_seconds(server), time.process_time(), time.monotonic()
    await ask()
    clock, own = time.monotonic() - clock, time.process_time() - own
    ticking.cancel()
    return Cost(_processor_seconds(server) - before, own, clock, max(pauses, default=0.0))


def _processor_seconds(server: Prometheus) -> float:
    words = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
