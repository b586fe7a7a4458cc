"""A release whose admission policies are tried: requests as other users, and what the operator would create."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.controlplane import KubectlError
from cluster.waiting import wait_until
from tests.api.chart import CHART, PROMETHEUS, helm, values_flags
from tests.api.crd_cases import good_job, merge
from tuning_operator.api.batchjobs import build_batch_job, build_service
from tuning_operator.api.job import parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.api.trial import new_trial
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.suggest import Source, Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cluster.controlplane import ControlPlane
    from tuning_operator.core.space import Value

POINT: dict[str, Value] = {"learning_rate": 0.1, "mini_batch_size": 32, "optimizer": "sgd"}
DENIED = "denied request"


@dataclass(frozen=True)
class Watched:
    """A namespace that a release watches from another one.

    Attributes:
        server: the API server.
        name: the watched namespace.
        system: the release's namespace.
    """

    server: ControlPlane
    name: str
    system: str

    @property
    def operator(self) -> str:
        """The user that the operator is."""
        return f"system:serviceaccount:{self.system}:tuning-operator"

    def tries(self, user: str, *words: str, body: dict[str, Any] | None = None, namespace: str = "") -> str:
        """What the API server says to a user's request, the administrator's if unnamed; empty when it would be done."""
        return self.does(user, *words, "--dry-run=server", body=body, namespace=namespace)

    def does(self, user: str, *words: str, body: dict[str, Any] | None = None, namespace: str = "") -> str:
        """The same, and it is done."""
        stdin = json.dumps(body) if body else None
        flags = [f"--as={user}"] if user else []
        try:
            self.server.kubectl(*words, "-n", namespace or self.name, *flags, stdin=stdin)
        except KubectlError as error:
            return str(error)
        return ""

    def creates(self, user: str, body: dict[str, Any], namespace: str = "") -> str:
        return self.tries(user, "create", "-f=-", body=body, namespace=namespace)

    def patches(self, user: str, what: str, patch: dict[str, Any], subresource: str = "") -> str:
        """Try a merge patch of an object, which is named as `kind/name`."""
        flags = [f"--subresource={subresource}"] if subresource else []
        return self.tries(user, "patch", what, "--type=merge", f"--patch={json.dumps(patch)}", *flags)

    def stores(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object as administrator."""
        stored: dict[str, Any] = json.loads(
            self.server.kubectl("create", "-n", self.name, "-f=-", "-o=json", stdin=json.dumps(body))
        )
        return stored

    def grants(self, name: str, rules: Sequence[Mapping[str, Any]], *users: str, namespace: str = "") -> None:
        """Let users do what a Role says."""
        where = namespace or self.name
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": name},
            "rules": rules,
        }
        self.server.kubectl("create", "-n", where, "-f=-", stdin=json.dumps(role))
        subjects = [f"--user={user}" for user in users]
        self.server.kubectl("create", "rolebinding", name, f"--role={name}", *subjects, "-n", where)


@contextlib.contextmanager
def release(server: ControlPlane, name: str, *jobs: dict[str, Any]) -> Iterator[Watched]:
    """Install the chart, to watch a new namespace where these jobs are already, and wait until its policies hold."""
    watched = Watched(server, server.create_namespace(name), server.create_namespace(f"{name}-system"))
    for body in (good_job(), *jobs):
        watched.stores(body)
    values = {"crds": {"install": False}, "rbac": {"userRoles": False}, "watchNamespaces": [watched.name]}
    where = f"--namespace={watched.system}"
    helm(
        "install", "tuning-operator", CHART, where, *values_flags(PROMETHEUS | values), kubeconfig=server.kubeconfig
    )  # fmt: skip
    resources = ["tuningjobs", "tuningtrials", "pods"]
    watched.grants(
        "prober", [{"apiGroups": ["*"], "resources": resources, "verbs": ["get", "create", "patch"]}], "prober"
    )
    try:
        _wait_until_they_hold(watched)
        yield watched
    finally:
        helm("uninstall", "tuning-operator", where, kubeconfig=server.kubeconfig)


def _wait_until_they_hold(watched: Watched) -> None:
    """The API server takes up new policies, and the operator's rights, within a second or two."""
    refused: list[tuple[str, dict[str, Any]]] = [
        ("prober", job(serviceAccountName="nobody's")),
        ("prober", job(hostPID=True)),
        ("prober", trial()),
        (watched.operator, pod(kind="Job")),
        (watched.operator, trial(kind="Job")),
        (watched.operator, service("web")),
    ]
    for user, body in refused:
        said = functools.partial(watched.creates, user, body)
        wait_until(lambda: DENIED in said(), f"{user} creates no such {body['kind']}", 30, said)  # noqa: B023
    for body in (pod(), trial(), spread(), service()):
        said = functools.partial(watched.creates, watched.operator, body)
        wait_until(lambda: not said(), f"the operator may create a {body['kind']}", 30, said)  # noqa: B023


def job(**pod_spec: Any) -> dict[str, Any]:
    return good_job({"metadata": {"name": "another"}, "spec": {"template": {"spec": pod_spec}}})


def parsed() -> Any:
    body = good_job()
    body["metadata"] |= {"namespace": "admission", "uid": "1"}
    return parse_job(body)


def pod(labels: dict[str, Any] | None = None, kind: str = "TuningTrial", name: str = "", **spec: Any) -> dict[str, Any]:
    """The Pod of a trial as the operator makes it, but for what is said here."""
    made = build_pod(parsed().job, parsed().template, Trial("fashion-0001", 1, POINT, seed=1, uid="2"))
    del made["metadata"]["namespace"]
    made["metadata"]["ownerReferences"][0]["kind"] = kind
    metadata = {"labels": labels or {}} | ({"name": name} if name else {})
    changed: dict[str, Any] = merge(made, {"metadata": metadata, "spec": spec})
    return changed


def spread(name: str = "", template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The batch Job of a trial of several nodes, but for what is said here."""
    made = build_batch_job(_several(), pod())
    metadata = {"name": name} if name else {}
    changed: dict[str, Any] = merge(
        made, {"metadata": metadata, "spec": {**spec, "template": {"spec": template or {}}}}
    )
    return changed


def _several() -> Any:
    body = good_job({"spec": {"nodes": 2}})
    body["metadata"] |= {"namespace": "admission", "uid": "1"}
    return parse_job(body).job


def service(name: str = "nodes-fashion", **spec: Any) -> dict[str, Any]:
    changed: dict[str, Any] = merge(build_service(_several()), {"metadata": {"name": name}, "spec": spec})
    del changed["metadata"]["namespace"]
    return changed


def trial(kind: str = "HyperparameterTuningJob", name: str = "fashion-0001") -> dict[str, Any]:
    made = new_trial(parsed().job, Suggestion(1, POINT, Source.RANDOM, ""))
    del made["metadata"]["namespace"]
    made["metadata"]["ownerReferences"][0]["kind"] = kind
    made["metadata"]["name"] = name
    return made


def container(**fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(pod()["spec"]["containers"][0])
    return made | fields
