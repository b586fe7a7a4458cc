"""The iptables rules that Pods need on a host, and the removal of these and of what kube-proxy leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cluster.commands import run, succeeds

if TYPE_CHECKING:
    from cluster.network import Network

_COMMANDS = ("iptables", "ip6tables")
_COMMENT = "tuning-operator test cluster"


def has_kube_proxys_chains() -> bool:
    """Whether some kube-proxy, ours or another, keeps its rules here."""
    return any("KUBE-SERVICES" in run(f"{command}-save") for command in _COMMANDS)


def has_own_rules() -> bool:
    """Whether a test cluster, this one or another, keeps its rules here."""
    return _COMMENT in run("iptables-save")


def allow(network: Network) -> None:
    """Let Pods out, and through a firewall whose default is to drop."""
    for table, rule in _rules(network):
        if not succeeds("iptables", "-w", "-t", table, "-C", *rule):
            run("iptables", "-w", "-t", table, "-I", *rule)


def clear(network: Network) -> None:
    """Remove what `allow` added and kube-proxy's chains; empty built-in tables stay, as after any use of iptables."""
    for table, rule in _rules(network):
        while succeeds("iptables", "-w", "-t", table, "-D", *rule):
            pass
    for command in _COMMANDS:
        _remove_kube_proxys_chains(command)


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
