"""`admissionPolicies.hostAccess=false` refuses what the level Baseline refuses: in Pods, batch Jobs and templates.

Each case is put to Pod Security admission as well, so that neither list can fall behind the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.admission import Watched, container, job, pod, release, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

NODE = "trainings get no access to their node"
BASELINE = {"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/enforce-version": "latest"}
HTTP, TCP = {"port": 80, "host": "192.0.2.1"}, {"port": 80, "host": "192.0.2.1"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/training"


@dataclass(frozen=True)
class Case:
    """Something that a template asks for.

    Attributes:
        name: what it is.
        field: what the refusal names; empty when it is allowed.
        spec: of the Pod.
        security: the security context of a container: of each kind in turn, and of the Pod where `of_pod`.
        fields: other fields of a container.
        annotations: of the Pod.
        of_pod: whether a Pod's security context has it, too.
        is_ours: whether the level Baseline says nothing of it.
        is_invalid: whether the API server takes it for wrong in a Pod, before any policy.
    """

    name: str
    field: str = ""
    spec: Mapping[str, Any] | None = None
    security: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] | None = None
    annotations: Mapping[str, str] | None = None
    of_pod: bool = False
    is_ours: bool = False
    is_invalid: bool = False

    def templates(self) -> Iterator[dict[str, Any]]:
        """Pod templates that ask for it: one for each place where it can be said."""
        metadata = {"annotations": dict(self.annotations or {})}
        plain, spec = container(), dict(self.spec or {})
        given = dict(self.fields or {}) | ({"securityContext": dict(self.security)} if self.security else {})
        if not given:
            yield {"metadata": metadata, "spec": {"containers": [plain], **spec}}
            return
        yield {"metadata": metadata, "spec": {"containers": [{**plain, **given}], **spec}}
        yield {"metadata": metadata, "spec": {"containers": [plain, {"name": "b", "image": "x", **given}], **spec}}
        first = {"name": "first", "image": "x", "restartPolicy": "Always", **given}
        yield {"metadata": metadata, "spec": {"containers": [plain], "initContainers": [first], **spec}}
        if self.of_pod:
            yield {"metadata": metadata, "spec": {"containers": [plain], "securityContext": self.security, **spec}}

    def refusal(self, words: str) -> str:
        """What is said of a Pod that asks for it, where these are the policy's words."""
        return "is invalid" if self.is_invalid else words

    def ephemeral(self) -> dict[str, Any] | None:
        """A template that asks for it in an ephemeral container, where it is a container that asks."""
        if self.security is None:
            return None
        debugger = {"name": "debugger", "image": "x", "securityContext": dict(self.security)}
        return {"spec": {"containers": [container()], "ephemeralContainers": [debugger], **(self.spec or {})}}


