"""The iptables rules that Pods need on a host, and the removal of these and of what kube-proxy leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.cluster.commands import run, succeeds

if TYPE_CHECKING:
    from tests.cluster.network import Network

_COMMENT = "tuning-operator test cluster"


def tables() -> dict[str, list[str]]:
    """The tables that exist, by command."""
    return {command: _tables(command) for command in ("iptables", "ip6tables")}


def has_kube_proxys_chains() -> bool:
    """Whether some kube-proxy, ours or another, keeps its rules here."""
    return any("KUBE-SERVICES" in run(f"{command}-save") for command in ("iptables", "ip6tables"))


def allow(network: Network) -> None:
    """Let Pods out, and through a firewall whose default is to drop."""
    for table, rule in _rules(network):
        if not succeeds("iptables", "-w", "-t", table, "-C", *rule):
            run("iptables", "-w", "-t", table, "-I", *rule)


def clear(network: Network, before: dict[str, list[str]]) -> None:
    """Remove what `allow` added, kube-proxy's chains, and the tables that were not there `before`."""
    for table, rule in _rules(network):
        while succeeds("iptables", "-w", "-t", table, "-D", *rule):
            pass
    for command, earlier in before.items():
        _remove_kube_proxys_chains(command)
        # Using a table makes it with its built-in chains; empty ones that accept all can go again.
        for name in set(_tables(command)) - set(earlier):
            succeeds(command, "-w", "-t", name, "-X")


def _rules(network: Network) -> list[tuple[str, list[str]]]:
    comment = ["-m", "comment", "--comment", _COMMENT]
    return [
        ("filter", ["INPUT", "-s", network.pods, *comment, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-s", network.pods, *comment, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-d", network.pods, *comment, "-j", "ACCEPT"]),
        ("nat", ["POSTROUTING", "-s", network.pods, "!", "-d", network.range, *comment, "-j", "MASQUERADE"]),
    ]


def _remove_kube_proxys_chains(command: str) -> None:
    table, script = "", []
    for line in run(f"{command}-save").splitlines():
        if line.startswith("*"):
            table = line
        if match := re.match(r":(KUBE-\S+)", line):
            script.append((table, 0, f"-F {match[1]}"))
            script.append((table, 2, f"-X {match[1]}"))
        elif re.match(r"-A (?!KUBE-).* -[jg] KUBE-", line):
            script.append((table, 1, line.replace("-A", "-D", 1)))
    for table in sorted({table for table, _, _ in script}):
        lines = [line for name, _, line in sorted(script, key=lambda step: step[1]) if name == table]
        run(f"{command}-restore", "--noflush", "-w", stdin="\n".join([table, *lines, "COMMIT", ""]))


def _tables(command: str) -> list[str]:
    return re.findall(r"^\*(\S+)", run(f"{command}-save"), re.MULTILINE)
