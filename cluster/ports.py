"""Free TCP ports for servers that take a port number and do not pick one themselves."""

from __future__ import annotations

import socket
import time
from random import SystemRandom
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Below the ephemeral range, so that no outgoing connection takes a port while its server restarts.
_FIRST, _LAST = 20_000, 31_999
_random = SystemRandom()  # test runs seed the shared generator alike and would all pick the same ports


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` ports that nobody listened on a moment ago; the caller retries when one was taken since."""
    found: list[int] = []
    for port in _random.sample(range(_FIRST, _LAST + 1), 1_000):
        if len(found) == count:
            return found
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
    raise OSError(f"fewer than {count} of 1,000 tried ports between {_FIRST} and {_LAST} are free on {host}")


def wait_until_free(addresses: Iterable[tuple[str, int]], seconds: float = 20.0) -> None:
    """Wait until nobody listens on these; ends with one line that names the first that stays taken."""
    deadline = time.monotonic() + seconds
    for address in addresses:
        while not _is_free(address):
            if time.monotonic() > deadline:
                raise SystemExit(f"port {address[1]} on {address[0]} is taken by another program: `ss -ltnp` names it")
            time.sleep(0.1)


def _is_free(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        # As the servers do: what is left of connections to an earlier server does not hinder a new one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError:
            return False
    return True
