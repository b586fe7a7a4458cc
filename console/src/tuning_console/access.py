"""Who a request comes from: the bearer token that it carries, which the API server judges, not the console."""

from __future__ import annotations

import hashlib
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from tuning_console.errors import ConsoleError
from tuning_console.upstream import Caller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiohttp import web

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
AUTHORIZATION = "Authorization"


class Access(Protocol):
    """A way to know callers."""

    async def caller(self, request: web.Request) -> Caller:
        """Who asks; raises `ConsoleError` with 401."""

    def session(self, request: web.Request) -> dict[str, Any]:
        """Return what the pages need before their first request; raises `ConsoleError` with 401."""

    def hosts(self) -> frozenset[str] | None:
        """Which Host headers are taken; None for all."""


class TokenAccess:
    """In a cluster: each request has a token, which is passed on.

    Args:
        header: where it is: `Authorization`, or where an authenticating proxy puts it.
        namespaces: which the pages offer; a caller may name others.
    """

    def __init__(self, header: str, namespaces: Sequence[str]) -> None:
        self._header, self._namespaces = header, list(namespaces)

    async def caller(self, request: web.Request) -> Caller:
        """Take the token as it is: whether it is good the API server says."""
        token = _token(request.headers.get(self._header, ""))
        return Caller(_hash(token), {AUTHORIZATION: f"Bearer {token}"})

    def session(self, request: web.Request) -> dict[str, Any]:
        """Name the namespaces to offer."""
        _token(request.headers.get(self._header, ""))
        return {"mode": "token", "namespaces": self._namespaces}

    def hosts(self) -> frozenset[str] | None:
        """Take every host: an Ingress decides."""
        return None


class LocalAccess:
    """On a laptop: the kubeconfig's credentials, for the browser that was opened with the one-time secret.

    Args:
        headers: gives the credentials of the kubeconfig, which may have to be renewed.
        about: what the pages show of the kubeconfig: context, server, namespace.
    """

    def __init__(self, headers: Callable[[], Awaitable[Mapping[str, str]]], about: Mapping[str, str]) -> None:
        self._headers, self._about = headers, dict(about)
        self.secret: str | None = secrets.token_urlsafe(32)
        self._session: str | None = None
        self.port = 0

    async def caller(self, request: web.Request) -> Caller:
        """Take the session that was given for the secret."""
        if not self._is(self._session, request):
            raise ConsoleError(HTTPStatus.UNAUTHORIZED, _USED)
        return Caller("local", await self._headers())

    def session(self, request: web.Request) -> dict[str, Any]:
        """Take the one-time secret and give a session for it; a session that is there is confirmed."""
        if self._is(self.secret, request):
            self.secret, self._session = None, secrets.token_urlsafe(32)
        elif not self._is(self._session, request):
            raise ConsoleError(HTTPStatus.UNAUTHORIZED, _USED)
        return {"mode": "local", "session": self._session, **self._about}

    @staticmethod
    def _is(wanted: str | None, request: web.Request) -> bool:
        """Whether a request shows this secret; how much of it is right takes no time to tell."""
        shown = request.headers.get(AUTHORIZATION, "").removeprefix("Bearer ")
        return wanted is not None and secrets.compare_digest(shown.encode(), wanted.encode())

    def hosts(self) -> frozenset[str] | None:
        """Take the names of this machine alone."""
        return frozenset(f"{host}:{self.port}" for host in ("127.0.0.1", "localhost"))


_USED = "the link that the console printed opens it, once: start `tuning-client console` again"


def _token(header: str) -> str:
    # A proxy may put the bare token into another header.
    first, _, rest = header.strip().partition(" ")
    token = rest.strip() if first.lower() == "bearer" else header.strip()
    if not _TOKEN.fullmatch(token):
        raise ConsoleError(HTTPStatus.UNAUTHORIZED, "no token: sign in, or paste one from `kubectl create token`")
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
