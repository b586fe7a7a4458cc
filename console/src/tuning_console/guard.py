"""Checks every request: only GET, only from the console's own pages, with headers that isolate the pages."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from tuning_console.errors import ConsoleError, ExpiredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tuning_console.access import Access

_log = logging.getLogger(__name__)

# Bytes below which compressing an answer does not pay.
_SMALL = 1_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer, whatever made it."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)


def guard(access: Access) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Make the middleware that lets through what may pass, and says in JSON why something may not."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            _check(request, access)
            return _packed(await handler(request))
        except ConsoleError as error:
            return _refusal(error)
        except ExpiredError:
            return _refusal(
                ConsoleError(HTTPStatus.SERVICE_UNAVAILABLE, "the list changed while it was read: try again")
            )
        except web.HTTPNotFound:
            return _refusal(ConsoleError(HTTPStatus.NOT_FOUND, "page not found"))

    return check


def _packed(response: web.StreamResponse) -> web.StreamResponse:
    """Have an answer packed if that is of use and not done yet."""
    body = response.body if isinstance(response, web.Response) else None
    if isinstance(body, bytes) and len(body) > _SMALL and "Content-Encoding" not in response.headers:
        response.enable_compression()
    return response


def _refusal(error: ConsoleError) -> web.Response:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s", error.message)
    body = {"status": error.status, "message": error.message, "source": error.source}
    return web.json_response({"error": body}, status=error.status)


def _check(request: web.Request, access: Access) -> None:
    if request.method != "GET":
        raise ConsoleError(HTTPStatus.METHOD_NOT_ALLOWED, "the console only reads: only GET is answered")
    if request.can_read_body:
        raise ConsoleError(HTTPStatus.BAD_REQUEST, "a GET has no body here")
    hosts = access.hosts()
    if hosts is not None and request.host not in hosts:
        # A foreign name that leads to 127.0.0.1 makes a foreign page the browser's same origin.
        raise ConsoleError(HTTPStatus.MISDIRECTED_REQUEST, "the console answers at 127.0.0.1 and localhost only")
    if request.path.startswith("/api/") and not _is_own(request):
        raise ConsoleError(HTTPStatus.FORBIDDEN, "another site's pages get no answer from the console")


def _is_own(request: web.Request) -> bool:
    """Whether the request comes from the console's own pages, or not from a browser."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
