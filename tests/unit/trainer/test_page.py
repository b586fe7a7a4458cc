from __future__ import annotations

import contextlib
import http.client
import math
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import scrape, until
from tuning_trainer import page
from tuning_trainer.page import NEWCOMERS_SECONDS, OTHERS, RECENT, Page
from tuning_trainer.serving import MAX_REQUEST, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Server:
    """The page, served on its own port."""

    def __init__(self, listener: socket.socket) -> None:
        self.page = Page()
        self.port = int(listener.getsockname()[1])
        self._epochs: set[str] = set()

    def add(self, epoch: str, metrics: Mapping[str, float]) -> None:
        self._epochs.add(epoch)
        for metric, value in metrics.items():
            self.page.add(len(self._epochs), epoch, metric, value)


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        server = Server(listener)
        thread = threading.Thread(target=serve, args=(listener, server.page))
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def port(server: Server) -> int:
    return server.port


def scraped(server: Server, times: int) -> None:
    until(lambda: sum(scraper.final for scraper in server.page.scrapers.seen) >= times)


def test_the_page_shows_all_epochs(server: Server) -> None:
    for epoch in range(1, 51):
        server.add(str(epoch), {"validation:accuracy": epoch / 50, 'odd "name"\\': math.nan})
    shown = scrape(port(server))
    assert [shown.values["validation:accuracy", epoch] for epoch in range(1, 51)] == [e / 50 for e in range(1, 51)]
    assert math.isnan(shown.values['odd "name"\\', 50])
    assert (shown.completed, shown.finished) == (50, 0)


def test_an_epoch_may_be_a_fraction(server: Server) -> None:
    server.add("0.5", {"a": 1})
    server.add("1", {"a": 2})
    shown = scrape(port(server))
    assert shown.values == {("a", 0.5): 1, ("a", 1): 2}
    assert shown.completed == 2


def test_only_a_page_rendered_after_the_end_is_final(server: Server) -> None:
    scrape(port(server))
    until(lambda: server.page.scrapers)
    assert [scraper.final for scraper in server.page.scrapers.seen] == [0]
    server.page.finished = True
    assert scrape(port(server)).finished == 1
    scraped(server, 1)


@pytest.mark.slow
def test_a_client_that_does_not_take_the_page_has_not_fetched_it(server: Server) -> None:
    server.page.finished = True
    for epoch in range(30_000):  # more than the sockets hold
        server.page.add(epoch, str(epoch), "long" * 30, epoch)
    connection = http.client.HTTPConnection("127.0.0.1", port(server))
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    response.read(10)
    response.close()
    connection.close()
    assert not server.page.scrapers
    scrape(port(server))
    scraped(server, 1)


def test_other_paths_are_not_found_and_count_for_nothing(server: Server) -> None:
    server.page.finished = True
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port(server)}/", timeout=5)
    caught.value.close()
    assert caught.value.code == 404
    assert not server.page.scrapers


def test_a_probe_is_no_scrape(server: Server) -> None:
    server.page.finished = True
    probe = urllib.request.Request(
        f"http://127.0.0.1:{port(server)}/metrics", headers={"User-Agent": "kube-probe/1.37"}
    )
    with urllib.request.urlopen(probe, timeout=5) as response:
        response.read()
    scrape(port(server))
    until(lambda: server.page.scrapers)
    assert len(server.page.scrapers) == 1


def test_two_agents_at_one_address_are_two_scrapers(server: Server) -> None:
    server.page.finished = True
    for agent in ("Prometheus/3.8.0", "Grafana Alloy/1.12", "Prometheus/3.8.0"):
        request = urllib.request.Request(f"http://127.0.0.1:{port(server)}/metrics", headers={"User-Agent": agent})
        with urllib.request.urlopen(request, timeout=5) as response:
            response.read()
    scraped(server, 3)
    assert sorted(scraper.final for scraper in server.page.scrapers.seen) == [1, 2]


