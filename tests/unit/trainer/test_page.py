from __future__ import annotations

import http.client
import math
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import scrape, until
from tuning_trainer.page import Page, Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(0, Page()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def port(server: Server) -> int:
    return int(server.server_address[1])


def scraped(server: Server, times: int) -> None:
    until(lambda: sum(scraper.final for scraper in server.page.scrapers.seen) >= times)


def test_the_page_shows_all_epochs(server: Server) -> None:
    for epoch in range(1, 51):
        server.page.add(str(epoch), {"validation:accuracy": epoch / 50, 'odd "name"\\': math.nan})
    page = scrape(port(server))
    assert [page.values["validation:accuracy", epoch] for epoch in range(1, 51)] == [e / 50 for e in range(1, 51)]
    assert math.isnan(page.values['odd "name"\\', 50])
    assert (page.completed, page.finished) == (50, 0)


def test_an_epoch_may_be_a_fraction(server: Server) -> None:
    server.page.add("0.5", {"a": 1})
    server.page.add("1", {"a": 2})
    page = scrape(port(server))
    assert page.values == {("a", 0.5): 1, ("a", 1): 2}
    assert page.completed == 2


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
    server.page.add("1", {f"{'long' * 30}{i}": i for i in range(30_000)})  # more than the sockets hold
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
    server.page.add("1", {"a": 1})
    request = urllib.request.Request(
        f"http://[::1]:{port(server)}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.read().endswith(b"# EOF\n")
