"""What goes over the wire to the API server: reads that are never stale, writes that say what they are based on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from tuning_operator.runtime.kubernetes.cluster import Cluster
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Body = dict[str, Any]


def item(name: str) -> Body:
    """What is read of any kind, with book-keeping that nobody needs."""
    return {
        "metadata": {"name": name, "managedFields": [{}]},
        "spec": {"containers": [{"name": "train", "image": "x"}]},
    }


def names_of(bodies: list[Body]) -> list[str]:
    assert not any("managedFields" in body["metadata"] for body in bodies)
    return [body["metadata"]["name"] for body in bodies]


class ApiServer:
    """Holds everything in one `version`, and lists numbers, two a page; remembers the queries of lists."""

    def __init__(self) -> None:
        self.version = "7"
        self.items = [1, 2, 3]
        self.padding = ""
        self.queries: list[dict[str, str]] = []

    async def list(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        begin = int(request.query.get("continue", 0))
        more = {"continue": str(begin + 2)} if begin + 2 < len(self.items) else {}
        found = [item(str(number)) | {"padding": self.padding} for number in self.items[begin : begin + 2]]
        return web.json_response({"items": found, "metadata": {"resourceVersion": self.version, **more}})

    async def write(self, request: web.Request) -> web.Response:
        """Refuse a write that is based on another version, as the API server does; one that names none is applied."""
        body = await request.json()
        based_on = body.get("preconditions") or body["metadata"]
        if based_on.get("resourceVersion") not in {None, self.version}:
            return web.json_response({"reason": "Conflict", "message": "it has been modified"}, status=409)
        return web.json_response({})


@contextlib.asynccontextmanager
async def api_server() -> AsyncIterator[tuple[ApiServer, Cluster]]:
    fake, app = ApiServer(), web.Application()
    app.router.add_get("/{path:.*}", fake.list)
    app.router.add_patch("/{path:.*}", fake.write)
    app.router.add_delete("/{path:.*}", fake.write)
    async with serving(app) as cluster:
        yield fake, cluster


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Cluster]:
    async with TestServer(app) as server:
        cluster = Cluster(client.Configuration(host=str(server.make_url("")).rstrip("/")), qps=1000, burst=1000)
        try:
            yield cluster
        finally:
            await cluster.close()


@pytest.mark.parametrize("kind", ["jobs", "tuningtrials", "pods"])
async def test_lists_are_read_to_their_end_anew_each_time_and_from_no_cache(kind: str) -> None:
    async with api_server() as (fake, cluster):

        async def ask() -> list[Any]:
            if kind == "jobs":
                return await cluster.list_jobs("ns")
            listed = await cluster.list_of_job(kind, "ns", "job")
            assert listed.version == "7"
            return listed.items

        assert names_of(await ask()) == ["1", "2", "3"]
        fake.items = [4]
        assert names_of(await ask()) == ["4"]
    # A version that is named, "0" above all, allows the server to answer from its cache.
    assert not any("resourceVersion" in query for query in fake.queries)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1", None])
async def test_what_is_served_is_asked_for_in_the_versions_that_are_used(version: str | None) -> None:
    """A version that is not served is not asked for: 404 would not say whether it is missing, or only not there yet."""
    group = {"versions": [{"groupVersion": f"tuning-operator.dev/{version}"}]}
    answers: dict[str, Body] = {
        "/apis": {"groups": [{"versions": [{"groupVersion": "batch/v1"}]}, *([group] if version else [])]},
        "/api/v1": {"resources": [{"name": "pods"}, {"name": "pods/log"}]},
        "/apis/tuning-operator.dev/v1alpha1": {"resources": [{"name": "tuningjobs"}, {"name": "tuningjobs/status"}]},
    }

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.path])

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with serving(app) as cluster:
        found = await cluster.served()
    assert ("pods" in found, "tuningjobs" in found) == (True, version == "v1alpha1")


@pytest.mark.parametrize("write", ["job status", "trial status", "Pod", "job"])
async def test_a_write_based_on_what_has_changed_is_a_conflict(write: str) -> None:
    async with api_server() as (fake, cluster):

        async def do() -> None:
            if write == "job status":
                await cluster.patch_job_status("ns", "job", {"phase": "Running"}, "7")
            elif write == "trial status":
                await cluster.patch_trial_status("ns", "job-0001", {"phase": "Running"}, "7")
            elif write == "Pod":
                await cluster.delete_attempt("ns", "Pod", "job-0001-1", "uid", "7")
            else:
                await cluster.delete_job("ns", "job", "uid", "7")

        await do()
        fake.version = "8"
        with pytest.raises(ApiError) as raised:
            await do()
    assert raised.value.kind is ErrorKind.CONFLICT


async def test_large_objects_are_listed_few_at_a_time() -> None:
    """However long their curves are, no other job waits until hundreds of them are read."""
    async with api_server() as (fake, cluster):
        fake.items = list(range(40))
        fake.padding = "x" * 200_000
        assert len((await cluster.list_of_job("tuningtrials", "ns", "job")).items) == 40
        limits = [int(query["limit"]) for query in fake.queries]
        fake.padding = ""
        await cluster.list_of_job("tuningtrials", "ns", "job")
    assert limits[0] <= 4
    assert max(limits[1:]) <= 6
    assert int(fake.queries[-1]["limit"]) == 500


@pytest.mark.parametrize(
    "name", ["../../victim/tuningjobs/base", "base?watch=true", "base/status", "a b#c", "%2e%2e/x"]
)
async def test_no_name_that_a_user_writes_leads_to_another_place(name: str) -> None:
    """Parents of a job and owners of a Pod are names that users write."""
    asked: list[tuple[str, str]] = []

    async def note(request: web.Request) -> web.Response:
        asked.append((request.path, request.query_string))
        return web.json_response({"message": "not found", "reason": "NotFound"}, status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", note)
    async with serving(app) as cluster:
        for get in (cluster.get_job, cluster.get_trial, cluster.get_service):
            with pytest.raises(ApiError):
                await get("ns", name)
        for kind in ("Pod", "Job"):
            with pytest.raises(ApiError):
                await cluster.get_attempt("ns", kind, name)
    assert len(asked) == 5
    for path, query in asked:
        assert "/namespaces/ns/" in path
        assert path.endswith(f"/{name}")
        assert query == ""


async def _nothing(_: web.Request) -> web.Response:
    return web.json_response({})


async def test_a_request_takes_no_other_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking the environment for a proxy in a thread, each time, took longer than all else of a request."""
    async with api_server() as (_, cluster):
        await cluster.patch_job_status("ns", "job", {"phase": "Running"}, "7")  # connects
        with monkeypatch.context() as patched:
            patched.setattr(asyncio.get_running_loop(), "run_in_executor", None)
            await cluster.patch_job_status("ns", "job", {"phase": "Running"}, "7")


@pytest.mark.parametrize(("excepted", "proxy"), [("", "http://user:word@proxy.example:3128"), ("api.example", None)])
async def test_a_proxy_that_the_environment_names_is_used(
    monkeypatch: pytest.MonkeyPatch, excepted: str, proxy: str | None
) -> None:
    for name in ("HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    monkeypatch.setenv("no_proxy", excepted)
    configuration = client.Configuration(host="https://api.example:6443")
    await Cluster(configuration, qps=1, burst=1).close()
    assert configuration.proxy == proxy