def test_the_openmetrics_format_is_offered(server: Server) -> None:
    server.add("1", {"a": 1})
    request = urllib.request.Request(
        f"http://[::1]:{port(server)}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.read().endswith(b"# EOF\n")


def shown(page: Page, now: float) -> tuple[list[int], int]:
    """The epochs of metric `a` on a page, and how many values there have been."""
    text, values = page.render(now)
    return [int(epoch) for epoch in re.findall(r'tuning_epoch_value{metric="a",epoch="(\d+)"}', text)], values


def test_the_page_of_a_long_training_stays_small_and_nobody_misses_an_epoch() -> None:
    page = Page("a")
    seen: dict[str, set[int]] = {"quick": set(), "slow": set()}
    for epoch in range(1, 10_001):
        page.add(epoch, str(epoch), "b", 0.5)
        page.add(epoch, str(epoch), "a", epoch / 7)
        for who, every in (("quick", 20), ("slow", 150)):
            if epoch % every == 0:
                epochs, values = shown(page, epoch / 3)
                seen[who] |= set(epochs)
                page.scrapers.fetched(who, epoch / 3, final=False, values=values)
                assert len(epochs) <= RECENT + 2 * 150
    assert seen == {"quick": set(range(1, 10_001)), "slow": set(range(1, 9901))}
    text, _ = page.render(3500)
    assert len(text.splitlines()) < 500
    assert 'tuning_latest_value{metric="b"} 0.5\n' in text
    assert "tuning_latest_epoch 10000.0\n" in text
    assert "tuning_epochs_completed 10000.0\n" in text


def test_what_one_scraper_has_not_stays_for_it() -> None:
    page = Page("a")
    for epoch in range(1, 1001):
        page.add(epoch, str(epoch), "a", 0.5)
    for _ in range(3):
        page.scrapers.fetched("one", 61, final=False, values=1000)
    assert len(shown(page, NEWCOMERS_SECONDS - 1)[0]) == 1000, "another one may come"
    page.scrapers.fetched("other", 61, final=False, values=1000)
    assert len(shown(page, 61)[0]) == 1000
    page.scrapers.fetched("other", 62, final=False, values=1000)
    assert shown(page, 62)[0] == list(range(751, 1001))


def test_series_of_other_metrics_have_an_end() -> None:
    """Each epoch of each metric would be a series in Prometheus' memory, long after the training."""
    page = Page("a")
    series: set[str] = set()
    for epoch in range(1, 1001):
        for metric in ("b", "a", "c"):
            page.add(epoch, str(epoch), metric, 0.5)
        text, values = page.render(epoch)
        series |= {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
        page.scrapers.fetched("one", epoch, final=False, values=values)
    assert len(series) == 1000 + OTHERS + 6


def test_the_latest_value_is_that_of_the_last_epoch() -> None:
    page = Page("a")
    for epoch, metric, value in (("1", "a", 0.1), ("2.5", "a", math.nan), ("2", "a", 0.3), ("1", "b", 0.4)):
        page.add(1, epoch, metric, value)
    text, _ = page.render(0)
    assert 'tuning_latest_value{metric="a"} NaN\ntuning_latest_value{metric="b"} 0.4\n' in text
    assert "tuning_latest_epoch 2.5\n" in text


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * MAX_REQUEST,
        b"\x16\x03\x01\xff" * 9,
    ],
)
def test_what_is_no_request_is_not_answered_and_harms_nobody(server: Server, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port(server)), timeout=5) as stranger:
        with contextlib.suppress(OSError):
            stranger.sendall(request_)
            stranger.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert stranger.recv(100) == b""
    assert scrape(port(server)).completed == 0
    until(lambda: len(server.page.scrapers) == 1)


def test_the_page_loads_no_library_and_no_site() -> None:
    """It runs beside each training: what it loads costs every one of them."""
    script = "import sys; sys.path.append(sys.argv[1]); import tuning_trainer.serving; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", script, str(Path(page.__file__).parents[1])]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"typing", "re", "json", "dataclasses", "http", "site", "prometheus_client"} & set(loaded)
    assert len(loaded) < 70
