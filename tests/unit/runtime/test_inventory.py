"""Which batch Jobs and Pods are an attempt's, of several nodes; those of one node are in `test_reconcile.py`."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.api.manifests import job_body, pod_body
from tests.unit.builders import NOW, trial
from tuning_operator.api import names
from tuning_operator.api.attempts import build_attempt
from tuning_operator.api.job import parse_job
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.trial import new_trial, parse_trial, render_status
from tuning_operator.core.suggest import Source, Suggestion
from tuning_operator.runtime.kubernetes.cluster import REDUCE, Listed
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.store import Store
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.reconciler.identity import Identity
from tuning_operator.runtime.reconciler.inventory import take_inventory

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.reconciler.inventory import Inventory

Body = dict[str, Any]
KEY = JobKey("ns", "job")
CREATED, LATER = "2026-05-04T12:00:00Z", "2026-05-04T12:00:01Z"
TEMPLATE = {"spec": {"containers": [{"name": "train", "image": "trainer:1"}]}}
PARAMETERS = [{"name": "lr", "continuous": {"min": 0.00001, "max": 1, "scale": "Log"}}]
JOB = parse_job(job_body(nodes=2, template=TEMPLATE, parameters=PARAMETERS))
TRIAL = new_trial(JOB.job, Suggestion(1, {"lr": 0.1}, Source.RANDOM, "drawn at random"))
TRIAL["metadata"] |= {"uid": "trial-uid", "resourceVersion": "1"}


class FakeCluster:
    """Lists by label, and finds by name."""

    def __init__(self, jobs: list[Body], pods: list[Body], **status: Any) -> None:
        recorded = {key: value for key, value in render_status(trial(1, **status), NOW).items() if value}
        self.trial: Body = copy.deepcopy(TRIAL) | {"status": recorded}
        self.jobs, self.pods = jobs, pods
        self.tried: list[Body] = []
        self.departed = Departed()

    async def list_of_job(self, plural: str, *_: str) -> Listed:
        bodies = {"tuningtrials": [self.trial], "jobs": self.jobs, "pods": self.pods}[plural]
        labelled = (body for body in bodies if names.LABEL_JOB in (body["metadata"].get("labels") or {}))
        return Listed([REDUCE[plural](body) for body in labelled], "1")

    async def get_trial(self, _namespace: str, name: str) -> Body:
        return self._named([self.trial], name)

    async def get_attempt(self, _namespace: str, kind: str, name: str) -> Body:
        return self._named(self.jobs if kind == "Job" else self.pods, name)

    async def create_attempt(self, _namespace: str, body: Body, *, dry_run: bool) -> Body:
        assert dry_run
        self.tried.append(body)
        return copy.deepcopy(body)

    def _named(self, bodies: list[Body], name: str) -> Body:
        for body in bodies:
            if body["metadata"]["name"] == name:
                return body
        raise ApiError(ErrorKind.NOT_FOUND, "not found")


def batch_job(attempt: int = 1, uid: str = "batch-uid", owner: str = "trial-uid", **metadata: Any) -> Body:
    known = replace(parse_trial(TRIAL, JOB.job.spec), uid=owner)
    body = build_attempt(JOB, replace(known, status=replace(known.status, attempt=attempt)))
    body["metadata"] |= {"uid": uid, "resourceVersion": "1", "creationTimestamp": CREATED} | metadata
    body["status"] = {}
    return body


def node(number: int, uid: str = "batch-uid", job: str = "job-0001-1", name: str = "", **metadata: Any) -> Body:
    template = batch_job()["spec"]["template"]
    labels = template["metadata"]["labels"] | {"batch.kubernetes.io/job-completion-index": str(number)}
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid, "controller": True}
    pod = pod_body(
        {"phase": "Pending"},
        name=name or f"{job}-{number}-abcde",
        uid=f"uid-{number}-{name}",
        labels=labels,
        annotations=template["metadata"]["annotations"],
        ownerReferences=[reference],
    )
    pod["metadata"] |= {"namespace": "ns", "resourceVersion": "1"} | metadata
    pod["spec"] = copy.deepcopy(template["spec"]) | {"hostname": f"{job}-{number}", "nodeName": "here"}
    return pod


def look(cluster: FakeCluster, identity: Identity | None = None) -> Inventory:
    known = identity or Identity(store_of(cluster), PodOptions())
    return asyncio.run(take_inventory(store_of(cluster), KEY, JOB, known))


def store_of(cluster: FakeCluster) -> Store:
    """What a pass reads from, while there is no watch."""
    return Store(cast("Cluster", cluster), lambda *_: False)


def read(jobs: list[Body], pods: list[Body], **status: Any) -> dict[str, tuple[Attempt, ...]]:
    return dict(look(FakeCluster(jobs, pods, **status)).attempts)


def test_an_attempt_is_its_batch_job_and_its_pods() -> None:
    ((owner, (found,)),) = read([batch_job()], [node(1), node(0)]).items()
    assert (owner, found.name, found.uid, found.number, found.missing) == ("job-0001", "job-0001-1", "batch-uid", 1, 0)
    assert (found.reporter, found.ended, found.exit) == ("job-0001-1-0-abcde", False, None)


@pytest.mark.parametrize(
    ("conditions", "ended", "disrupted"),
    [
        ([], False, False),
        ([{"type": "Suspended", "status": "True"}], False, False),
        ([{"type": "Complete", "status": "True"}], True, False),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], True, True),
        ([{"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy", "message": "evicted"}], True, True),
        ([{"type": "Failed", "status": "False"}], False, False),
    ],
)
def test_what_the_conditions_of_a_batch_job_without_pods_mean(
    conditions: list[Any], ended: bool, disrupted: bool
) -> None:
    body = batch_job()
    body["status"] = {"conditions": conditions}
    ((found,),) = read([body], []).values()
    assert (found.ended, bool(found.disruption)) == (ended, disrupted)


def test_an_earlier_trial_of_the_same_name_holds_its_place_and_is_not_taken_for_this_one() -> None:
    assert list(read([batch_job(owner="old-uid")], [node(0)])) == ["old-uid"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "job-0001-x"},
        {"ownerReferences": None},
        {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "job-0001", "uid": "trial-uid"}]},
        {"ownerReferences": [names.owner_reference("TuningTrial", "job-0001", "trial-uid") | {"controller": False}]},
        {"ownerReferences": [names.owner_reference("TuningTrial", "evil-0001", "evil")]},
    ],
)
def test_what_no_trial_controls_is_none_of_its_attempts(metadata: Body) -> None:
    assert read([batch_job(**metadata)], [node(0, job=metadata.get("name", "job-0001-1"))]) == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": None},
        {"name": "evil"},
        {"name": "job-0001-1-1-other"},
        {"labels": names.job_labels("job")},
        {"labels": names.job_labels("job") | {"batch.kubernetes.io/controller-uid": "batch-uid"}},
        {
            "ownerReferences": None,
            "labels": names.job_labels("job")
            | {
                "batch.kubernetes.io/controller-uid": "batch-uid",
                "batch.kubernetes.io/job-completion-index": "0",
            },
        },
    ],
)
def test_a_pod_that_is_not_controlled_by_the_batch_job_reports_nothing(metadata: Body) -> None:
    pod = node(0)
    pod["metadata"] |= {"namespace": "ns", "resourceVersion": "1"} | metadata
    there = look(FakeCluster([batch_job()], [pod, node(1)]))
    ((found,),) = there.attempts.values()
    assert (found.reporter, found.missing) == (None, 1)
    assert there.foreign == (pod["metadata"]["name"],)


def test_a_pod_that_runs_something_else_is_no_node_whatever_it_claims() -> None:
    pod = node(0)
    pod["spec"]["containers"][0]["command"] = ["forge"]
    cluster = FakeCluster([batch_job()], [pod, node(1)])
    identity = Identity(store_of(cluster), PodOptions())
    for _ in range(2):
        there = look(cluster, identity)
        ((found,),) = there.attempts.values()
        assert (found.reporter, there.foreign) == (None, (pod["metadata"]["name"],))
    (tried,) = cluster.tried
    assert tried["metadata"]["name"] == "job-0001-999999999"


def test_where_the_api_server_does_not_say_what_it_would_make_of_a_pod_it_is_believed() -> None:
    pod = node(0)
    pod["spec"]["containers"].append({"name": "proxy", "image": "mesh"})
    cluster = FakeCluster([batch_job()], [pod, node(1)])

    async def full(*_: Any, **__: Any) -> Body:
        raise ApiError(ErrorKind.QUOTA, "exceeded quota")

    cluster.create_attempt = full  # type: ignore[method-assign]
    ((found,),) = look(cluster).attempts.values()
    assert found.missing == 0


@pytest.mark.parametrize("reporter", [None, "job-0001-1-0-later"])
def test_of_two_pods_for_one_node_the_older_one_counts_unless_the_other_has_reported(reporter: str | None) -> None:
    later = node(0, name="job-0001-1-0-later", creationTimestamp=LATER)
    ((found,),) = read([batch_job()], [later, node(0), node(1)], reporter=reporter).values()
    assert found.reporter == (reporter or "job-0001-1-0-abcde")


def test_pods_outlive_a_batch_job_that_somebody_deleted() -> None:
    ((owner, (found,)),) = read([], [node(1)], attempt_uid="batch-uid").items()
    assert (owner, found.name, found.number) == ("job-0001", "job-0001-1", 1)
    assert (found.deleting, found.ended, bool(found.disruption)) == (True, False, True)
    assert list(read([], [node(1)])) == ["batch-uid"], "it holds its slot though no trial knows it"
    assert read([], [node(1, job="evil-0001-1")]) == {}


@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_a_label_taken_off_changes_nothing_but_what_is_told(kind: str) -> None:
    cluster = FakeCluster([batch_job()], [node(0), node(1)], attempt_uid="batch-uid")
    identity = Identity(store_of(cluster), PodOptions())
    before = look(cluster, identity)
    body = (cluster.jobs if kind == "Job" else cluster.pods)[0]
    body["metadata"]["labels"] = {
        name: value for name, value in body["metadata"]["labels"].items() if name != names.LABEL_JOB
    }
    after = look(cluster, identity)
    assert after.attempts == before.attempts
    assert after.unlabelled == ((kind, body["metadata"]["name"]),)
