"""Follows one kind of objects: from the present state on, over time-outs and outages, as client-go's reflector does.

It tells of events and of gaps. What has happened in a gap nobody tells: whoever keeps what he hears has to look again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind, classify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.kubernetes.transport import Body

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two attempts to connect, growing."""


class Watch:
    """One list-and-watch, of the objects with the operator's label.

    Args:
        cluster: Where to ask.
        plural: The kind's name in paths.
        namespace: Whose objects; None for all.
        heard: Called with the type of each event and its object.
        gap: Called when events may have been missed.
    """

    def __init__(
        self,
        cluster: Cluster,
        plural: str,
        namespace: str | None,
        heard: Callable[[str, Body], None],
        gap: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._plural = plural
        self._namespace = namespace
        self._heard = heard
        self._gap = gap
        self._version: str | None = None
        self._pause = FIRST_PAUSE
        self.is_live = False
        """Whether the last attempt to connect succeeded: then events arrive, or will soon be known to be missing."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._follow()
            except ApiError as error:
                if self.is_live:
                    logger.warning("the watch of %s in %s: %s", self._plural, self._namespace or "the cluster", error)
                self.is_live = False
                await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
                self._pause = min(LONGEST_PAUSE, 1.6 * self._pause)

    async def _follow(self) -> None:
        """Watch until the server ends it, which it does every few minutes.

        Raises:
            ApiError: There is no watch; the next one begins where this one ended, if that is still to be had.
        """
        if self._version is None:
            self._version = await self._cluster.newest_version(self._plural, self._namespace)
            self._gap()
        lines = self._cluster.watch(self._plural, self._namespace, self._version)
        try:
            async for line in lines:
                if not line:  # the connection stands
                    self.is_live, self._pause = True, FIRST_PAUSE
                    continue
                self._take(*_event(line))
        finally:
            await lines.aclose()

    def _take(self, kind: str, body: Body) -> None:
        if kind == "ERROR":
            code = int(body.get("code") or 0)
            if code < HTTPStatus.TOO_MANY_REQUESTS:
                self._version = None  # such as 410: it is too old, so that events may be missing
            raise classify(code, json.dumps(body))
        self._version = body["metadata"]["resourceVersion"]
        if kind != "BOOKMARK":
            body["metadata"].pop("managedFields", None)
            self._heard(kind, body)


def _event(line: bytes) -> tuple[str, Any]:
    try:
        event = json.loads(line)
        return str(event["type"]), event["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(ErrorKind.UNAVAILABLE, f"an event is not understood: {error!r}") from error
