"""The metrics page: an HTTP server in a process of its own, which answers while training is busy.

It is started by `reporting.py`, whose process may be busy for minutes. It reads JSON lines,
`{"epoch": "1", "metrics": {"validation:accuracy": 0.5}}` and last `{"finish": {"cap": 30, "expected": true}}`,
says `{"port": 9464}` when it serves, and ends when its input does, or when everybody who fetched the page has the
finished one (`scrapers.py`), or is unlikely to fetch it any more.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tuning_trainer.scrapers import Scrapers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# How long a client may take to close its end after the page was sent; only then is it known to have it.
CLOSE_SECONDS = 5.0


class Page(Collector):
    """What is exposed, and who has fetched it."""

    def __init__(self) -> None:
        self.finished = False
        self.scrapers = Scrapers()
        self._lock = threading.Lock()
        self._samples: list[tuple[str, str, float]] = []
        self._epochs: set[str] = set()

    def add(self, epoch: str, metrics: Mapping[str, float]) -> None:
        """Expose the metrics of an epoch, for good."""
        with self._lock:
            self._epochs.add(epoch)
            self._samples += [(name, epoch, value) for name, value in metrics.items()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Render the three metric families of the contract."""
        with self._lock:
            samples, completed = list(self._samples), len(self._epochs)
        values = GaugeMetricFamily(
            "tuning_epoch_value",
            "Value of a metric at the end of an epoch; it never changes.",
            labels=["metric", "epoch"],
        )
        for name, epoch, value in samples:
            values.add_metric([name, epoch], value)
        yield values
        yield GaugeMetricFamily("tuning_epochs_completed", "Number of epochs that are over.", value=completed)
        yield GaugeMetricFamily(
            "tuning_finished", "1 when training is over and this page is final.", value=int(self.finished)
        )


class Server(ThreadingHTTPServer):
    """A server for IPv4 and, where there is one, IPv6."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, page: Page) -> None:
        self.page = page
        self.registry = CollectorRegistry()
        self.registry.register(page)
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("", port), Handler)

    def server_bind(self) -> None:
        """Listen on all addresses of both families."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's, which asks DNS for this host's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET /metrics."""

    server: Server
    timeout = 10

    def do_GET(self) -> None:
        """Send the page, and note when the client has taken it."""
        began = time.monotonic()
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "the page is /metrics")
            return
        # Read before rendering: a page that may lack the last epoch must not count as the final one.
        final = self.server.page.finished
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(CLOSE_SECONDS)
        # A kubelet's probe takes the page and keeps nothing of it.
        probe = self.headers.get("User-Agent", "").startswith("kube-probe/")
        if self.connection.recv(1) == b"" and not probe:
            who = f"{self.client_address[0]} {self.headers.get('User-Agent', '')}"
            self.server.page.scrapers.fetched(who, began, final=final)

    def log_message(self, *_: object) -> None:
        """Scrapes are not worth a line of the training's log."""


def follow(lines: Iterator[str], page: Page) -> None:
    """Feed the page from the training process; returns when that has gone, or when the end was fetched."""
    for line in lines:
        message = json.loads(line)
        if "finish" not in message:
            page.add(message["epoch"], message["metrics"])
            continue
        page.finished = True
        page.scrapers.wait(time.monotonic(), **message["finish"])
        return


def main(port: int) -> None:
    """Serve on a port, 0 for any, until the training process is done with it."""
    # Signals are for the training process, which decides how the end goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    page = Page()
    try:
        server = Server(port, page)
    except OSError as error:
        sys.stdout.write(json.dumps({"error": f"cannot serve metrics on port {port}: {error.strerror}"}) + "\n")
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"port": server.server_address[1]}) + "\n")
        sys.stdout.flush()
    follow(sys.stdin, page)
