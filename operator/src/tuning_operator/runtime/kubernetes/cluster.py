"""What this operator reads and writes at the API server.

Lists and gets carry no resource version, so that they are never stale.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from tuning_operator.api import names
from tuning_operator.api.compact import compact, compact_pod, compact_trial
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.paths import attempt, custom, services, watched
from tuning_operator.runtime.kubernetes.transport import JSON, MERGE_PATCH, Body, Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

WATCH_SECONDS = 300
"""After this time the API server ends a watch, and another one begins where it ended."""
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10)
FIRST_PAGE, PAGE, PAGE_BYTES = 4, 500, 1 << 20
"""Objects of a list that are asked for at first and at most, and about how much of it is read in one go.

An object has up to 1.5 MB, and nothing else happens while a page is parsed, so the first one is short.
"""


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
    """The API server, as far as this operator uses it.

    Args:
        configuration: Where it answers, and to whom.
        qps: Requests a second.
        burst: Requests that may be sent at once.
        watch_timeout: When a watch is given up, in seconds.
    """

    def __init__(
        self,
        configuration: client.Configuration,
        qps: float,
        burst: int,
        watch_timeout: aiohttp.ClientTimeout = WATCH_TIMEOUT,
    ) -> None:
        self._watch_timeout = watch_timeout
        self._transport = Transport(configuration, qps, burst)
        self.departed = Departed()
        """What its watches saw of Pods that are gone."""

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def served(self) -> set[str]:
        """Return the plurals that are served in the versions of Pods and of this operator's resources."""
        groups = (await self._transport.request("GET", "/apis"))["groups"]
        versions = {version["groupVersion"] for group in groups for version in group["versions"]}
        paths = ["/api/v1"] + [f"/apis/{version}" for version in versions & {names.API_VERSION}]
        return {kind["name"] for path in paths for kind in (await self._transport.request("GET", path))["resources"]}

    async def get_job(self, namespace: str, name: str) -> Body:
        """Read a HyperparameterTuningJob."""
        return await self._transport.request("GET", custom(namespace, names.JOB_PLURAL, name))

    async def delete_job(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Delete a job, and by garbage collection all that belongs to it, if it has not changed since it was read."""
        await self._delete_as_seen(custom(namespace, names.JOB_PLURAL, name), uid, version)

    async def list_jobs(self, namespace: str | None) -> list[Body]:
        """List the jobs of a namespace, or of all."""
        return (await self._list(custom(namespace, names.JOB_PLURAL), {}, compact)).items

    async def list_of_job(self, plural: str, namespace: str, job: str) -> Listed:
        """List the objects of a kind with a job's label: TuningTrials, Pods or batch Jobs.

        They may belong to an earlier job of the same name. They are reduced to what is used.
        """
        selector = {"labelSelector": f"{names.LABEL_JOB}={job}"}
        return await self._list(watched(plural, namespace), selector, REDUCE[plural])

    async def get_attempt(self, namespace: str, kind: str, name: str) -> Body:
        """Read an attempt: a Pod or a batch Job."""
        return await self._transport.request("GET", attempt(kind, namespace, name))

    async def create_attempt(self, namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        """Create a Pod, or a batch Job, whose Pods follow.

        Unknown fields are refused, since a misspelt one would silently do nothing.
        """
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return await self._transport.request("POST", attempt(body["kind"], namespace), query=query, body=body)

    async def delete_attempt(self, namespace: str, kind: str, name: str, uid: str, version: str) -> None:
        """Delete a Pod, or a batch Job, which stays until its Pods are gone; one that is gone is what was wanted.

        One that has changed since it was read is a conflict: it may have ended by itself meanwhile.
        """
        options = {} if kind == "Pod" else {"propagationPolicy": "Foreground"}
        await self._delete_as_seen(attempt(kind, namespace, name), uid, version, **options)

    async def newest_version(self, plural: str, namespace: str | None) -> str:
        """Return the version from which on a watch tells of all that changes from now on."""
        answer = await self._transport.request("GET", watched(plural, namespace), query={"limit": "1", **_LABELLED})
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
        path = watched(plural, namespace)
        await self._transport.turn(namespace or "")
        try:
            response = await self._transport.open("GET", path, query, None, JSON, self._watch_timeout)
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
        return await self._transport.request("GET", services(namespace, name))

    async def create_service(self, namespace: str, body: Body) -> Body:
        """Create a Service."""
        return await self._transport.request("POST", services(namespace), body=body)

    async def get_trial(self, namespace: str, name: str) -> Body:
        """Read a TuningTrial."""
        return await self._transport.request("GET", custom(namespace, names.TRIAL_PLURAL, name))

    async def create_trial(self, namespace: str, body: Body) -> Body:
        """Create a TuningTrial."""
        return await self._transport.request("POST", custom(namespace, names.TRIAL_PLURAL), body=body)

    async def patch_job_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a job's status, if the job has not changed since it was read."""
        return await self._patch_status(custom(namespace, names.JOB_PLURAL, name), status, version)

    async def patch_trial_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a trial's status, if the trial has not changed since it was read."""
        return await self._patch_status(custom(namespace, names.TRIAL_PLURAL, name), status, version)

    async def create_event(self, namespace: str, body: Body) -> None:
        """Create an Event; one that exists already says the same."""
        try:
            await self._transport.request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body=body)
        except ApiError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise

    async def _delete_as_seen(self, path: str, uid: str, version: str, **options: str) -> None:
        seen = {"uid": uid, "resourceVersion": version}
        try:
            await self._transport.request("DELETE", path, body={"preconditions": seen, **options})
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise

    async def _patch_status(self, path: str, status: Body, version: str) -> Body:
        patch = {"metadata": {"resourceVersion": version}, "status": status}
        return await self._transport.request("PATCH", f"{path}/status", body=patch, content_type=MERGE_PATCH)

    async def _list(self, path: str, query: Mapping[str, str], reduce: Callable[[Body], Body]) -> Listed:
        """List page by page, starting with small pages, then as large as can be read in one go."""
        items: list[Body] = []
        limit, token = FIRST_PAGE, ""
        while True:
            more = {"continue": token} if token else {}
            answer, size = await self._transport.sized("GET", path, query={**query, "limit": str(limit), **more})
            items += map(reduce, answer["items"])
            token = answer["metadata"].get("continue")
            if not token:
                return Listed(items, answer["metadata"]["resourceVersion"])
            limit = max(1, min(PAGE, PAGE_BYTES * len(answer["items"]) // size))


REDUCE = {names.TRIAL_PLURAL: compact_trial, "pods": compact_pod, "jobs": compact}
"""What is kept of the objects of each kind."""
_LABELLED = {"labelSelector": names.LABEL_JOB}
