"""Single requests to the API server: raw JSON through the official asyncio client, at a bounded rate."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind, classify
from tuning_operator.runtime.kubernetes.limiter import FairLimiter
from tuning_operator.runtime.kubernetes.paths import namespace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Body = dict[str, Any]

for _kind in ErrorKind:
    metrics.API_ERRORS.labels(_kind)  # a counter that begins at 1 has not increased, as far as Prometheus can tell

REQUEST_TIMEOUT = 30.0
"""Seconds."""
JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"


class Transport:
    """Sends requests, each in its turn: namespaces share the rate."""

    def __init__(self, configuration: client.Configuration, qps: float, burst: int) -> None:
        configuration.proxy = configuration.proxy or _proxy_for(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}  # it asks for the proxy in a thread at each request
        self._client = client.ApiClient(configuration)
        self._limiter = FairLimiter(qps, burst)

    async def close(self) -> None:
        """Close the connections."""
        await self._limiter.close()
        await self._client.close()

    async def turn(self, namespace: str) -> None:
        """Wait until the rate allows the namespace a request; `request` does so itself."""
        await self._limiter.acquire(namespace)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = JSON,
    ) -> Body:
        """Send one request and return the JSON of the answer.

        Raises:
            ApiError: The server refused, or did not answer in time.
        """
        return (await self.sized(method, path, query=query, body=body, content_type=content_type))[0]

    async def sized(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = JSON,
    ) -> tuple[Body, int]:
        """Send one request and return the JSON of the answer, and its length in characters.

        Raises:
            ApiError: The server refused, or did not answer in time.
        """
        try:
            await self._limiter.acquire(namespace_of(path))
            return await self._send(method, path, query or {}, body, content_type)
        except ApiError as error:
            metrics.API_ERRORS.labels(error.kind).inc()
            raise

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Body | None, content_type: str
    ) -> tuple[Body, int]:
        try:
            response = await self.open(method, path, query, body, content_type, REQUEST_TIMEOUT)
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

    async def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Body | None,
        content_type: str,
        timeout: float | aiohttp.ClientTimeout,  # noqa: ASYNC109 - the client's own
    ) -> Any:
        """Send one request and return its answer, of which the head has been read.

        Raises:
            TimeoutError, aiohttp.ClientError, OSError, ApiException: It was not sent, or not answered in time.
        """
        # It is JSON already: the client would look at each value of a body for its own objects.
        _, url, headers, _, _ = await self._client.param_serialize(
            method,
            f"{path}?{urlencode(query)}",
            header_params={"Accept": JSON, "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        return await self._client.call_api(method, url, header_params=headers, body=body, _request_timeout=timeout)


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a server."""
    server = urlsplit(url)
    return None if proxy_bypass(server.hostname or "") else getproxies().get(server.scheme)
