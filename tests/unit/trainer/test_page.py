from __future__ import annotations

import http.client
import math
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.runs import scrape, until
from tuning_trainer.page import Page, Server, patience

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


@pytest.mark.parametrize(
    ("fetches", "expected", "seconds"),
    [
        ([], False, 0),  # nobody is there
        ([], True, 30),  # the run was shorter than the interval
        ([5], False, 30),  # somebody is there, at an unknown interval
        ([0, 5, 10], True, 11),
        ([0, 5, 10, 10.5], False, 11),  # a curious reader between two scrapes
        ([10, 0, 5], False, 11),
        ([0, 60], True, 30),
    ],
)
def test_patience(fetches: list[float], expected: bool, seconds: float) -> None:
    assert patience(fetches, 30, expected=expected) == seconds


def test_the_page_shows_all_epochs(server: Server) -> None:
    for epoch in range(1, 51):
        server.page.add(epoch, {"validation:accuracy": epoch / 50, 'odd "name"\\': math.nan})
    page = scrape(port(server))
    assert [page.values["validation:accuracy", epoch] for epoch in range(1, 51)] == [e / 50 for e in range(1, 51)]
    assert math.isnan(page.values['odd "name"\\', 50])
    assert (page.completed, page.finished) == (50, 0)


def test_only_a_page_rendered_after_the_end_is_final(server: Server) -> None:
    scrape(port(server))
    until(lambda: server.page.fetches)
    assert not server.page.final_fetched.is_set()
    server.page.finished = True
    assert scrape(port(server)).finished == 1
    assert server.page.final_fetched.wait(5)


@pytest.mark.slow
def test_a_client_that_does_not_take_the_page_has_not_fetched_it(server: Server) -> None:
    server.page.finished = True
    server.page.add(1, {f"{'long' * 30}{i}": i for i in range(30_000)})  # more than the sockets hold
    connection = http.client.HTTPConnection("127.0.0.1", port(server))
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    response.read(10)
    response.close()
    connection.close()
    assert not server.page.final_fetched.is_set()
    scrape(port(server))
    assert server.page.final_fetched.wait(5)
    assert len(server.page.fetches) == 1


def test_other_paths_are_not_found_and_count_for_nothing(server: Server) -> None:
    server.page.finished = True
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port(server)}/", timeout=5)
    caught.value.close()
    assert caught.value.code == 404
    assert not server.page.fetches


def test_a_probe_is_no_scrape(server: Server) -> None:
    server.page.finished = True
    probe = urllib.request.Request(
        f"http://127.0.0.1:{port(server)}/metrics", headers={"User-Agent": "kube-probe/1.37"}
    )
    with urllib.request.urlopen(probe, timeout=5) as response:
        response.read()
    scrape(port(server))
    until(lambda: server.page.fetches)
    assert len(server.page.fetches) == 1


def test_the_openmetrics_format_is_offered(server: Server) -> None:
    server.page.add(1, {"a": 1})
    request = urllib.request.Request(
        f"http://[::1]:{port(server)}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.read().endswith(b"# EOF\n")
