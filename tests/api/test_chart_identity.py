"""What makes a Pod a trial's is the operator's to say: attacks by a user who may edit everything in the namespace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.waiting import wait_until
from tests.api.admission import Watched, pod, release, spread, trial
from tests.api.crd_cases import merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

ALL = {"verbs": ["*"]}
EVERYTHING = [
    {"apiGroups": [""], "resources": ["pods", "pods/status", "pods/binding", "bindings"], **ALL},
    {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], **ALL},
    {"apiGroups": ["tuning-operator.dev"], "resources": ["tuningtrials", "tuningtrials/status"], **ALL},
]
CONTROLLERS = "system:serviceaccount:kube-system"
JOB_LABEL, TRIAL_LABEL = "tuning-operator.dev/job", "tuning-operator.dev/trial"
HASH = "tuning-operator.dev/parameters-hash"
MANAGER = "app.kubernetes.io/managed-by"
OWNERS = "metadata.ownerReferences: only the tuning operator"


@pytest.fixture(scope="module")
def here(control_plane: ControlPlane) -> Iterator[Watched]:
    """A release that watches a namespace with a trial, its Pod, and its batch Job with two Pods."""
    with release(control_plane, "identity") as watched:
        users = ("mallory", "system:kube-controller-manager", f"{CONTROLLERS}:replicaset-controller")
        watched.grants("everything", EVERYTHING, *users, "ops")
        account = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["tuning-operator"]}
        watched.grants("repair", [{**account, "verbs": ["impersonate"]}], "ops", namespace=watched.system)
        elsewhere = watched.server.create_namespace("unwatched")
        watched.grants("everything", EVERYTHING, "mallory", namespace=elsewhere)
        start_trial(watched, "fashion-0001", "victim")
        wait_until(lambda: not watched.creates("mallory", plain_pod()), "mallory may create Pods", 30)
        yield watched


def start_trial(watched: Watched, name: str, job_pods: str) -> None:
    """Create, as the operator does, a trial with a Pod; and by the real Job controller the Pods of a batch Job."""
    owner = get(watched, "tuningjob/fashion")["metadata"]["uid"]
    assert watched.does(watched.operator, "create", "-f=-", body=owned(trial(name=name), owner)) == ""
    uid = get(watched, f"tuningtrial/{name}")["metadata"]["uid"]
    made = merge(owned(pod(name=f"{name}-1"), uid), {"metadata": {"labels": {TRIAL_LABEL: name}}})
    made["metadata"]["ownerReferences"][0]["name"] = name
    assert watched.does(watched.operator, "create", "-f=-", body=made) == ""
    several = merge(owned(spread(name=f"{name}-2"), uid), {"metadata": {"labels": {TRIAL_LABEL: name}}})
    several["metadata"]["ownerReferences"][0]["name"] = name
    several["spec"]["template"]["metadata"]["labels"] = {**made["metadata"]["labels"], "set": job_pods}
    assert watched.does(watched.operator, "create", "-f=-", body=several) == ""
    wait_until(lambda: len(pods(watched, f"set={job_pods}")) == 2, "the Job controller makes its Pods", 30)


def owned(body: dict[str, Any], uid: str) -> dict[str, Any]:
    """The object with the uid of an owner that is there: else it would be collected."""
    body["metadata"]["ownerReferences"][0]["uid"] = uid
    return body


def get(watched: Watched, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(watched.server.kubectl("get", what, "-n", watched.name, "-o=json"))
    return found


def pods(watched: Watched, selector: str) -> list[dict[str, Any]]:
    listed = watched.server.kubectl("get", "pods", f"--selector={selector}", "-n", watched.name, "-o=json")
    found: list[dict[str, Any]] = json.loads(listed)["items"]
    return found


def plain_pod(name: str = "mine", **metadata: Any) -> dict[str, Any]:
    """A Pod that has nothing of the operator's but what is said here."""
    return {**pod(), "metadata": {"name": name, **metadata}}


