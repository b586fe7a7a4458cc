"""The cluster's addresses: one range that nothing else on this machine uses."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from cluster.commands import run

# The first that no route of the host touches is used. cluster.mk keeps both away from proxies.
NETWORKS = ("10.213.0.0/16", "10.187.0.0/16")
_WHOLE_INTERNET = 8  # a route for a shorter prefix is a default route of some kind


@dataclass(frozen=True)
class Network:
    """The cluster's addresses, all within one range."""

    range: str

    @property
    def node(self) -> str:
        """The node's address, which is also the Pods' gateway; on the loopback device."""
        return str(ipaddress.ip_network(self.range)[1])

    @property
    def pods(self) -> str:
        """4,094 addresses."""
        return str(next(ipaddress.ip_network(self.range).subnets(new_prefix=20)))

    @property
    def services(self) -> str:
        """254 addresses in the upper half."""
        return f"{ipaddress.ip_network(self.range)[128 * 256]}/24"

    @property
    def api(self) -> str:
        """The Service `kubernetes`."""
        return str(ipaddress.ip_network(self.range)[128 * 256 + 1])

    @property
    def dns(self) -> str:
        """The Service for names."""
        return str(ipaddress.ip_network(self.range)[128 * 256 + 10])


def free() -> Network:
    """The first range that no route or address of this machine touches."""
    listed = run("ip", "-4", "route", "show", "table", "all")
    routes = (ipaddress.ip_network(found, strict=False) for found in re.findall(r"\d+(?:\.\d+){3}(?:/\d+)?", listed))
    taken = [route for route in routes if route.prefixlen >= _WHOLE_INTERNET]
    for candidate in NETWORKS:
        if not any(ipaddress.ip_network(candidate).overlaps(route) for route in taken):
            return Network(candidate)
    raise SystemExit(f"the address ranges {' and '.join(NETWORKS)} are both in use on this machine")