CASES = [
    Case("host network", "spec.hostNetwork", spec={"hostNetwork": True}),
    Case("host PIDs", "spec.hostNetwork, hostPID", spec={"hostPID": True}),
    Case("host IPC", "spec.hostNetwork, hostPID and hostIPC", spec={"hostIPC": True}),
    Case("host path", "volumes[*].hostPath", spec={"volumes": [{"name": "n", "hostPath": {"path": "/"}}]}),
    Case("other volume", spec={"volumes": [{"name": "n", "emptyDir": {}}]}),
    Case("host port", "ports[*].hostPort", fields={"ports": [{"containerPort": 80, "hostPort": 80}]}),
    Case("container port", fields={"ports": [{"containerPort": 80, "hostPort": 0}]}),
    Case("privileged", "securityContext.privileged", security={"privileged": True}),
    Case("unprivileged", security={"privileged": False}),
    Case("SYS_ADMIN", "capabilities.add", security={"capabilities": {"add": ["CHOWN", "SYS_ADMIN"]}}),
    Case("NET_RAW", "capabilities.add", security={"capabilities": {"add": ["NET_RAW"]}}),
    Case("ALL", "capabilities.add", security={"capabilities": {"add": ["ALL"]}}),
    Case("CHOWN", security={"capabilities": {"add": ["CHOWN", "NET_BIND_SERVICE"], "drop": ["ALL"]}}),
    Case(
        "host process", "hostProcess", security={"windowsOptions": {"hostProcess": True}}, of_pod=True, is_invalid=True
    ),
    Case("proc mount", "procMount", security={"procMount": "Unmasked"}, is_invalid=True),
    Case("default proc mount", security={"procMount": "Default"}),
    Case("spc_t", "seLinuxOptions", security={"seLinuxOptions": {"type": "spc_t"}}, of_pod=True),
    Case("SELinux user", "seLinuxOptions", security={"seLinuxOptions": {"user": "system_u"}}, of_pod=True),
    Case("SELinux role", "seLinuxOptions", security={"seLinuxOptions": {"role": "system_r"}}, of_pod=True),
    Case("SELinux", security={"seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"}}, of_pod=True),
    Case("no seccomp", "seccompProfile", security={"seccompProfile": {"type": "Unconfined"}}, of_pod=True),
    Case("seccomp", security={"seccompProfile": {"type": "RuntimeDefault"}}, of_pod=True),
    Case("own seccomp", security={"seccompProfile": {"type": "Localhost", "localhostProfile": "a"}}, of_pod=True),
    Case(
        "no seccomp by annotation",
        "seccompProfile",
        annotations={"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
        is_ours=True,
    ),
    Case(
        "no seccomp by a container's annotation",
        "seccompProfile",
        annotations={"container.seccomp.security.alpha.kubernetes.io/training": "unconfined"},
        is_ours=True,
    ),
    Case("no AppArmor", "appArmorProfile", security={"appArmorProfile": {"type": "Unconfined"}}, of_pod=True),
    Case("AppArmor", security={"appArmorProfile": {"type": "RuntimeDefault"}}, of_pod=True),
    Case("no AppArmor by annotation", "appArmorProfile", annotations={APPARMOR: "unconfined"}),
    Case("AppArmor by annotation", annotations={APPARMOR: "localhost/mine"}),
    Case("sysctl", "sysctls", spec={"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}),
    Case("safe sysctl", spec={"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}}),
    Case("startup probe", "names a host", fields={"startupProbe": {"httpGet": HTTP}}),
    Case("liveness probe", "names a host", fields={"livenessProbe": {"tcpSocket": TCP}}),
    Case("readiness probe", "names a host", fields={"readinessProbe": {"httpGet": HTTP}}),
    Case("start hook", "names a host", fields={"lifecycle": {"postStart": {"httpGet": HTTP}}}),
    Case("stop hook", "names a host", fields={"lifecycle": {"preStop": {"tcpSocket": TCP}}}),
    Case("own probe", fields={"livenessProbe": {"httpGet": {"port": 80}}}),
    Case("node's priority", "priorityClassName", spec={"priorityClassName": "system-node-critical"}, is_ours=True),
    Case("system's priority", "priorityClassName", spec={"priorityClassName": "system-cluster-critical"}, is_ours=True),
]


@pytest.fixture(scope="module")
def here(control_plane: ControlPlane) -> Iterator[Watched]:
    control_plane.create_namespace("baseline", BASELINE)
    with release(control_plane, "node-access", job(hostPID=True)) as watched:
        yield watched


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_trainings_get_no_access_to_their_node(here: Watched, case: Case) -> None:
    for template in case.templates():
        said = here.creates("prober", with_template(template))
        assert f"{NODE}: spec.template." in said if case.field else said == "", said
        assert case.field in said
        single, several = pod(), spread()
        for body, part in ((single, single), (several, several["spec"]["template"])):
            part["metadata"].setdefault("annotations", {}).update(template["metadata"]["annotations"])
            part["spec"] = {"restartPolicy": "Never", **template["spec"]}
            said = here.creates(here.operator, body)
            assert case.refusal(NODE) in said if case.field else said == "", said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_list_is_that_of_the_level_baseline(here: Watched, case: Case) -> None:
    for template in case.templates():
        alone = {**pod(), "metadata": {"name": "mine", **template["metadata"]}, "spec": template["spec"]}
        said = here.creates("", alone, namespace="baseline")
        refused = bool(case.field) and not case.is_ours
        assert case.refusal("violates PodSecurity") in said if refused else "PodSecurity" not in said, said


@pytest.mark.parametrize("case", [case for case in CASES if case.ephemeral()], ids=lambda case: case.name)
def test_nor_do_ephemeral_containers(here: Watched, case: Case) -> None:
    template = case.ephemeral()
    assert template is not None
    said = here.creates("prober", with_template(template))
    assert case.field in said if case.field else said == "", said


def with_template(template: dict[str, Any]) -> dict[str, Any]:
    made = job()
    made["metadata"]["name"] = "new"
    made["spec"]["template"] = template
    return made


def test_of_a_template_that_makes_no_sense_the_operator_tells(here: Watched) -> None:
    """It is no business of this policy: the operator names the field, and Pods are locked by themselves."""
    for strange in ({"volumes": "all"}, {"securityContext": ["x"]}, {"initContainers": {"a": "b"}}):
        template = {"spec": {"containers": [container()], **strange}}
        assert here.creates("prober", with_template(template)) == ""


def test_a_job_from_before_the_policy_can_be_edited(here: Watched) -> None:
    """Its template cannot be changed anyway."""
    assert here.patches("prober", "tuningjob/another", {"spec": {"limits": {"maxTrials": 30}}}) == ""
