"""Reads and writes of the API server: raw JSON through the official asyncio client, at a bounded rate.

Lists and gets carry no resource version, so that they are never stale.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from tuning_operator.api import names
from tuning_operator.api.compact import compact, compact_pod, compact_trial
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind, classify
from tuning_operator.runtime.kubernetes.limiter import FairLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

Body = dict[str, Any]

for _kind in ErrorKind:
    metrics.API_ERRORS.labels(_kind)  # a counter that begins at 1 has not increased, as far as Prometheus can tell

REQUEST_TIMEOUT = 30.0
WATCH_SECONDS = 300
"""After this time the API server ends a watch, and another one begins where it ended."""
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10)
FIRST_PAGE, PAGE, PAGE_BYTES = 20, 500, 1 << 20
"""Objects of a list that are asked for at first and at most, and about how much of it is read in one go."""
_JSON, _MERGE_PATCH = "application/json", "application/merge-patch+json"


async def load_configuration() -> client.Configuration:
    """Configure the client from the Pod's service account, else from KUBECONFIG."""
    configuration = client.Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)
    else:
        await config.load_kube_config(client_configuration=configuration)
    return configuration


class Listed(NamedTuple):
    """A list, and the version of all objects that it is of."""

    items: list[Body]
    version: str


class Cluster:
    """The API server, as far as this operator uses it."""

    def __init__(self, configuration: client.Configuration, qps: float, burst: int) -> None:
        self._client = client.ApiClient(configuration)
        self._limiter = FairLimiter(qps, burst)
        self.departed = Departed()
        """What its watches saw of Pods that are gone."""

    async def close(self) -> None:
        """Close the connections."""
        await self._limiter.close()
        await self._client.close()

    async def served(self) -> set[str]:
        """Return the plurals that are served in the versions of Pods and of this operator's resources."""
        groups = (await self._request("GET", "/apis"))["groups"]
        versions = {version["groupVersion"] for group in groups for version in group["versions"]}
        paths = ["/api/v1"] + [f"/apis/{version}" for version in versions & {names.API_VERSION}]
        return {kind["name"] for path in paths for kind in (await self._request("GET", path))["resources"]}

    async def get_job(self, namespace: str, name: str) -> Body:
        """Read a HyperparameterTuningJob."""
        return await self._request("GET", _custom(namespace, names.JOB_PLURAL, name))

    async def delete_job(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Delete a job, and by garbage collection all that belongs to it, if it has not changed since it was read."""
        await self._delete_as_seen(_custom(namespace, names.JOB_PLURAL, name), uid, version)

    async def list_jobs(self, namespace: str | None) -> list[Body]:
        """List the jobs of a namespace, or of all."""
        return (await self._list(_custom(namespace, names.JOB_PLURAL), {}, compact)).items

    async def list_of_job(self, plural: str, namespace: str, job: str) -> Listed:
        """List the objects of a kind with a job's label: TuningTrials, Pods or batch Jobs.

        They may belong to an earlier job of the same name. They are reduced to what is used.
        """
        selector = {"labelSelector": f"{names.LABEL_JOB}={job}"}
        return await self._list(_watched(plural, namespace), selector, REDUCE[plural])

    async def get_attempt(self, namespace: str, kind: str, name: str) -> Body:
        """Read an attempt: a Pod or a batch Job."""
        return await self._request("GET", _ATTEMPTS[kind](namespace, name))

    async def create_attempt(self, namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        """Create a Pod, or a batch Job, whose Pods follow.

        Unknown fields are refused, since a misspelt one would silently do nothing.
        """
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return await self._request("POST", _ATTEMPTS[body["kind"]](namespace), query=query, body=body)

    async def delete_attempt(self, namespace: str, kind: str, name: str, uid: str, version: str) -> None:
        """Delete a Pod, or a batch Job, which stays until its Pods are gone; one that is gone is what was wanted.

        One that has changed since it was read is a conflict: it may have ended by itself meanwhile.
        """
        options = {} if kind == "Pod" else {"propagationPolicy": "Foreground"}
        await self._delete_as_seen(_ATTEMPTS[kind](namespace, name), uid, version, **options)

    async def newest_version(self, plural: str, namespace: str | None) -> str:
        """Return the version from which on a watch tells of all that changes from now on."""
        answer = await self._request("GET", _watched(plural, namespace), query={"limit": "1", **_LABELLED})
        return str(answer["metadata"]["resourceVersion"])

    async def watch(self, plural: str, namespace: str | None, version: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch, an empty one first: its connection stands.

        Raises:
            ApiError: The connection failed, or broke.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            **_LABELLED,
        }
        path = _watched(plural, namespace)
        await self._limiter.acquire(namespace or "")
        try:
            response = await self._open("GET", path, query, None, _JSON, _WATCH_TIMEOUT)
            try:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    text = (await response.read()).decode()
                    yield json.dumps({"type": "ERROR", "object": {"code": response.status, "message": text}}).encode()
                    return
                yield b""
                rest = b""
                async for chunk in response.response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in filter(None, lines):
                        yield line
            finally:
                response.response.close()
        except (TimeoutError, aiohttp.ClientError, OSError, ApiException) as error:
            raise ApiError(ErrorKind.UNAVAILABLE, f"watch {path}: {error!r}") from error

    async def get_service(self, namespace: str, name: str) -> Body:
        """Read a Service."""
        return await self._request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")

    async def create_service(self, namespace: str, body: Body) -> Body:
        """Create a Service."""
        return await self._request("POST", f"/api/v1/namespaces/{namespace}/services", body=body)

    async def get_trial(self, namespace: str, name: str) -> Body:
        """Read a TuningTrial."""
        return await self._request("GET", _custom(namespace, names.TRIAL_PLURAL, name))

    async def create_trial(self, namespace: str, body: Body) -> Body:
        """Create a TuningTrial."""
        return await self._request("POST", _custom(namespace, names.TRIAL_PLURAL), body=body)

    async def patch_job_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a job's status, if the job has not changed since it was read."""
        return await self._patch_status(_custom(namespace, names.JOB_PLURAL, name), status, version)

    async def patch_trial_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a trial's status, if the trial has not changed since it was read."""
        return await self._patch_status(_custom(namespace, names.TRIAL_PLURAL, name), status, version)

    async def create_event(self, namespace: str, body: Body) -> None:
        """Create an Event; one that exists already says the same."""
        try:
            await self._request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)
        except ApiError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise

    async def _delete_as_seen(self, path: str, uid: str, version: str, **options: str) -> None:
        seen = {"uid": uid, "resourceVersion": version}
        try:
            await self._request("DELETE", path, body={"preconditions": seen, **options})
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise

    async def _patch_status(self, path: str, status: Body, version: str) -> Body:
        patch = {"metadata": {"resourceVersion": version}, "status": status}
        return await self._request("PATCH", f"{path}/status", body=patch, content_type=_MERGE_PATCH)

    async def _list(self, path: str, query: Mapping[str, str], reduce: Callable[[Body], Body]) -> Listed:
        """List page by page, starting with small pages, then as large as can be read in one go."""
        items: list[Body] = []
        limit, token = FIRST_PAGE, ""
        while True:
            more = {"continue": token} if token else {}
            answer, size = await self._sized("GET", path, query={**query, "limit": str(limit), **more})
            items += map(reduce, answer["items"])
            token = answer["metadata"].get("continue")
            if not token:
                return Listed(items, answer["metadata"]["resourceVersion"])
            limit = max(1, min(PAGE, PAGE_BYTES * len(answer["items"]) // size))

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = _JSON,
    ) -> Body:
        """Send one request and return the JSON of the answer.

        Raises:
            ApiError: The server refused, or did not answer in time.
        """
        return (await self._sized(method, path, query=query, body=body, content_type=content_type))[0]

    async def _sized(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = _JSON,
    ) -> tuple[Body, int]:
        """Send one request and return the JSON of the answer, and how long that is."""
        try:
            await self._limiter.acquire(_namespace_of(path))
            return await self._send(method, path, query or {}, body, content_type)
        except ApiError as error:
            metrics.API_ERRORS.labels(error.kind).inc()
            raise

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Body | None, content_type: str
    ) -> tuple[Body, int]:
        try:
            response = await self._open(method, path, query, body, content_type, REQUEST_TIMEOUT)
            text = (await response.read()).decode()
        except RecursionError as error:
            raise ApiError(ErrorKind.INVALID, "the object is nested too deeply to be sent") from error
        except (TimeoutError, aiohttp.ClientError, OSError, ApiException) as error:
            raise ApiError(ErrorKind.UNAVAILABLE, f"{method} {path}: {error!r}") from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise classify(response.status, text)
        try:
            answer: Body = json.loads(text)
        except ValueError as error:
            raise ApiError(ErrorKind.UNAVAILABLE, f"{method} {path}: the answer is not JSON") from error
        return answer, len(text)

    async def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Body | None,
        content_type: str,
        timeout: float | aiohttp.ClientTimeout,  # noqa: ASYNC109 - the client's own
    ) -> Any:
        """Send one request and return its answer, of which the head has been read."""
        _, url, headers, sent, _ = await self._client.param_serialize(
            method,
            f"{path}?{urlencode(query)}",
            header_params={"Accept": _JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self._client.call_api(method, url, header_params=headers, body=sent, _request_timeout=timeout)


def _namespace_of(path: str) -> str:
    """The namespace that a path leads into; empty for what concerns all of them."""
    return path.partition("/namespaces/")[2].partition("/")[0]


def _custom(namespace: str | None, plural: str, name: str | None = None) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{names.API_VERSION}{scope}/{plural}" + (f"/{name}" if name else "")


def _pods(namespace: str, name: str | None = None) -> str:
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def _batch_jobs(namespace: str, name: str | None = None) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs" + (f"/{name}" if name else "")


def _watched(plural: str, namespace: str | None) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{_GROUPS[plural]}{scope}/{plural}"


REDUCE = {names.TRIAL_PLURAL: compact_trial, "pods": compact_pod, "jobs": compact}
"""What is kept of the objects of each kind."""
_LABELLED = {"labelSelector": names.LABEL_JOB}
_GROUPS = {names.TRIAL_PLURAL: f"/apis/{names.API_VERSION}", "pods": "/api/v1", "jobs": "/apis/batch/v1"}
_ATTEMPTS = {"Pod": _pods, "Job": _batch_jobs}
