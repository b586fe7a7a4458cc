"""What is remembered of Pods that are gone, and what it is good for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.api.manifests import pod_body
from tests.unit.simulation.objects import METRIC, new_job
from tests.unit.simulation.operator import SimulatedOperator
from tests.unit.simulation.world import World
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.runtime.kubernetes.departed import Departed

MESSAGE = json.dumps({"epochs": [1, 2], "metrics": {METRIC: [0.1, 0.2]}, "completed": 2})
END = {"exitCode": 143, "reason": "Error", "message": MESSAGE, "finishedAt": "2026-05-04T12:01:00Z"}
ENDED = [{"name": name, "state": {"terminated": END}} for name in ("train", "sidecar")]
GOING = {"deletionTimestamp": "2026-05-04T12:01:30Z"}


def test_a_pod_that_went_is_read_as_it_was() -> None:
    departed = Departed()
    body = pod_body({"phase": "Running", "containerStatuses": ENDED}, **GOING)
    departed.note(body, deleted=False)
    found = departed.pod("pod-uid")
    assert found is not None
    assert parse_pod(found, 2, "train", METRIC) == parse_pod(body, 2, "train", METRIC)
    assert "image" not in found["spec"]["containers"][0], "only what is needed of it"


@pytest.mark.parametrize(
    ("status", "metadata", "deleted", "known"),
    [
        (ENDED, {}, True, True),
        (ENDED, GOING, False, True),
        (ENDED, {}, False, False),  # it is there, and is listed
        ([{"name": "train", "state": {"running": {}}}], GOING, True, False),  # forced: what it ran may run on
        (ENDED[:1], GOING, True, False),
    ],
)
def test_which_pods_are_remembered(status: list[Any], metadata: dict[str, str], deleted: bool, known: bool) -> None:
    departed = Departed()
    departed.note(pod_body({"containerStatuses": status}, **metadata), deleted=deleted)
    assert (departed.pod("pod-uid") is not None) is known


def test_of_a_pod_only_what_is_needed_is_remembered() -> None:
    departed = Departed()
    labels = {f"label-{number}": "x" * 63 for number in range(1000)} | {"tuning-operator.dev/job": "job"}
    body = pod_body({"containerStatuses": ENDED, "more": "x" * 10_000}, labels=labels, annotations={"a": "x" * 10_000})
    departed.note(body, deleted=True)
    assert len(json.dumps(departed.pod("pod-uid"))) < 2_000
    body["spec"]["containers"] = [{"name": f"c{number}"} for number in range(81)]
    body["metadata"]["uid"] = "another"
    body["status"]["phase"] = "Succeeded"
    departed.note(body, deleted=True)
    assert departed.pod("another") is None


def test_the_memory_is_bounded_and_the_oldest_goes_first() -> None:
    departed = Departed(most=3)
    for number in (1, 2, 3, 1, 4):
        departed.note(pod_body({"containerStatuses": ENDED}, uid=str(number)), deleted=True)
    assert [departed.pod(str(number)) is not None for number in (1, 2, 3, 4)] == [True, False, True, True]
    assert len(departed) == 3


def test_the_nodes_of_a_batch_job_are_found_by_their_controller() -> None:
    departed = Departed()
    for uid, owner in (("a", "batch-uid"), ("b", "other")):
        owners = [{"kind": "Job", "uid": owner, "controller": True}]
        departed.note(pod_body({"containerStatuses": ENDED}, uid=uid, ownerReferences=owners), deleted=True)
    assert [pod["metadata"]["uid"] for pod in departed.nodes({"batch-uid"})] == ["a"]
    assert departed.nodes(set()) == []


@pytest.mark.parametrize("remembered", [True, False])
def test_a_stopped_trial_has_the_epochs_of_a_message_that_was_gone_at_once(remembered: bool) -> None:
    with asyncio.Runner() as runner:
        world = World(new_job(7, {"maxTrials": 3, "maxParallelTrials": 1}, None, "Off"), 7)
        operator = SimulatedOperator(world, runner)
        for _ in range(3):
            assert operator.reconcile()
        for fate in ("start", "report", "report"):
            world.befall(fate, 0)
        assert operator.reconcile()
        world.edit(stop=True)
        assert operator.reconcile()
        (pod,) = world.pods.values()
        pod.message = world.last_message(pod)
        world.befall("reap", 0)  # SIGTERM, upon which the message is written
        assert pod.code == 143
        if remembered:
            world.befall("reap", 0)
        else:
            world.pods.clear()  # the event of its deletion did not come
        for _ in range(2):  # before the end is recorded, everything is listed
            assert operator.reconcile()
        (trial,) = world.trials.values()
        assert trial["status"]["phase"] == "Stopped"
        assert trial["status"]["epochs"] == (2 if remembered else 0)
