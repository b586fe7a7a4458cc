"""Ends the process with a message, not a traceback, where a port of the settings cannot be listened on."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(flag: str, port: int) -> Iterator[None]:
    """Name the setting and the remedy if what is done within cannot listen; exits with code 1 then."""
    try:
        yield
    except OSError as error:
        sys.exit(f"tuning-operator: {flag}: cannot listen on port {port}: {error.strerror}; choose another port")


def require_free(port: int) -> None:
    """Take the port on all addresses for a moment, as the server that starts later will.

    Raises:
        OSError: The port cannot be listened on.
    """
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections are no obstacle
        server.bind(("0.0.0.0", port))  # noqa: S104 - probes come from outside the Pod
