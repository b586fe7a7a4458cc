"""Free TCP ports for servers that take a port number and do not pick one themselves."""

from __future__ import annotations

import socket
from random import SystemRandom

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