def plain_job(template: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    made = spread()
    made["metadata"] = {"name": "mine", **metadata}
    made["spec"]["template"]["metadata"] = template or {}
    return made


def reference(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "tuning-operator.dev/v1alpha1", "kind": kind, "name": name, "uid": "2"} | fields


WAITING = reference("TuningTrial", "fashion-0002", controller=True)
BATCH_JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "fashion-0001-2", "uid": "2", "controller": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (pod(), "metadata.labels["),
        (
            plain_pod(
                labels={JOB_LABEL: "fashion", TRIAL_LABEL: "fashion-0001", "batch.kubernetes.io/controller-uid": "2"},
                annotations={"batch.kubernetes.io/job-completion-index": "0"},
            ),
            "metadata.labels[tuning-operator.dev/",
        ),
        (plain_pod("fashion-0002-1", ownerReferences=[WAITING]), OWNERS),
        (plain_pod("fashion-0002-1", ownerReferences=[{**WAITING, "controller": False}]), OWNERS),
        (plain_pod("fashion-0002-1", annotations={HASH: "0" * 16}), f"metadata.annotations[{HASH}]"),
        (plain_pod("evil-0001-99", labels={JOB_LABEL: "victim"}), f"metadata.labels[{JOB_LABEL}]"),
        (plain_pod(labels={JOB_LABEL: ""}), f"metadata.labels[{JOB_LABEL}]"),
        (plain_pod(labels={TRIAL_LABEL: "fashion-0001"}), f"metadata.labels[{TRIAL_LABEL}]"),
        (plain_pod(labels={MANAGER: "tuning-operator"}), f"metadata.labels[{MANAGER}]"),
        (plain_job(labels={JOB_LABEL: "fashion"}), f"metadata.labels[{JOB_LABEL}]"),
        (
            plain_job({"labels": {JOB_LABEL: "fashion"}}, labels={"team": "a"}),
            f"spec.template.metadata.labels[{JOB_LABEL}]",
        ),
        (plain_job({"annotations": {HASH: "0" * 16}}), f"spec.template.metadata.annotations[{HASH}]"),
        (plain_job(ownerReferences=[WAITING]), OWNERS),
        (trial(name="fashion-0099"), "TuningTrials are written by the tuning operator alone"),
        (plain_pod("squat-0001-1"), ""),
        (plain_pod(labels={MANAGER: "Helm", "team": "a"}), ""),
        (plain_pod(ownerReferences=[reference("HyperparameterTuningJob", "fashion")]), ""),
        (plain_job({"labels": {MANAGER: "Helm"}}), ""),
    ],
)
def test_nobody_else_makes_what_passes_for_a_trials(here: Watched, body: dict[str, Any], words: str) -> None:
    said = here.creates("mallory", body)
    assert words in said if words else said == "", said
    if words:
        assert "mallory may not" in said
    assert here.creates("mallory", body, namespace="unwatched") == ""


TRIAL, POD, BATCH = "tuningtrial/fashion-0001", "pod/fashion-0001-1", "job/fashion-0001-2"


@pytest.mark.parametrize(
    ("what", "subresource", "patch", "words"),
    [
        (POD, "", {"metadata": {"labels": {JOB_LABEL: None}}}, f"metadata.labels[{JOB_LABEL}]"),
        (POD, "", {"metadata": {"labels": {TRIAL_LABEL: "fashion-0002"}}}, f"metadata.labels[{TRIAL_LABEL}]"),
        (POD, "", {"metadata": {"labels": {MANAGER: None}}}, f"metadata.labels[{MANAGER}]"),
        (POD, "", {"metadata": {"labels": {JOB_LABEL: ""}}}, f"metadata.labels[{JOB_LABEL}]"),
        (POD, "", {"metadata": {"annotations": {HASH: "1"}}}, f"metadata.annotations[{HASH}]"),
        (POD, "", {"metadata": {"ownerReferences": None}}, OWNERS),
        (POD, "", {"metadata": {"ownerReferences": [WAITING]}}, OWNERS),
        (POD, "status", {"metadata": {"labels": {JOB_LABEL: None}}}, f"metadata.labels[{JOB_LABEL}]"),
        (BATCH, "", {"metadata": {"labels": {TRIAL_LABEL: None}}}, f"metadata.labels[{TRIAL_LABEL}]"),
        (BATCH, "", {"metadata": {"ownerReferences": None}}, OWNERS),
        (BATCH, "status", {"metadata": {"labels": {JOB_LABEL: "other"}}}, f"metadata.labels[{JOB_LABEL}]"),
        (BATCH, "status", {"metadata": {"ownerReferences": [WAITING]}}, OWNERS),
        (TRIAL, "", {"metadata": {"labels": {JOB_LABEL: None}}}, f"metadata.labels[{JOB_LABEL}]"),
        (TRIAL, "", {"metadata": {"annotations": {"tuning-operator.dev/expected-gain": "0"}}}, "expected-gain]"),
        (TRIAL, "", {"metadata": {"ownerReferences": None}}, OWNERS),
        (TRIAL, "status", {"status": {"phase": "Completed", "objective": "42"}}, "status is written by the tuning"),
        (POD, "", {"metadata": {"labels": {"team": "a"}, "finalizers": ["example.com/x"]}}, ""),
        (POD, "status", {"status": {"message": "well"}}, ""),
        (BATCH, "", {"spec": {"suspend": True}, "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q"}}}, ""),
        (TRIAL, "", {"metadata": {"labels": {"team": "a"}, "finalizers": ["example.com/x"]}}, ""),
    ],
)
def test_nobody_else_changes_what_a_trial_is_known_by(
    here: Watched, what: str, subresource: str, patch: dict[str, Any], words: str
) -> None:
    said = here.patches("mallory", what, patch, subresource)
    assert words in said if words else said == "", said
    assert here.patches("ops", what, patch, subresource) == "", "whoever may act as the operator's account may"


def test_a_label_is_taken_off_a_jobs_own_pods_by_nobody(here: Watched) -> None:
    name = pods(here, "set=victim")[0]["metadata"]["name"]
    said = here.patches("mallory", f"pod/{name}", {"metadata": {"labels": {JOB_LABEL: None}}})
    assert f"metadata.labels[{JOB_LABEL}]" in said
    assert here.patches("mallory", f"pod/{name}", {"metadata": {"labels": {"team": "a"}}}) == ""


