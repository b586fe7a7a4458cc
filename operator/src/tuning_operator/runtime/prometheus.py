"""Reads measurements from Prometheus.

Every answer is whole or it is none: a warning, a partial answer, a time-out or any status but 200 means that nothing
is known, never that there is nothing. Trials are told apart by the target's labels `namespace` and `pod`, which
Prometheus sets and a trainer cannot forge.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from tuning_operator.api.values import printable
from tuning_operator.core.curves import Curve
from tuning_operator.runtime import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

logger = logging.getLogger(__name__)

QUERY_TIMEOUT = 15.0
MAX_ANSWER = 32 * 1024 * 1024
"""More than one Pod can fill: 40,000 epochs of a metric with the longest name are 27 MiB."""

EPOCHS = "0|[1-9][0-9]{0,3}|[1-3][0-9]{4}"
"""An epoch up to `MAX_EPOCH`. There is one way to write it, so that a Pod has one series for each epoch."""


class PrometheusError(Exception):
    """Prometheus gave no usable answer; the message says why."""


class TooMuchError(PrometheusError):
    """The answer is larger than the operator, or Prometheus itself, is willing to take."""


class Prometheus:
    """A Prometheus server, or anything that speaks its HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)  # messages are read by more people than may know a password
        self._name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=QUERY_TIMEOUT))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def curves(self, namespace: str, pods: Mapping[str, str], windows: Mapping[str, int]) -> dict[str, Curve]:
        """Return the curve of each Pod, in one question for all of them.

        When that is too much it becomes two questions, and so on, so that a Pod with a flood of series keeps nobody
        else's from being known. A Pod that is too much by itself has no entry.

        Args:
            namespace: The Pods' namespace.
            pods: Names of the Pods, each with the metric that is its objective.
            windows: How far to look back for each of them, in milliseconds.

        Raises:
            PrometheusError: There is no usable answer.
        """
        known: dict[str, Curve] = {}
        refused: TooMuchError | None = None
        batches = [sorted(pods)]
        while batches:
            batch = batches.pop()
            try:
                known |= await self._curves(namespace, {pod: pods[pod] for pod in batch}, windows)
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

    async def _curves(self, namespace: str, pods: Mapping[str, str], windows: Mapping[str, int]) -> dict[str, Curve]:
        query = build_query(namespace, {pod: windows[pod] for pod in pods}, set(pods.values()))
        with metrics.PROMETHEUS_SECONDS.time():
            try:
                return parse_answer(await self._ask(query), pods)
            except PrometheusError:
                metrics.PROMETHEUS_ERRORS.inc()
                raise

    async def _ask(self, query: str) -> Any:
        form = {"query": query, "timeout": f"{QUERY_TIMEOUT:g}s"}
        try:
            # A redirect is not followed: it could lead to anything that the operator reaches and others do not.
            async with self._session.post(f"{self._url}/api/v1/query", data=form, allow_redirects=False) as response:
                body = await _read(response)
                if response.status != HTTPStatus.OK:
                    kind = TooMuchError if b"too many samples" in body else PrometheusError
                    raise kind(f"{self._name} answered HTTP {response.status}: {_excerpt(body)}")
                return json.loads(body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise PrometheusError(f"{self._name} does not answer: {type(error).__name__} {error}".rstrip()) from error
        except (ValueError, RecursionError) as error:
            raise PrometheusError(f"{self._name} did not answer with JSON") from error


def build_query(namespace: str, windows: Mapping[str, int], objectives: Collection[str]) -> str:
    """Build the instant query for the values of all epochs of some Pods, each with its window in milliseconds."""
    pods_by_window: defaultdict[int, list[str]] = defaultdict(list)
    for pod, window in windows.items():
        pods_by_window[window].append(pod)
    ranges = (_range(namespace, pods, objectives, window) for window, pods in sorted(pods_by_window.items()))
    return f"max by (pod, metric, epoch) ({' or '.join(ranges)})"


def _range(namespace: str, pods: Collection[str], objectives: Collection[str], window: int) -> str:
    selector = (
        f"namespace={_quoted(namespace)},pod=~{_any_of(pods)},metric=~{_any_of(objectives)},epoch=~{_quoted(EPOCHS)}"
    )
    return f"last_over_time(tuning_epoch_value{{{selector}}}[{window}ms])"


def parse_answer(answer: Any, pods: Mapping[str, str]) -> dict[str, Curve]:
    """Parse the answer to `build_query`; a Pod of which Prometheus knows nothing has an empty curve.

    Series that do not follow the metrics contract are left out: a trainer is not trusted.

    Raises:
        PrometheusError: The answer is not whole.
    """
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise PrometheusError(f"the query failed: {_excerpt(json.dumps(answer))}")
    if answer.get("warnings") or answer.get("isPartial"):  # the latter is how VictoriaMetrics says it
        raise PrometheusError(f"the answer may be partial: {answer.get('warnings') or 'isPartial'}")
    data = answer.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "vector" or not isinstance(data.get("result"), list):
        raise PrometheusError("the answer is no vector")
    points: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    try:
        for series in data["result"]:
            labels = series["metric"]
            pod, epoch = labels.get("pod", ""), _epoch(labels.get("epoch", ""))
            if epoch is not None and labels.get("metric") == pods.get(pod):
                points[pod].append((epoch, float(series["value"][1])))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PrometheusError(f"the answer is malformed: {error!r}") from error
    return {pod: Curve.of(points[pod]) for pod in pods}


def _epoch(text: str) -> int | None:
    return int(text) if re.fullmatch(EPOCHS, text) else None


def _any_of(words: Collection[str]) -> str:
    return _quoted("|".join(re.escape(word) for word in sorted(words)))


def _quoted(text: str) -> str:
    """A PromQL string; its escapes are those of Go, of which JSON's are a part.

    Prometheus takes the replacement character, unless it is escaped, for broken UTF-8, and refuses the question.
    """
    return json.dumps(text, ensure_ascii=False).replace("\N{REPLACEMENT CHARACTER}", r"\ufffd")


async def _read(response: aiohttp.ClientResponse) -> bytearray:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 20):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise TooMuchError(f"the answer is larger than {MAX_ANSWER >> 20} MiB")
    return body


def _excerpt(text: str | bytearray) -> str:
    return printable(text if isinstance(text, str) else text.decode(errors="replace"), 300)
