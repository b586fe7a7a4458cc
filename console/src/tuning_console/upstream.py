"""The one place that sends requests: GET, to the API server, with the caller's own credentials."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from tuning_console.errors import ExpiredError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from tuning_console.questions import Question

# Nothing that etcd holds is larger; a page of a list is kept far below.
MAX_LINE = 4 * 1024 * 1024
MAX_ANSWER = 64 * 1024 * 1024
_PAGE_BYTES = 2 * 1024 * 1024
_FIRST_PAGE, _LARGEST_PAGE = 20, 500
_PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=5)
_MESSAGE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        key: tells callers apart; a hash, never the token.
        headers: the credentials, for the API server alone.
    """

    key: str
    headers: Mapping[str, str] = field(repr=False)


class Upstream:
    """The API server.

    Args:
        session: with the certificates to trust and, on a laptop, to show.
        url: the API server's.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url.rstrip("/")

    async def read(self, question: Question, caller: Caller) -> dict[str, Any]:
        """An object, or a list in one piece."""
        answer = json.loads(await self.text(question, caller))
        if not isinstance(answer, dict):
            raise UnavailableError(f"the API server answers {question.path} with something other than an object")
        return answer

    async def text(self, question: Question, caller: Caller) -> bytes:
        """An answer as it is, up to `MAX_ANSWER`."""
        async with self._ask(question, caller, _PATIENCE) as response:
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_ANSWER:
                    raise UnavailableError(f"the API server's answer to {question.path} is larger than {MAX_ANSWER} B")
                parts.append(part)
        return b"".join(parts)

    async def pages(self, question: Question, caller: Caller) -> AsyncIterator[dict[str, Any]]:
        """A list in pages of about `_PAGE_BYTES`, whatever the size of an item."""
        query = {"limit": str(_FIRST_PAGE)}
        while True:
            body = await self.text(question.with_query(**query), caller)
            page = json.loads(body)
            count = len(page.get("items") or page.get("rows") or ())
            yield page
            following = page["metadata"].get("continue")
            if not following:
                return
            limit = min(_LARGEST_PAGE, max(1, _PAGE_BYTES * count // len(body)))
            query = {"limit": str(limit), "continue": following}
            del body, page

    async def watch(self, question: Question, caller: Caller) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a watch, until the API server ends it.

        Raises:
            ExpiredError: the resource version is too old.
        """
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self._ask(question, caller, patience) as response:
            rest = b""
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _event(line)
                if len(rest) > MAX_LINE:
                    raise UnavailableError("the API server sends an event that is larger than any object may be")

    @asynccontextmanager
    async def _ask(
        self, question: Question, caller: Caller, patience: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {**caller.headers, "Accept": question.accept}
        try:
            async with self._session.get(
                self._url + question.path,
                params=question.query,
                headers=headers,
                timeout=patience,
                allow_redirects=False,
            ) as response:
                if response.status == HTTPStatus.GONE:
                    raise ExpiredError
                if response.status != HTTPStatus.OK:
                    raise _refusal(response.status, await response.content.read(_MESSAGE_BYTES))
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(f"the API server does not answer: {error or type(error).__name__}") from error


def _event(line: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)
    if event["type"] == "ERROR":
        status = event["object"]
        if status.get("code") == HTTPStatus.GONE:
            raise ExpiredError
        raise RefusedError(int(status.get("code") or HTTPStatus.BAD_GATEWAY), str(status.get("message")))
    return event


def _refusal(status: int, body: bytes) -> RefusedError | UnavailableError:
    """The API server's own words."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        said = body.decode(errors="replace").strip()[:1000]
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return RefusedError(status, str(said) or HTTPStatus(status).phrase)
    return UnavailableError(f"the API server answers {status}: {said}")