@pytest.mark.parametrize("path", ["pods/waiting/binding", "bindings"])
def test_a_binding_brings_no_labels(here: Watched, path: str) -> None:
    """A binding's labels and annotations are put on its Pod."""
    if not pods(here, "waiting"):
        here.stores(plain_pod("waiting", labels={"waiting": ""}))
    target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "waiting"}, "target": target}
    raw = f"/api/v1/namespaces/{here.name}/{path}?dryRun=All"
    assert here.does("mallory", "create", f"--raw={raw}", "-f=-", body=binding) == ""
    planted = merge(binding, {"metadata": {"labels": {JOB_LABEL: "fashion"}}})
    said = here.does("mallory", "create", f"--raw={raw}", "-f=-", body=planted)
    assert f"metadata.labels[{JOB_LABEL}]" in said


@pytest.mark.parametrize("user", [f"{CONTROLLERS}:job-controller", "system:kube-controller-manager"])
def test_the_job_controller_makes_pods_of_batch_jobs_and_no_others(here: Watched, user: str) -> None:
    labels = {JOB_LABEL: "fashion", MANAGER: "Helm"}
    assert here.creates(user, plain_pod(labels=labels, ownerReferences=[BATCH_JOB])) == ""
    replicas = {**BATCH_JOB, "apiVersion": "apps/v1", "kind": "ReplicaSet"}
    for owners in ([], [replicas], [{**BATCH_JOB, "controller": False}]):
        assert f"metadata.labels[{JOB_LABEL}]" in here.creates(user, plain_pod(labels=labels, ownerReferences=owners))
    assert OWNERS in here.creates(user, plain_pod(ownerReferences=[WAITING]))


def test_other_controllers_make_no_pods_that_pass_for_a_trials(here: Watched) -> None:
    """A Deployment of which the template has the labels ends in Pods that are refused."""
    owner = {**BATCH_JOB, "apiVersion": "apps/v1", "kind": "ReplicaSet"}
    said = here.creates(
        f"{CONTROLLERS}:replicaset-controller", plain_pod(labels={JOB_LABEL: "fashion"}, ownerReferences=[owner])
    )
    assert f"metadata.labels[{JOB_LABEL}]" in said


@pytest.mark.parametrize(
    ("cascade", "name"),
    [("background", "fashion-0101"), ("foreground", "fashion-0102"), ("orphan", "fashion-0103")],
)
def test_garbage_collection_goes_on(here: Watched, cascade: str, name: str) -> None:
    """The real collector takes a deleted trial's Pods and batch Job away, or the references to it."""
    start_trial(here, name, cascade)
    said = here.does("mallory", "delete", f"tuningtrial/{name}", f"--cascade={cascade}", "--timeout=30s")
    assert said == "", said
    selector = f"{TRIAL_LABEL}={name}"
    if cascade == "orphan":
        assert "ownerReferences" not in get(here, f"pod/{name}-1")["metadata"]
    else:
        wait_until(lambda: not pods(here, selector), "the Pods are gone", 30, lambda: pods(here, selector))


@pytest.mark.parametrize("user", [f"{CONTROLLERS}:generic-garbage-collector", "system:kube-controller-manager"])
def test_the_garbage_collector_adds_no_owner(here: Watched, user: str) -> None:
    assert here.patches(user, POD, {"metadata": {"ownerReferences": None}}) == ""
    assert OWNERS in here.patches(user, POD, {"metadata": {"ownerReferences": [WAITING]}})


def test_a_lost_label_is_restored_by_whoever_may_act_as_the_operator(here: Watched) -> None:
    """By `ops` with the verb `impersonate`, and by the cluster's administrators."""
    here.server.kubectl("label", "-n", here.name, TRIAL, f"{JOB_LABEL}-")
    restoring = ("label", TRIAL, f"{JOB_LABEL}=fashion")
    assert f"metadata.labels[{JOB_LABEL}]" in here.tries("mallory", *restoring)
    assert here.does("ops", *restoring) == ""
    assert get(here, TRIAL)["metadata"]["labels"][JOB_LABEL] == "fashion"


def test_an_object_of_many_parts_is_judged_like_another(here: Watched) -> None:
    """What an expression may cost is bounded; whatever the API server takes stays within.

    Each owner has its uid: those of one uid the API server itself compares in pairs, twice, which takes it 20 s.
    """
    many = {f"x{number}": "" for number in range(10_000)}
    uids = [f"00000000-0000-0000-0000-{number:012}" for number in range(5_000)]
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": f"x{uid}", "uid": uid} for uid in uids]
    large = plain_pod(labels=many, annotations=many, ownerReferences=owners)
    assert here.creates("mallory", large) == ""
    large["metadata"]["labels"] = {**many, JOB_LABEL: "fashion"}
    assert f"metadata.labels[{JOB_LABEL}]" in here.creates("mallory", large)
    several = [{**WAITING, "controller": False, "name": f"x{uid}", "uid": uid} for uid in uids]
    assert OWNERS in here.creates("mallory", plain_pod(ownerReferences=several))
