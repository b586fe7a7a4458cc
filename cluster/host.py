"""What a running cluster changes on its host outside the cache folder, and how all of it is put back.

One address on the loopback device, four iptables rules (and kube-proxy's chains), kernel settings, empty folders to
mount on. All mounts are in a mount namespace of the cluster's own and network namespaces are held by such mounts: both
are gone with the last process.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster import cgroups, firewall, paths
from cluster.commands import run, succeeds
from cluster.network import NETWORKS, Network, free

# Names built into Kubernetes and containerd; in the cluster's mount namespace they are its own folders.
PRIVATE_FOLDERS = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods")
# Set by kubelet, kube-proxy and the network plugin.
_KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


@dataclass(frozen=True)
class Before:
    """The host as it was before the cluster touched it.

    Attributes:
        boot: which boot this was; after another one only folders can be left over.
        network: range that the cluster uses.
        settings: kernel settings by path under /proc/sys.
        folders: of `PRIVATE_FOLDERS` and their parents, those that did not exist.
    """

    boot: str
    network: str
    settings: dict[str, str]
    folders: list[str]


def prepare() -> Network:
    """Note how the host is, unless a cluster was left here in this boot, then change it; gives the addresses."""
    before = _recall()
    if before is None or before.boot != _boot():
        before = _look(before)
        record().write_text(json.dumps(asdict(before), indent=1))
    network = Network(before.network)
    for folder in PRIVATE_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
    _set("net/ipv4/ip_forward", "1")
    run("ip", "address", "replace", f"{network.node}/32", "dev", "lo")
    firewall.allow(network)
    return network


def restore() -> None:
    """Put the host back; call it when no process of the cluster is left."""
    before = _recall()
    if before is None:
        return
    if before.boot == _boot():
        _remove_traces(Network(before.network))
        for name, value in before.settings.items():
            _set(name, value)
    for folder in sorted(before.folders, reverse=True):
        with contextlib.suppress(OSError):  # somebody else may have put something there since
            Path(folder).rmdir()
    record().unlink()


def record() -> Path:
    """The file that says how the host was."""
    return paths.state() / "host.json"


def _recall() -> Before | None:
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return Before(**json.loads(record().read_text()))
    return None


def _look(earlier: Before | None) -> Before:
    if firewall.has_kube_proxys_chains():
        _clear_what_is_left()
    wanted = {str(path) for folder in PRIVATE_FOLDERS for path in (Path(folder), *Path(folder).parents)}
    made = {folder for folder in wanted if not Path(folder).exists()} | set(earlier.folders if earlier else ())
    settings = {name: _get(name) for name in _KERNEL_SETTINGS}
    return Before(
        boot=_boot(),
        network=free().range,
        settings={name: value for name, value in settings.items() if value is not None},
        folders=sorted(made),
    )


def _clear_what_is_left() -> None:
    """Clear up after a cluster that was killed and whose notes are gone, as when somebody removes the cache folder."""
    if not firewall.has_own_rules():
        raise SystemExit("another Kubernetes keeps iptables rules on this machine: the test cluster would disturb it")
    if cgroups.processes():
        raise SystemExit("another test cluster runs, with another TUNING_OPERATOR_CACHE: stop it by make cluster-down")
    for addresses in NETWORKS:
        _remove_traces(Network(addresses))


def _remove_traces(network: Network) -> None:
    firewall.clear(network)
    succeeds("ip", "address", "del", f"{network.node}/32", "dev", "lo")


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _get(name: str) -> str | None:
    with contextlib.suppress(OSError):
        return Path("/proc/sys", name).read_text().strip()
    return None


def _set(name: str, value: str) -> None:
    if _get(name) not in (None, value):
        Path("/proc/sys", name).write_text(value)
