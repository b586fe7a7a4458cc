"""A watch on an API server that ends, breaks, forgets and falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from tuning_operator.runtime.kubernetes import watch as watching
from tuning_operator.runtime.kubernetes.cluster import WATCH_TIMEOUT, Cluster
from tuning_operator.runtime.kubernetes.watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Body = dict[str, Any]


def line(kind: str, version: int, name: str = "job-0001", **more: Any) -> bytes:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version), "managedFields": [{}]}
    return json.dumps({"type": kind, "object": {"metadata": metadata, **more}}).encode() + b"\n"


def error(code: int) -> bytes:
    return json.dumps({"type": "ERROR", "object": {"code": code, "message": "injected"}}).encode() + b"\n"


class ApiServer:
    """Answers each watch with the next answer: pieces of its lines, or a status code; the last one stays open."""

    def __init__(self, answers: list[list[bytes] | int]) -> None:
        self.answers = answers
        self.versions: list[str] = []
        self.lists = 0
        self.silent = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            assert request.query["limit"] == "1"
            return web.json_response({"metadata": {"resourceVersion": f"{self.lists}00"}, "items": []})
        assert request.query["labelSelector"] == "tuning-operator.dev/job"
        self.versions.append(request.query["resourceVersion"])
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return web.json_response({"code": answer, "message": "no"}, status=answer)
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in answer:
            await response.write(piece)
        if not self.answers:
            self.silent.set()
            await asyncio.sleep(30)
        return response


@contextlib.asynccontextmanager
async def followed(
    *answers: list[bytes] | int, patience: aiohttp.ClientTimeout = WATCH_TIMEOUT
) -> AsyncIterator[tuple[ApiServer, Watch, list[Any]]]:
    """A watch that has got all these answers, and the events and gaps that it has reported."""
    server, app, seen = ApiServer(list(answers)), web.Application(), list[Any]()
    app.router.add_get("/apis/tuning-operator.dev/v1alpha1/namespaces/ns/tuningtrials", server.handle)
    async with TestServer(app) as running:
        configuration = client.Configuration(host=str(running.make_url("")).rstrip("/"))
        cluster = Cluster(configuration, qps=1000, burst=1000, watch_timeout=patience)
        heard: Callable[[str, Body], None] = lambda kind, body: seen.append((kind, body["metadata"]))  # noqa: E731
        watch = Watch(cluster, "tuningtrials", "ns", heard, lambda: seen.append("gap"))
        task = asyncio.create_task(watch.run())
        try:
            await asyncio.wait_for(server.silent.wait(), 30)
            await asyncio.sleep(0.05)
            yield server, watch, seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await cluster.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watching, "LONGEST_PAUSE", 0.01)


async def test_it_begins_with_a_gap_and_goes_on_where_the_server_ended_it() -> None:
    async with followed([line("ADDED", 101), line("BOOKMARK", 105)], [line("MODIFIED", 106)]) as (server, watch, seen):
        metadata = {"name": "job-0001", "namespace": "ns"}
        assert seen == [
            "gap",
            ("ADDED", metadata | {"resourceVersion": "101"}),
            ("MODIFIED", metadata | {"resourceVersion": "106"}),
        ]
        assert server.versions == ["100", "105"]
        assert watch.is_live


async def test_a_version_that_is_too_old_is_a_gap() -> None:
    for answer in ([line("ADDED", 101), error(410)], 410):
        async with followed(answer, []) as (server, watch, seen):
            assert seen.count("gap") == 2
            assert server.versions == ["100", "200"]
            assert watch.is_live


@pytest.mark.parametrize("answer", [500, 503, 429])
async def test_a_server_that_is_busy_is_asked_again_for_the_same(answer: int) -> None:
    async with followed([line("ADDED", 101)], answer, [error(500)], []) as (server, _, seen):
        assert seen.count("gap") == 1
        assert server.versions == ["100", "101", "101", "101"]


async def test_lines_are_read_whole_however_they_arrive_and_however_long_they_are() -> None:
    long = line("ADDED", 101, curve="x" * 3_000_000)
    pieces = [long[:10], long[10:-5], long[-5:] + line("ADDED", 102, "b")[:7], line("ADDED", 102, "b")[7:]]
    async with followed(pieces, []) as (_, _, seen):
        assert [metadata["resourceVersion"] for _, metadata in seen[1:]] == ["101", "102"]


async def test_what_is_no_event_breaks_the_watch_and_not_the_operator() -> None:
    async with followed([b"{}\n"], [b"nonsense\n"], []) as (server, watch, seen):
        assert len(server.versions) == 3
        assert seen == ["gap"]
        assert watch.is_live


async def test_a_watch_that_falls_silent_is_given_up() -> None:
    async with followed([], patience=aiohttp.ClientTimeout(total=30, sock_read=0.2)) as (server, watch, _):
        server.answers = [[], []]
        async with asyncio.timeout(30):
            while len(server.versions) < 2:  # noqa: ASYNC110 - what is waited for is state of the fake
                await asyncio.sleep(0.01)
        assert server.lists == 1, "nothing was missed"
        assert watch is not None
