"""Reads measurements from Prometheus.

Every answer is whole or it is none: a warning, a partial answer, a time-out or any status but 200 means that nothing
is known, never that there is nothing. Trials are distinguished by the target's labels `namespace` and `pod`, which
Prometheus sets and a trainer cannot forge.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from tuning_operator.runtime import metrics
from tuning_operator.runtime.prometheus import epochs, gauges, progress, targets
from tuning_operator.runtime.prometheus.answers import PrometheusError, TooMuchError, decoded, excerpt, series_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from tuning_operator.core.model.attempt import Scraping
    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.model.sources import Gauges
    from tuning_operator.runtime.settings import Settings

logger = logging.getLogger(__name__)

Known = TypeVar("Known")
Answer = TypeVar("Answer")

QUERY_TIMEOUT = 15.0
MAX_ANSWER = 32 * 1024 * 1024
"""More than one Pod can fill: 40,000 epochs of a metric with the longest name are 27 MiB."""


class Prometheus:
    """A Prometheus server, or anything that speaks its HTTP API.

    Args:
        url: Where it answers.
        ca_file: The certificates that it is trusted by, PEM; empty for the system's.
        token_file: A bearer token. It is read for each question, for Kubernetes replaces tokens before they expire.
        headers: What else is sent with every question.
    """

    def __init__(
        self, url: str, *, ca_file: str = "", token_file: str = "", headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._url = url
        self._token_file = token_file
        parts = urlsplit(url)  # messages are read by more people than may know a password
        self._name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=QUERY_TIMEOUT),
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file) if ca_file else True),
            headers=headers,
        )

    @classmethod
    def configured(cls, settings: Settings) -> Prometheus:
        """Return the client that the settings describe."""
        return cls(
            settings.prometheus_url,
            ca_file=settings.prometheus_ca_file,
            token_file=settings.prometheus_token_file,
            headers=settings.prometheus_header,
        )

    async def check(self) -> None:
        """Ask a question that any Prometheus can answer.

        Raises:
            PrometheusError: There is no usable answer.
        """
        series_of(await self._ask("vector(1)", decoded), "vector")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def curves(self, namespace: str, pods: Mapping[str, str], windows: Mapping[str, int]) -> dict[str, Curve]:
        """Return the curve of each Pod that keeps the metrics contract, in one question for all of them.

        When that is too much it becomes two questions, and so on, so that a Pod with a flood of series keeps nobody
        else's from being known. A Pod that is too much by itself has no entry.

        Args:
            namespace: The Pods' namespace.
            pods: Names of the Pods, each with the metric that is its objective.
            windows: How far to look back for each of them, in milliseconds.

        Raises:
            PrometheusError: There is no usable answer.
        """

        def ask(batch: Sequence[str]) -> Awaitable[dict[str, Curve]]:
            asked = {pod: pods[pod] for pod in batch}
            query = epochs.build_query(namespace, {pod: windows[pod] for pod in batch}, set(asked.values()))
            return self._answer(query, lambda answer: epochs.parse_answer(answer, asked))

        return await _in_batches(namespace, sorted(pods), ask)

    async def gauge_curves(self, namespace: str, source: Gauges, windows: Mapping[str, int]) -> dict[str, Curve]:
        """Return what is seen of the curve of each Pod that exports plain gauges, in the same way.

        Args:
            namespace: The Pods' namespace.
            source: The gauges.
            windows: Names of the Pods, each with how far to look back, in milliseconds.

        Raises:
            PrometheusError: There is no usable answer.
        """

        def ask(batch: Sequence[str]) -> Awaitable[dict[str, Curve]]:
            asked = {pod: windows[pod] for pod in batch}
            query = gauges.build_query(namespace, batch, source, max(asked.values()))
            return self._answer(query, lambda answer: gauges.parse_answer(answer, source, asked))

        return await _in_batches(namespace, sorted(windows), ask)

    async def progress(self, namespace: str, windows: Mapping[str, int]) -> dict[str, float]:
        """Return how many epochs each Pod says are over; a Pod that has not said so has no entry.

        Args:
            namespace: The Pods' namespace.
            windows: Names of the Pods, each with how far to look back, in milliseconds.

        Raises:
            PrometheusError: There is no usable answer.
        """
        return await self._answer(progress.build_query(namespace, windows), progress.parse_answer)

    async def scraping(
        self, namespace: str, windows: Mapping[str, int], gauges: Collection[str]
    ) -> dict[str, Scraping]:
        """Return for each Pod whether it is scraped.

        Args:
            namespace: The Pods' namespace.
            windows: Names of the Pods, each with how far to look back, in milliseconds.
            gauges: Names of the gauges that they show.

        Raises:
            PrometheusError: There is no usable answer.
        """
        query = targets.build_query(namespace, windows, gauges)
        return await self._answer(query, lambda answer: targets.parse_answer(answer, windows))

    async def _answer(self, query: str, parse: Callable[[Any], dict[str, Known]]) -> dict[str, Known]:
        with metrics.PROMETHEUS_SECONDS.time():
            try:
                return await self._ask(query, lambda text: parse(decoded(text)))
            except PrometheusError:
                metrics.PROMETHEUS_ERRORS.inc()
                raise

    async def _ask(self, query: str, parse: Callable[[str], Answer]) -> Answer:
        form = {"query": query, "timeout": f"{QUERY_TIMEOUT:g}s"}
        token = _token(self._token_file) if self._token_file else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            # A redirect is not followed: it could lead to anything that the operator reaches and others do not.
            async with self._session.post(
                f"{self._url}/api/v1/query", data=form, headers=headers, allow_redirects=False
            ) as response:
                body = await _read(response)
                if response.status != HTTPStatus.OK:
                    kind = TooMuchError if b"too many samples" in body else PrometheusError
                    shown = body.replace(token.encode(), b"(token)") if token else body
                    raise kind(f"{self._name} answered HTTP {response.status}: {excerpt(shown)}")
                # Tens of thousands of series are nothing for the loop.
                return await asyncio.to_thread(lambda: parse(body.decode()))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise PrometheusError(f"{self._name} does not answer: {type(error).__name__} {error}".rstrip()) from error
        except (ValueError, RecursionError) as error:
            raise PrometheusError(f"{self._name} did not answer with JSON") from error


def _token(path: str) -> str:
    """The token in a file; errors never show its content."""
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except OSError as error:
        raise PrometheusError(f"--prometheus-token-file {path} cannot be read: {error.strerror}") from error
    except ValueError:
        token = ""
    if not re.fullmatch(r"[!-~]+", token):
        raise PrometheusError(f"--prometheus-token-file {path} must contain one word, the token")
    return token


async def _in_batches(
    namespace: str, pods: Sequence[str], ask: Callable[[Sequence[str]], Awaitable[dict[str, Curve]]]
) -> dict[str, Curve]:
    """Ask about all Pods at once, and about half of them when that is too much."""
    known: dict[str, Curve] = {}
    refused: TooMuchError | None = None
    batches = [pods]
    while batches:
        batch = batches.pop()
        try:
            known |= await ask(batch)
        except TooMuchError as error:
            middle = len(batch) // 2
            if middle:
                batches += [batch[:middle], batch[middle:]]
            else:
                logger.warning("metrics of Pod %s/%s: %s", namespace, batch[0], error)
                refused = error
    if refused and not known:
        raise refused
    return known


async def _read(response: aiohttp.ClientResponse) -> bytearray:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 20):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise TooMuchError(f"the answer is larger than {MAX_ANSWER >> 20} MiB")
    return body
