"""Starts the whole cluster, stops it, and says how it is; every start clears away whatever an earlier run left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import (
    build,
    cgroups,
    components,
    daemons,
    disk,
    host,
    images,
    kubeconfig,
    node,
    packages,
    paths,
    ports,
    runtime,
)
from cluster.api import Api, answers
from cluster.commands import run

if TYPE_CHECKING:
    from collections.abc import Iterator

DAEMONS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
)
_START_SECONDS = 60.0
_GIB_FOR_THE_BUILD = 7  # modules, compiler's cache, binaries
_GIB_FOR_A_RUN = 1
_KEPT = {"containerd", "log"}  # images; and what the last run said


def up() -> None:
    """Build and install what is missing, and start the cluster unless it runs and is well."""
    _require_root()
    packages.ensure()
    if not build.is_built():
        disk.require_free(_GIB_FOR_THE_BUILD, "building Kubernetes")
    build.build()
    with _lock():
        if (problem := _problem()) is None:
            print(f"The cluster is running; kubeconfig: {paths.kubeconfig()}")
            return
        if cgroups.processes():
            print(f"Restarting the cluster: {problem}")
        disk.require_free(_GIB_FOR_A_RUN, "starting the cluster")
        started = time.monotonic()
        _clear()
        _start()
        print(f"The cluster is ready after {time.monotonic() - started:.0f} s; kubeconfig: {paths.kubeconfig()}")


def down() -> None:
    """Stop the cluster and put the host back as it was; images and logs stay in the cache folder."""
    _require_root()
    with _lock():
        _clear()
        host.restore()


def status() -> None:
    """Print which daemons run; ends with 1 when the cluster is not well."""
    for name in DAEMONS:
        running = cgroups.running(name)
        print(f"{name:24} {f'process {min(running)}' if running else 'not running'}")
    problem = _problem()
    print(problem or f"ready; kubeconfig: {paths.kubeconfig()}")
    raise SystemExit(problem is not None)


def require_running() -> None:
    """End with one line unless containerd runs."""
    _require_root()
    if not cgroups.running("containerd"):
        raise SystemExit("the test cluster does not run: make cluster")


def restart(name: str) -> None:
    """Kill one daemon and start it again with the same command, as after a crash."""
    require_running()
    with _lock():
        daemons.restart(name)


def _start() -> None:
    network = host.prepare()
    cgroups.create()
    etcd_port, peer_port = node.ETCD_PORTS
    ports.wait_until_free([("127.0.0.1", port) for port in node.ETCD_PORTS])
    ports.wait_until_free([(network.node, port) for port in (node.API_PORT, node.KUBELET_PORT, node.DNS_PORT)])
    url = f"https://{network.node}:{node.API_PORT}"
    token = secrets.token_hex(16)
    identity = components.Identity.create(
        paths.state() / "pki",
        addresses=[network.node, network.api],
        tokens={token: ("admin", ["system:masters"])},
    )
    machine = node.Node(network, identity.authority.certificate)
    daemons.start("etcd", components.etcd(paths.state() / "etcd", etcd_port, peer_port))
    daemons.wait("etcd", lambda: answers(f"http://127.0.0.1:{etcd_port}/health"), _START_SECONDS)
    apiserver = components.apiserver(
        identity, host=network.node, port=node.API_PORT, etcd_port=etcd_port, services=network.services
    )
    daemons.start("kube-apiserver", [*apiserver, f"--advertise-address={network.node}"])
    runtime.start(machine.containerd())
    images.load_pause()
    admin = kubeconfig.write(
        paths.state() / "kubeconfig.new",
        url=url,
        authority=identity.authority.certificate,
        user=kubeconfig.token_user(token),
    )
    api = Api(admin)
    clients = _clients(identity, machine, url)
    kubelet = _kubelet(identity, machine, url)
    daemons.wait("kube-apiserver", api.ready, _START_SECONDS)
    for name, command in clients.items():
        daemons.start(name, command)
    daemons.start_beside("kubelet", "containerd", kubelet)
    for path, content in node.addons(network):
        api.call("POST", path, content)
    _wait_until_complete(api)
    (paths.state() / "binaries").write_text(str(paths.binaries().resolve()))
    admin.replace(paths.kubeconfig())


def _clients(identity: components.Identity, machine: node.Node, url: str) -> dict[str, list[str | Path]]:
    """The commands of what talks to the API server, each as the user whom RBAC knows for it; the slowest first."""

    def config(name: str) -> Path:
        path = paths.state() / f"{name}.kubeconfig"
        return components.client_kubeconfig(identity, path, url=url, name=f"system:{name}")

    return {
        "kube-controller-manager": components.controller_manager(identity, config("kube-controller-manager")),
        "kube-scheduler": components.scheduler(config("kube-scheduler")),
        "kube-proxy": machine.kube_proxy(config("kube-proxy")),
        "coredns": machine.coredns(config("coredns")),
    }


def _kubelet(identity: components.Identity, machine: node.Node, url: str) -> list[str | Path]:
    path = paths.state() / "kubelet.kubeconfig"
    user = f"system:node:{node.NAME}"
    return machine.kubelet(components.client_kubeconfig(identity, path, url=url, name=user, groups=["system:nodes"]))


def _wait_until_complete(api: Api) -> None:
    """Wait until a Pod can be created, scheduled with a GPU, started, and find its way by name."""
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    daemons.wait("kubelet", lambda: _advertise_gpus(api), _START_SECONDS)
    daemons.wait("kube-controller-manager", lambda: api.exists(account), _START_SECONDS)
    daemons.wait("kube-proxy", lambda: answers(f"http://127.0.0.1:{node.PROXY_HEALTH_PORT}/healthz"), _START_SECONDS)
    daemons.wait("coredns", lambda: answers(f"http://127.0.0.1:{node.DNS_HEALTH_PORT}/ready"), _START_SECONDS)
    daemons.wait("kubelet", lambda: _node_problem(api) is None, _START_SECONDS)


def _advertise_gpus(api: Api) -> bool:
    """Say that the node has GPUs, as a device plugin would, once it is registered."""
    with contextlib.suppress(OSError):
        gpus = {"nvidia.com/gpu": node.GPUS}
        patch = {"status": {"capacity": gpus, "allocatable": gpus}}
        kind = "application/strategic-merge-patch+json"
        api.call("PATCH", f"/api/v1/nodes/{node.NAME}/status", patch, kind=kind)
        return True
    return False


def _problem() -> str | None:
    """What keeps the cluster from being well; None when nothing does."""
    for name in DAEMONS:
        if not cgroups.running(name):
            return f"{name} does not run"
    recorded = paths.state() / "binaries"
    if not recorded.exists() or not paths.kubeconfig().exists():
        return "an earlier start did not end"
    if recorded.read_text() != str(paths.binaries().resolve()):
        return "it runs other binaries than those built last"
    api = Api(paths.kubeconfig())
    return _node_problem(api) if api.ready() else "the API server is not ready"


def _node_problem(api: Api) -> str | None:
    try:
        found = api.call("GET", f"/api/v1/nodes/{node.NAME}")
    except OSError as error:
        return f"the node is not to be had: {error}"
    ready = {condition["type"]: condition["status"] for condition in found["status"].get("conditions", ())}.get("Ready")
    if ready != "True" or found["spec"].get("taints"):
        return "the node is not ready"
    if found["status"]["allocatable"].get("nvidia.com/gpu") != node.GPUS:
        return "the node advertises no GPUs"
    return None


def _clear() -> None:
    """End every process of the cluster and remove its files, but for images and logs."""
    cgroups.remove()
    for mount in _mounts_below(paths.state()):
        run("umount", "--lazy", mount)
    for path in paths.state().iterdir():
        if path.name in _KEPT or path == host.record():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _mounts_below(folder: Path) -> list[str]:
    """Mounts in the state folder, innermost first: none are expected, and none may be walked into."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((mount for mount in mounts if mount.startswith(f"{folder}/")), reverse=True)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise SystemExit("the cluster's node runs containers and sets up networks: run this as root")


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One command at a time."""
    paths.state().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (paths.cache() / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
