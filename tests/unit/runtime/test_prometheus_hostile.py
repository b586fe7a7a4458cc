"""What a hostile trainer can do by way of Prometheus, or a hostile Prometheus itself: stay unknown, no more."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tracemalloc
import zlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.runtime.fakes import answer, prometheus_server, series
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.prometheus import client as prometheus
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.client import Prometheus

METRIC = "validation:accuracy"
PODS = {"job-0001-1": METRIC, "job-0002-1": METRIC}
WINDOWS = dict.fromkeys(PODS, 300_000)


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "QUERY_TIMEOUT", 0.2)

    async def drip(request: web.Request, _query: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        return response

    async with prometheus_server() as (server, client):
        server.respond = drip
        with pytest.raises(PrometheusError, match="does not answer: TimeoutError"):
            await client.curves("ns", PODS, WINDOWS)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_endless_flood_is_cut_off_where_the_bound_is(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Also one that is small until it is unpacked."""
    monkeypatch.setattr(prometheus, "MAX_ANSWER", 4 << 20)
    block = b" " * (1 << 18)
    sent = 0

    async def flood(request: web.Request, _query: str) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Encoding": encoding})
        await response.prepare(request)
        packer = zlib.compressobj(wbits=31)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(block if encoding == "identity" else packer.compress(block) + packer.flush(2))
                sent += len(block)
                await asyncio.sleep(0)  # few bytes are written without waiting for anybody
        return response

    async with prometheus_server() as (server, client):
        server.respond = flood
        tracemalloc.start()
        try:
            with pytest.raises(PrometheusError, match="larger than 4 MiB"):
                await client.curves("ns", {"job-0001-1": METRIC}, WINDOWS)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sent >= prometheus.MAX_ANSWER
    assert peak < 4 * prometheus.MAX_ANSWER


def pods_asked_about(query: str) -> list[str]:
    return re.findall(r"job-000\d-1", query.replace("\\", ""))


async def test_a_pod_with_a_flood_of_series_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_ANSWER", 10_000)
    pods = {f"job-000{number}-1": METRIC for number in range(1, 6)}

    async def respond(_request: web.Request, query: str) -> web.StreamResponse:
        asked = pods_asked_about(query)
        lengths = {pod: 1000 if pod == "job-0004-1" else 3 for pod in asked}
        return web.json_response(
            answer(*(series(pod, [(epoch, "1") for epoch in range(1, lengths[pod] + 1)]) for pod in asked))
        )

    async with prometheus_server() as (server, client):
        server.respond = respond
        found = await client.curves("ns", pods, dict.fromkeys(pods, 300_000))
        assert {pod: len(curve) for pod, curve in found.items()} == dict.fromkeys(pods.keys() - {"job-0004-1"}, 3)
        with pytest.raises(PrometheusError, match="larger than"):
            await client.curves("ns", {"job-0004-1": METRIC}, WINDOWS | {"job-0004-1": 300_000})


async def test_so_it_is_when_prometheus_itself_finds_it_too_much() -> None:
    async def respond(_request: web.Request, query: str) -> web.StreamResponse:
        (pod, *others) = pods_asked_about(query)
        if others:
            text = "query processing would load too many samples into memory in query execution"
            return web.json_response({"status": "error", "errorType": "execution", "error": text}, status=422)
        return web.json_response(answer(series(pod, [(1, "0.5")])))

    async with prometheus_server() as (server, client):
        server.respond = respond
        assert await client.curves("ns", PODS, WINDOWS) == dict.fromkeys(PODS, Curve.of([(1, 0.5)]))


async def test_a_redirect_is_not_followed() -> None:
    """It would let Prometheus, or whoever answers in its place, send requests with the operator's reach."""

    async def respond(request: web.Request, _query: str) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(request.url)

    async with prometheus_server() as (server, client):
        server.respond = respond
        with pytest.raises(PrometheusError, match="HTTP 307"):
            await client.curves("ns", PODS, WINDOWS)
        assert len(server.questions) == 1


@pytest.mark.parametrize("path", ["", "/nothing"])
async def test_a_password_in_the_url_is_told_to_nobody(path: str) -> None:
    async with TestServer(web.Application()) as running:
        server = str(running.make_url("")).rstrip("/") if path else "http://127.0.0.1:1"
        client = Prometheus(f"http://ana:secret@{server.removeprefix('http://')}{path}")
        with pytest.raises(PrometheusError) as refusal:
            await client.curves("ns", PODS, WINDOWS)
        await client.close()
    assert "secret" not in str(refusal.value)
    assert server in str(refusal.value)
