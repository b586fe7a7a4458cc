"""What a long training leaves in Prometheus: `python -m benchmarks.page_series`.

A training reports some metrics over many epochs, with the package's page and with one that keeps every value of every
metric by epoch, as the package's did until 0.1. A real Prometheus scrapes both. Prints for each how many series the
last page has, how many Prometheus has in its head, and how many epochs of the objective it knows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from cluster.ports import free_ports
from cluster.prometheus import Prometheus, Target
from cluster.waiting import wait_until
from tuning_trainer import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTIVE = "metric-0"


def main() -> None:
    """Run a training and print what Prometheus has of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--metrics", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the training (%(default)s)")
    parser.add_argument("--scrape-interval", type=float, default=2.0, help="seconds (%(default)s)")
    arguments = parser.parse_args()
    names = [f"metric-{number}" for number in range(arguments.metrics)]
    (port,) = free_ports(1)
    keep_all = _page_with_all(port)
    with tempfile.TemporaryDirectory() as folder, Reporter(port=0, finish_timeout=0) as reporter:
        targets = [Target(f"127.0.0.1:{at}", {"pod": pod}) for at, pod in ((reporter.port, "package"), (port, "all"))]
        with Prometheus(Path(folder) / "prometheus", targets, scrape_interval=arguments.scrape_interval) as server:
            for epoch in range(1, arguments.epochs + 1):
                values = dict.fromkeys(names, epoch / 7)
                reporter.report(epoch, values)
                keep_all(epoch, values)
                time.sleep(arguments.seconds / arguments.epochs)
            last = f'tuning_epoch_value{{metric="{OBJECTIVE}",epoch="{arguments.epochs}"}}'
            wait_until(lambda: server.value(f"count({last})") == len(targets), "the last epoch is scraped", 60)
            print(f"{arguments.epochs} epochs of {arguments.metrics} metrics in {arguments.seconds:.0f} s")
            print(f"{'':10}{'last page':>12}{'in the head':>13}{'epochs of the objective':>26}")
            for pod in ("package", "all"):
                ever = f'last_over_time({{pod="{pod}"}}[1h])'
                known = f'last_over_time(tuning_epoch_value{{pod="{pod}",metric="{OBJECTIVE}"}}[1h])'
                counts = [server.value(f"count({query})") or 0 for query in (f'{{pod="{pod}"}}', ever, known)]
                print(f"{pod:10}{counts[0]:12.0f}{counts[1]:13.0f}{counts[2]:26.0f}")


def _page_with_all(port: int) -> Callable[[int, dict[str, float]], None]:
    registry = CollectorRegistry()
    gauge = Gauge(
        "tuning_epoch_value", "Value of a metric at the end of an epoch.", ["metric", "epoch"], registry=registry
    )
    start_http_server(port, registry=registry)

    def report(epoch: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            gauge.labels(name, str(epoch)).set(value)

    return report


if __name__ == "__main__":
    main()
