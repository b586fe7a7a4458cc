"""A trainer's metrics page that is huge, never ends or floods is not taken, and hides no other: with the limits of the
scrape configuration that is documented and of the demo's, and a real Prometheus.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.prometheus import Prometheus, Target
from cluster.release import PROMETHEUS_MANIFEST
from cluster.waiting import wait_until
from tests.api.chart import CHART
from tuning_operator.runtime.prometheus.client import Prometheus as Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.api

METRIC = "loss"
LINE = 'tuning_epoch_value{{metric="loss",epoch="{}"{}}} 0.5\n'
FILLER = "# " + "x" * 65_536 + "\n"
PAGES: dict[str, Callable[[], Iterable[str]]] = {
    "honest": lambda: (LINE.format(epoch, "") for epoch in range(1, 4)),
    "forged": lambda: [LINE.format(9, ',pod="honest",namespace="ns"')],
    "endless": lambda: itertools.repeat(FILLER),
    "huge": lambda: itertools.repeat(FILLER, 1_600),  # 100 MB
    "drip": lambda: itertools.repeat("#"),
    "flood": lambda: ["".join(LINE.format(epoch, "") for epoch in range(1, 50_002))],
    "long": lambda: [LINE.format(1, f',x="{"y" * 100_000}"')],
    "many": lambda: [LINE.format(1, "".join(f',x{number}="y"' for number in range(100)))],
}


class Trainings(BaseHTTPRequestHandler):
    """Serves each kind of page under its name."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        kind = self.path.removeprefix("/")
        with contextlib.suppress(OSError):
            for piece in PAGES[kind]():
                self.wfile.write(piece.encode())
                if kind == "drip":
                    stopped.wait(0.05)
                if stopped.is_set():
                    return

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


stopped = threading.Event()


@pytest.fixture
def address() -> Iterator[str]:
    stopped.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trainings)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def demo_limits() -> dict[str, Any]:
    config = next(body for body in yaml.safe_load_all(PROMETHEUS_MANIFEST.read_text()) if body["kind"] == "ConfigMap")
    return limits_in(yaml.safe_load(config["data"]["prometheus.yml"]))


def documented_limits() -> dict[str, Any]:
    text = (CHART.parents[1] / "docs" / "install.md").read_text()
    block = re.search(r"```yaml\n(scrape_configs:.*?)```", text, re.DOTALL)
    assert block
    return limits_in(yaml.safe_load(block[1]))


def limits_in(config: dict[str, Any]) -> dict[str, Any]:
    (job,) = config["scrape_configs"]
    return {name: value for name, value in job.items() if name.endswith("_limit")}


def chart_limits() -> dict[str, Any]:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["podMonitor"]
    snake = {re.sub(r"(?=[A-Z])", "_", name).lower(): value for name, value in values.items()}
    return {name: value for name, value in snake.items() if name.endswith("_limit")}


def test_all_ways_to_scrape_have_the_same_limits() -> None:
    assert demo_limits() == documented_limits() == chart_limits()
    assert len(demo_limits()) == 5


async def test_no_page_hides_another_or_speaks_for_it(address: str, tmp_path: Path) -> None:
    pods = list(PAGES)
    targets = [Target(address, {"namespace": "ns", "pod": pod, "__metrics_path__": f"/{pod}"}) for pod in pods]
    with Prometheus(tmp_path / "prometheus", targets, scrape_interval=2, limits=demo_limits()) as real:
        up = wait_until(lambda: states(real, len(pods)), "all were asked", 60)
        client = Client(real.url)
        try:
            curves = await client.curves("ns", dict.fromkeys(pods, METRIC), dict.fromkeys(pods, 60_000))
        finally:
            await client.close()
            stopped.set()
    assert up == dict.fromkeys(pods, "down") | {"honest": "up", "forged": "up"}
    epochs = {pod: [epoch for epoch, _ in curve] for pod, curve in curves.items() if curve}
    assert epochs == {"honest": [1, 2, 3], "forged": [9]}


def states(server: Prometheus, count: int) -> dict[str, str] | None:
    """Whether each target was scraped; None until all have been tried."""
    with urllib.request.urlopen(f"{server.url}/api/v1/targets", timeout=5) as answer:
        targets = json.load(answer)["data"]["activeTargets"]
    found = {item["labels"]["pod"]: item["health"] for item in targets}
    return found if len(found) == count and "unknown" not in found.values() else None
