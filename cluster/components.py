"""Command lines of etcd, API server and controller-manager: for the control plane alone and the cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster import kubeconfig, paths
from cluster.certificates import Authority, Pair, signing_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Identity:
    """Keys and certificates of one cluster, and the users who come with a token."""

    authority: Authority
    server: Pair
    kubelet_client: Pair
    service_accounts: Pair
    tokens: Path

    @classmethod
    def create(
        cls, folder: Path, *, addresses: Sequence[str], tokens: Mapping[str, tuple[str, Sequence[str]]]
    ) -> Identity:
        """Make all keys and certificates in `folder`.

        Args:
            folder: a new folder.
            addresses: IP addresses under which the API server is called.
            tokens: bearer token to user name and groups.
        """
        authority = Authority(folder)
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        token_file = folder / "tokens.csv"
        token_file.touch(mode=0o600)
        token_file.write_text(
            "".join(f'{token},{user},{user},"{",".join(groups)}"\n' for token, (user, groups) in tokens.items())
        )
        return cls(
            authority=authority,
            server=authority.sign(
                "kube-apiserver",
                addresses=[*(f"DNS:{name}" for name in names), *(f"IP:{ip}" for ip in addresses)],
            ),
            kubelet_client=authority.sign("kube-apiserver-kubelet-client", groups=["system:masters"]),
            service_accounts=signing_key(folder),
            tokens=token_file,
        )


def etcd(data: Path, client_port: int, peer_port: int) -> list[str | Path]:
    """Etcd on loopback ports; its data need not outlive a power cut."""
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return [
        paths.binary("etcd"),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(identity: Identity, *, host: str, port: int, etcd_port: int, services: str) -> list[str | Path]:
    """The API server with RBAC.

    Args:
        identity: keys and certificates.
        host: address to listen on.
        port: port to listen on.
        etcd_port: etcd's client port on loopback.
        services: address range of Services, CIDR.
    """
    return [
        paths.binary("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--bind-address={host}",
        f"--secure-port={port}",
        f"--tls-cert-file={identity.server.certificate}",
        f"--tls-private-key-file={identity.server.key}",
        f"--client-ca-file={identity.authority.certificate}",
        f"--token-auth-file={identity.tokens}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={identity.service_accounts.certificate}",
        f"--service-account-signing-key-file={identity.service_accounts.key}",
        f"--service-cluster-ip-range={services}",
        f"--kubelet-client-certificate={identity.kubelet_client.certificate}",
        f"--kubelet-client-key={identity.kubelet_client.key}",
        # Else `kubectl logs` looks the node's name up in the host's DNS.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def controller_manager(identity: Identity, config: Path) -> list[str | Path]:
    """All controllers, each with its own service account; no port."""
    return [
        paths.binary("kube-controller-manager"),
        f"--kubeconfig={config}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--flex-volume-plugin-dir={config.parent / 'volume-plugins'}",  # it makes this folder
        f"--service-account-private-key-file={identity.service_accounts.key}",
        f"--root-ca-file={identity.authority.certificate}",
        f"--cluster-signing-cert-file={identity.authority.certificate}",
        f"--cluster-signing-key-file={identity.authority.pair.key}",
        "--profiling=false",
    ]


def scheduler(config: Path) -> list[str | Path]:
    """The scheduler; no port."""
    return [
        paths.binary("kube-scheduler"),
        f"--kubeconfig={config}",
        "--secure-port=0",
        "--leader-elect=false",
        "--profiling=false",
    ]


def client_kubeconfig(identity: Identity, path: Path, *, url: str, name: str, groups: Sequence[str] = ()) -> Path:
    """A kubeconfig for a component, with a client certificate."""
    user = kubeconfig.certificate_user(identity.authority.sign(name, groups=groups))
    return kubeconfig.write(path, url=url, authority=identity.authority.certificate, user=user)


def audit_policy(path: Path) -> Path:
    """A policy that logs who did what to which object, once each request is answered."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
        "rules": [{"level": "Metadata"}],
    }
    path.write_text(json.dumps(policy))
    return path
