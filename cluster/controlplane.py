"""A real etcd, API server and controller-manager for tests that need no nodes: tests play the kubelet.

Several run side by side, each in its own folder on its own ports. RBAC is on.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

from cluster import components, kubeconfig, paths
from cluster.api import Api, answers
from cluster.ports import free_ports
from cluster.process import Process, environment, start_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_HOST = "127.0.0.1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WAIT_SECONDS = 30.0
# With open watches it would wait a minute for its clients; what it has answered is in etcd already.
_APISERVER_STOP_SECONDS = 3.0
# A third of the start-up time of all of them; the others act on nodes, volumes and other workload kinds.
_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
)


class KubectlError(RuntimeError):
    """A kubectl command failed."""


class ControlPlane:
    """A control plane, running inside a `with` block.

    Attributes:
        kubeconfig: path of the administrator's kubeconfig.
        url: the API server's; the same after a restart.
        etcd: the process of etcd.
        apiserver: the process of the API server: `stop()`, `start()`, `restart()`, each also `hard=True`.
        controller_manager: the process of the controller-manager, or None.
        audit_log: the API server's log of requests, one JSON object a line, or None.
    """

    kubeconfig: Path
    url: str
    etcd: Process
    apiserver: Process
    controller_manager: Process | None
    audit_log: Path | None

    def __init__(
        self,
        directory: Path,
        *,
        controller_manager: bool = True,
        manifests: Iterable[Path] = (),
        users: Mapping[str, Sequence[str]] | None = None,
        audit: bool = False,
        apiserver_flags: Sequence[str] = (),
    ) -> None:
        """Describe the control plane; `with` starts it.

        Args:
            directory: folder for its files; what an earlier one left there is removed.
            controller_manager: run it too, with the controllers that act without nodes. Without it nothing is
                garbage-collected, and no namespace gets the service account without which Pods are refused.
            manifests: files or folders to apply before the controller-manager starts, which then collects
                garbage of custom resources at once (of resources defined later: within half a minute).
            users: more users who come with a token, and their groups.
            audit: write `audit_log`.
            apiserver_flags: more flags for the API server.
        """
        self._directory = directory
        self._with_controller_manager = controller_manager
        self._manifests = tuple(manifests)
        groups = {
            "admin": ("system:masters",),
            **{user: tuple(names) for user, names in (users or {}).items()},
        }
        self._users = {user: (secrets.token_hex(16), names) for user, names in groups.items()}
        self._flags = tuple(apiserver_flags)
        self.audit_log = directory / "audit.log" if audit else None
        self.controller_manager = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all processes, each before what it needs: without etcd an API server does not end by itself."""
        for process in (
            self.controller_manager,
            getattr(self, "apiserver", None),
            getattr(self, "etcd", None),
        ):
            if process is not None:
                process.stop()

    def kubectl(self, *arguments: str, stdin: str | None = None, config: Path | None = None) -> str:
        """Run kubectl and give its output.

        Args:
            arguments: after `kubectl`.
            stdin: for `-f -`.
            config: another user's kubeconfig.

        Raises:
            KubectlError: kubectl failed; the message has its words.
        """
        command = [str(paths.binary("kubectl")), f"--kubeconfig={config or self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, env=environment())
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def kubeconfig_for_user(self, user: str) -> Path:
        """A kubeconfig of one of the `users`, who may do what RBAC grants them or their groups."""
        token, _ = self._users[user]
        return self._write_kubeconfig(f"user-{user}", token)

    def kubeconfig_for_service_account(self, namespace: str, name: str, *, seconds: int = 86_400) -> Path:
        """A kubeconfig with a new token of an existing service account, and its namespace as default.

        Args:
            namespace: the account's.
            name: the account's.
            seconds: how long the token is valid, at least 600.
        """
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        answer = Api(self.kubeconfig).call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body)
        return self._write_kubeconfig(f"account-{namespace}-{name}", answer["status"]["token"], namespace)

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a namespace and wait until Pods can be created in it; gives its name."""
        api = Api(self.kubeconfig)
        metadata = {"name": name, "labels": dict(labels or {})}
        api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self._wait_for_service_account(name)
        return name

    def _start(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        identity = components.Identity.create(
            self._directory / "pki",
            addresses=[_HOST],
            tokens={token: (user, names) for user, (token, names) in self._users.items()},
        )
        self._authority = identity.authority.certificate
        self.etcd = start_on_free_ports(self._etcd)
        self.apiserver = start_on_free_ports(lambda: self._apiserver(identity))
        if self._manifests:
            self._apply_manifests()
        if self._with_controller_manager:
            self.controller_manager = self._controller_manager(identity)
            self.controller_manager.start()
            self._wait_for_service_account("default")

    def _etcd(self) -> Process:
        client, peer = free_ports(2)
        data = self._directory / "etcd"
        shutil.rmtree(data, ignore_errors=True)
        self._etcd_port = client
        return Process(
            "etcd",
            components.etcd(data, client, peer),
            self._directory / "etcd.log",
            lambda: answers(f"http://{_HOST}:{client}/health"),
        )

    def _apiserver(self, identity: components.Identity) -> Process:
        (port,) = free_ports(1)
        self.url = f"https://{_HOST}:{port}"
        self.kubeconfig = self._write_kubeconfig("kubeconfig", self._users["admin"][0])
        command = components.apiserver(
            identity, host=_HOST, port=port, etcd_port=self._etcd_port, services="192.0.2.0/24"
        )
        # No Service leads here, so no address is advertised; the default would ask for a default route.
        command += ["--endpoint-reconciler-type=none", "--advertise-address=192.0.2.1", *self._flags]
        if self.audit_log is not None:
            policy = components.audit_policy(self._directory / "audit-policy.json")
            command += [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]
        return Process(
            "kube-apiserver",
            command,
            self._directory / "kube-apiserver.log",
            Api(self.kubeconfig).ready,
            stop_seconds=_APISERVER_STOP_SECONDS,
        )

    def _controller_manager(self, identity: components.Identity) -> Process:
        config = components.client_kubeconfig(
            identity,
            self._directory / "controller-manager.kubeconfig",
            url=self.url,
            name="system:kube-controller-manager",
        )
        command = [
            *components.controller_manager(identity, config),
            f"--controllers={','.join(_CONTROLLERS)}",
        ]
        # It has no port to ask; the service account that it makes is what tests wait for.
        return Process(
            "kube-controller-manager", command, self._directory / "kube-controller-manager.log", lambda: True
        )

    def _apply_manifests(self) -> None:
        files = [f"--filename={path}" for path in self._manifests]
        self.kubectl("apply", "--server-side", *files)
        # Not by `kubectl wait`, which fails on a definition that has no conditions yet.
        api = Api(self.kubeconfig)
        deadline = time.monotonic() + _WAIT_SECONDS
        while not all(map(_is_established, api.call("GET", _DEFINITIONS)["items"])):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the resources of {self._manifests} are not served: see {self.apiserver.log}")
            time.sleep(0.05)

    def _wait_for_service_account(self, namespace: str) -> None:
        if self.controller_manager is None:
            return
        api = Api(self.kubeconfig)
        deadline = time.monotonic() + _WAIT_SECONDS
        while not api.exists(f"/api/v1/namespaces/{namespace}/serviceaccounts/default"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"namespace {namespace} has no service account: see {self.controller_manager.log}")
            time.sleep(0.05)

    def _write_kubeconfig(self, name: str, token: str, namespace: str = "default") -> Path:
        return kubeconfig.write(
            self._directory / name,
            url=self.url,
            authority=self._authority,
            user=kubeconfig.token_user(token),
            namespace=namespace,
        )


def _is_established(definition: Mapping[str, Any]) -> bool:
    """Whether a CustomResourceDefinition is served."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
