"""What makes this machine a node: containerd, kubelet, kube-proxy and CoreDNS with their configurations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import cgroups, packages, paths

if TYPE_CHECKING:
    from cluster.network import Network

NAME = "node1"
GPUS = "2"
PAUSE_IMAGE = "localhost/pause:1"
API_PORT = 26443
DNS_PORT = 26053
DNS_HEALTH_PORT = 26081
KUBELET_PORT = 26250
ETCD_PORTS = (26379, 26380)
PROXY_HEALTH_PORT = 26256
_PROXY_METRICS_PORT = 26249
_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")


@dataclass(frozen=True)
class Node:
    """Writes the configurations into the state folder and gives the command lines.

    Attributes:
        network: the addresses.
        authority: certificate that signs clients of the kubelet.
    """

    network: Network
    authority: Path

    def containerd(self) -> list[str | Path]:
        """The container runtime, with its own socket, images and network configuration."""
        network = paths.state() / "cni"
        # A veth pair for each Pod and a route to it: all traffic between Pods passes the host's rules, so that Services
        # work without the bridge netfilter module, and nothing but the Pods' own links is added to the host.
        plugin = {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "dataDir": "/var/lib/cni/networks",
                "ranges": [[{"subnet": self.network.pods, "gateway": self.network.node}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        _write(
            network / "10-pods.conflist", {"cniVersion": "0.4.0", "name": "tuning-operator-test", "plugins": [plugin]}
        )
        configuration = paths.state() / "containerd.toml"
        configuration.write_text(_CONTAINERD.format(root=containerd_root(), state=containerd_state(), socket=socket(),
            pause=PAUSE_IMAGE, plugins=next((p for p in _PLUGINS if Path(p, "ptp").exists()), _PLUGINS[0]),
            network=network))  # fmt: skip
        return [packages.program("containerd") or "containerd", f"--config={configuration}"]

    def kubelet(self, kubeconfig: Path) -> list[str | Path]:
        """The kubelet; its files are in the private /var/lib/kubelet."""
        configuration = paths.state() / "kubelet.json"
        _write(
            configuration,
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "address": self.network.node,
                "port": KUBELET_PORT,
                "healthzPort": 0,
                "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(self.authority)}},
                "containerRuntimeEndpoint": f"unix://{socket()}",
                # With systemd as well: the groups are below our own, by which the cluster is found and ended.
                "cgroupDriver": "cgroupfs",
                "cgroupRoot": cgroups.ROOT,
                "failCgroupV1": False,
                "failSwapOn": False,
                "enforceNodeAllocatable": [],
                "makeIPTablesUtilChains": False,
                "clusterDomain": "cluster.local",
                "clusterDNS": [self.network.dns],
                "resolvConf": "",
                "volumePluginDir": "/var/lib/kubelet/volume-plugins",
                # A developer's disk and memory are never empty, and an image that is removed comes from nowhere.
                "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
                # An image that was loaded stays usable when a Pod has pulled the same one from a registry.
                "imagePullCredentialsVerificationPolicy": "NeverVerify",
                "imageGCHighThresholdPercent": 100,
                "imageGCLowThresholdPercent": 99,
            },
        )
        return [
            paths.binary("kubelet"),
            f"--config={configuration}",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={NAME}",
            f"--node-ip={self.network.node}",
        ]

    def kube_proxy(self, kubeconfig: Path) -> list[str | Path]:
        """Services by iptables."""
        configuration = paths.state() / "kube-proxy.json"
        _write(
            configuration,
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "mode": "iptables",
                "clientConnection": {"kubeconfig": str(kubeconfig)},
                "clusterCIDR": self.network.pods,
                "hostnameOverride": NAME,
                "bindAddress": self.network.node,
                "healthzBindAddress": f"127.0.0.1:{PROXY_HEALTH_PORT}",
                "metricsBindAddress": f"127.0.0.1:{_PROXY_METRICS_PORT}",
                "iptables": {"localhostNodePorts": False},
                "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            },
        )
        return [paths.binary("kube-proxy"), f"--config={configuration}"]

    def coredns(self, kubeconfig: Path) -> list[str | Path]:
        """Names of Services, and the host's own resolvers for the rest."""
        resolvers = Path("/etc/resolv.conf")
        has_resolvers = resolvers.exists() and "nameserver" in resolvers.read_text()
        configuration = paths.state() / "Corefile"
        configuration.write_text(
            _COREFILE.format(
                port=DNS_PORT,
                health_port=DNS_HEALTH_PORT,
                address=self.network.node,
                kubeconfig=kubeconfig,
                forward=f"forward . {resolvers}" if has_resolvers else "",
            )
        )
        return [paths.binary("coredns"), "-conf", configuration]


def addons(network: Network) -> list[tuple[str, dict[str, Any]]]:
    """Objects that make CoreDNS, which runs beside the Pods and not in one, the Service for names; with their paths."""
    dns = {"name": "kube-dns", "namespace": "kube-system"}
    reader = {"name": "system:coredns"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": reader["name"]}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": reader["name"]}
    ports = [{"name": name, "protocol": name.upper()} for name in ("udp", "tcp")]
    service = {
        "metadata": dns,
        "spec": {"clusterIP": network.dns, "ports": [port | {"port": 53, "targetPort": DNS_PORT} for port in ports]},
    }
    slice_ = {
        "metadata": dns | {"labels": {"kubernetes.io/service-name": dns["name"]}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [network.node], "conditions": {"ready": True}}],
        "ports": [port | {"port": DNS_PORT} for port in ports],
    }
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "namespaces", "pods", "services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    return [
        (f"{rbac}/clusterroles", {"metadata": reader, "rules": rules}),
        (f"{rbac}/clusterrolebindings", {"metadata": reader, "roleRef": role, "subjects": [user]}),
        ("/api/v1/namespaces/kube-system/services", service),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", slice_),
    ]


def containerd_root() -> Path:
    """Images and containers' file systems; images outlive the cluster."""
    return paths.state() / "containerd"


def containerd_state() -> Path:
    """What containerd keeps of running containers."""
    return paths.state() / "containerd-state"


def socket() -> Path:
    """Where containerd listens."""
    return paths.state() / "containerd.sock"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


_CONTAINERD = """\
version = 2
root = "{root}"
state = "{state}"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{network}"
"""

_COREFILE = """\
.:{port} {{
  bind {address}
  errors
  ready 127.0.0.1:{health_port}
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
  }}
  {forward}
  cache 5
}}
"""
