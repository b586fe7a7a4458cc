"""What is kept of objects: the newest version of each, in whatever order they arrive."""

from __future__ import annotations

import asyncio
import copy
from itertools import permutations
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tuning_operator.api.compact import compact_pod, compact_trial
from tuning_operator.api.trial import parse_status
from tuning_operator.runtime.kubernetes.cluster import Listed
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.store import PODS, TRIALS, Store
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from tuning_operator.runtime.kubernetes.cluster import Cluster

Body = dict[str, Any]
KEY = JobKey("ns", "job")


def pod(version: int, uid: str = "a", name: str = "job-0001-1") -> Body:
    labels = {"tuning-operator.dev/job": "job"}
    metadata = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "spec": {"containers": [{"name": "train"}]}, "status": {"phase": "Running"}}


class FakeCluster:
    """Lists what a test says, at the version that it says."""

    def __init__(self, version: int, *bodies: Body) -> None:
        self.version, self.bodies = version, list(bodies)
        self.lists = 0
        self.departed = Departed()
        self.while_it_is_listed: list[tuple[str, Body]] = []
        self.store = Store(cast("Cluster", self), lambda *_: True)
        self.refusal: ApiError | None = None

    async def list_of_job(self, *_: str) -> Listed:
        self.lists += 1
        found = Listed(copy.deepcopy(self.bodies), str(self.version))
        for event in self.while_it_is_listed:
            self.store.heard(PODS, *event)
        if self.refusal:
            raise self.refusal
        return found

    async def get_attempt(self, _namespace: str, _kind: str, name: str) -> Body:
        for body in self.bodies:
            if body["metadata"]["name"] == name:
                return copy.deepcopy(body)
        raise ApiError(ErrorKind.NOT_FOUND, "not found")

    async def delete_attempt(self, *_: str) -> None:
        raise ApiError(ErrorKind.CONFLICT, "the precondition failed")


async def versions(store: Store) -> dict[str, str]:
    return {body["metadata"]["uid"]: body["metadata"]["resourceVersion"] for body in await store.pods(KEY)}


async def test_what_is_watched_is_listed_once() -> None:
    cluster = FakeCluster(10, pod(5))
    assert await versions(cluster.store) == {"a": "5"}
    assert cluster.store.heard(PODS, "MODIFIED", pod(11))
    assert await versions(cluster.store) == {"a": "11"}
    assert cluster.lists == 1


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_in_whatever_order_events_come_the_last_state_is_the_same(order: tuple[int, ...]) -> None:
    cluster = FakeCluster(10, pod(5))
    await cluster.store.pods(KEY)
    events = [
        ("MODIFIED", pod(11)),
        ("DELETED", pod(12)),
        ("ADDED", pod(13, "b")),
        ("MODIFIED", pod(14, "b")),
    ]
    for index in order:
        cluster.store.heard(PODS, *events[index])
        cluster.store.heard(PODS, *events[index])
    assert await versions(cluster.store) == {"b": "14"}


async def test_what_the_list_has_taken_into_account_is_no_news() -> None:
    cluster = FakeCluster(10, pod(5))
    await cluster.store.pods(KEY)
    assert not cluster.store.heard(PODS, "MODIFIED", pod(5))
    assert not cluster.store.heard(PODS, "MODIFIED", pod(4, "b", "gone"))
    assert not cluster.store.heard(PODS, "DELETED", pod(4, "b", "gone"))
    assert await versions(cluster.store) == {"a": "5"}


async def test_what_happens_while_it_is_listed_is_newer_than_the_list() -> None:
    cluster = FakeCluster(10, pod(5), pod(6, "b", "other"))
    cluster.while_it_is_listed = [
        ("MODIFIED", pod(11)),
        ("DELETED", pod(12, "b", "other")),
        ("ADDED", pod(13, "c", "third")),
    ]
    assert await versions(cluster.store) == {"a": "11", "c": "13"}


async def test_doubt_leads_to_a_list_which_finds_what_was_missed() -> None:
    cluster = FakeCluster(10, pod(5))
    await cluster.store.pods(KEY)
    cluster.version, cluster.bodies = 20, [pod(15, "b")]
    assert cluster.store.doubt(TRIALS, None) == []
    assert cluster.store.doubt(PODS, "ns") == [KEY]
    assert await versions(cluster.store) == {"b": "15"}
    await versions(cluster.store)
    assert cluster.lists == 2


async def test_a_list_that_fails_is_made_good_by_the_next_one() -> None:
    cluster = FakeCluster(10, pod(5))
    cluster.refusal = ApiError(ErrorKind.UNAVAILABLE, "no answer")
    with pytest.raises(ApiError):
        await cluster.store.pods(KEY)
    cluster.refusal = None
    assert await versions(cluster.store) == {"a": "5"}


async def test_without_a_watch_each_look_is_a_list() -> None:
    cluster = FakeCluster(10, pod(5))
    store = Store(cast("Cluster", cluster), lambda *_: False)
    for _ in range(3):
        store.begin(KEY)
        await store.pods(KEY)
        assert store.is_sure(KEY)
    assert cluster.lists == 3


async def test_what_was_not_listed_in_this_pass_is_not_sure() -> None:
    cluster = FakeCluster(10, pod(5))
    for sure in (True, False):
        cluster.store.begin(KEY)
        await cluster.store.pods(KEY)
        assert cluster.store.is_sure(KEY) == sure
    cluster.store.doubt_job(KEY)
    cluster.store.begin(KEY)
    await cluster.store.pods(KEY)
    assert cluster.store.is_sure(KEY)


async def test_a_write_that_is_refused_for_old_knowledge_renews_it() -> None:
    cluster = FakeCluster(10, pod(5))
    await cluster.store.pods(KEY)
    cluster.bodies = [pod(11)]
    with pytest.raises(ApiError, match="precondition"):
        await cluster.store.delete_attempt("ns", "Pod", "job-0001-1", "a", "5")
    assert await versions(cluster.store) == {"a": "11"}
    cluster.bodies = []
    with pytest.raises(ApiError, match="not found"):
        await cluster.store.get_attempt("ns", "Pod", "job-0001-1")
    assert await versions(cluster.store) == {}


def test_of_a_curve_two_arrays_are_kept_and_one_that_makes_no_sense_stays_for_the_parser() -> None:
    body = pod(1) | {"status": {"curve": {"epochs": [1, 2], "values": ["0.5", "NaN"]}, "epochs": 2}}
    body["metadata"]["managedFields"] = [{}]
    before = copy.deepcopy(body)
    kept = compact_trial(body)
    assert body == before
    assert "managedFields" not in kept["metadata"]
    assert kept["status"]["curve"]["epochs"].tolist() == [1.0, 2.0]
    curve = parse_status(kept["status"]).curve
    for name, array in (("epochs", curve.epochs), ("values", curve.values)):
        assert np.shares_memory(array, kept["status"]["curve"][name]), "copied one by one, which holds up all jobs"
    for broken in ({"epochs": [1]}, {"epochs": [1], "values": ["x"]}, {"epochs": [1], "values": [None]}, None):
        assert compact_trial(body | {"status": {"curve": broken}})["status"]["curve"] == broken


def test_of_a_pod_is_kept_whose_it_is_and_how_it_fares() -> None:
    container = {"name": "train", "image": "x", "env": [{}] * 50, "livenessProbe": {"httpGet": {}}}
    body = pod(1) | {"spec": {"containers": [container], "nodeName": "node", "volumes": []}}
    kept = compact_pod(body)
    assert kept["spec"] == {
        "containers": [{"name": "train", "livenessProbe": {"httpGet": {}}}],
        "nodeName": "node",
    }
    assert kept["metadata"] == body["metadata"]


def test_events_of_jobs_that_nobody_has_asked_for_are_news_and_are_not_kept() -> None:
    cluster = FakeCluster(10, pod(5))
    assert cluster.store.heard(PODS, "ADDED", pod(11, "z", "unknown"))
    assert asyncio.run(versions(cluster.store)) == {"a": "5"}
