from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.manifests import pod_body
from tests.unit.api.statuses import (
    BOTH_DONE,
    CREATING,
    END,
    HISTORY,
    METRIC,
    RUNNING,
    SCHEDULED,
    START,
    at,
    containers,
    read,
    sidecar_status,
    terminated,
)
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.core.model.attempt import Attempt, Exit, Waiting


def test_a_new_pod() -> None:
    assert read({"phase": "Pending", "qosClass": "BestEffort"}) == Attempt(
        name="job-0001-2", uid="pod-uid", number=2, created=at(0, 0)
    )


def test_a_pod_without_a_status_or_an_annotation() -> None:
    body = pod_body({}, annotations=None)
    del body["status"]
    assert parse_pod(body, 2, "train", METRIC).number == 2


@pytest.mark.parametrize(
    ("status", "waiting"),
    [
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
                    }
                ],
            },
            Waiting("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            Waiting("SchedulingGated"),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [SCHEDULED],
                "containerStatuses": containers(
                    {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "nowhere/x"'}},
                    RUNNING,
                ),
            },
            Waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/x"', is_image_problem=True),
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": containers(
                    {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "s3" not found'}}
                ),
            },
            Waiting("CreateContainerConfigError", 'secret "s3" not found', is_image_problem=True),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [SCHEDULED],
                "initContainerStatuses": [{"name": "fetch", "state": {"waiting": {"reason": "ErrImagePull"}}}],
                "containerStatuses": containers({"waiting": {"reason": "PodInitializing"}}),
            },
            Waiting("ErrImagePull", is_image_problem=True),
        ),
        (
            {"phase": "Pending", "conditions": [SCHEDULED], "containerStatuses": containers(CREATING)},
            Waiting(
                "ContainerCreating", "its image is being pulled, or its container is being created", is_under_way=True
            ),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [SCHEDULED, {"type": "PodReadyToStartContainers", "status": "False"}],
                "containerStatuses": containers(CREATING),
            },
            Waiting(
                "ContainerCreating",
                "the Pod's volumes or its network are not ready yet: see `kubectl describe pod`",
                is_under_way=True,
            ),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [SCHEDULED, {"type": "PodReadyToStartContainers", "status": "True"}],
                "initContainerStatuses": [{"name": "fetch", "state": RUNNING}],
                "containerStatuses": containers({"waiting": {"reason": "PodInitializing"}}),
            },
            Waiting("PodInitializing", "its init containers have not ended", is_under_way=True),
        ),
        ({"phase": "Pending"}, None),
        ({"phase": "Running", "containerStatuses": containers(RUNNING)}, None),
    ],
)
def test_why_a_pod_waits(status: dict[str, Any], waiting: Waiting | None) -> None:
    found = read(status)
    assert (found.waiting, found.exit, found.ended) == (waiting, None, False)


def test_a_training_whose_containers_failed_before_it_tells_which_and_how() -> None:
    fetch = {"name": "fetch", "state": terminated(7, "Error", "403 Forbidden")}
    found = read({"phase": "Failed", "initContainerStatuses": [sidecar_status(RUNNING), fetch]})
    message = "init container fetch exited with code 7 (Error): 403 Forbidden"
    assert found.exit == Exit(None, "InitContainerFailed", message, never_started=True)


def test_what_the_sidecar_has_yet_to_report_is_waited_for() -> None:
    training = terminated(1, "Error", "it broke")
    status = {"phase": "Running", "initContainerStatuses": [sidecar_status(RUNNING)]}
    assert read(status | {"containerStatuses": containers(training)}).exit is None
    beside = read(status | {"containerStatuses": containers(training, RUNNING)})
    assert beside.exit is not None, "the kubelet does not end the sidecar before all other containers have ended"
    done = {"initContainerStatuses": [sidecar_status(terminated(0, "Completed", json.dumps(HISTORY)))]}
    found = read({"phase": "Failed", "containerStatuses": containers(training)} | done)
    assert found.history is not None
    assert found.exit == Exit(1, "ExitCode1", "the training container exited with code 1 (Error): it broke")


def test_when_the_training_containers_turn_has_come() -> None:
    assert read({"phase": "Pending", "conditions": [SCHEDULED]}).due == at(0, 5)
    fetched = [{"name": "fetch", "state": terminated(0, "Completed")}, sidecar_status(RUNNING)]
    assert read({"phase": "Pending", "conditions": [SCHEDULED], "initContainerStatuses": fetched}).due == at(1, 0)
    for conditions in ([], [SCHEDULED | {"status": "False"}], [SCHEDULED | {"lastTransitionTime": None}]):
        assert read({"phase": "Pending", "conditions": conditions}).due is None


def test_a_running_training() -> None:
    found = read({"phase": "Running", "conditions": [SCHEDULED], "containerStatuses": containers(RUNNING, RUNNING)})
    assert (found.started, found.finished, found.exit, found.ended) == (at(0, 10), None, None, False)


@pytest.mark.parametrize(
    ("phase", "sidecar", "ended"),
    [
        ("Running", RUNNING, False),
        ("Succeeded", terminated(0, "Completed"), True),
        ("Running", terminated(0, "x"), True),
    ],
)
def test_a_pod_has_ended_when_all_of_its_containers_have(phase: str, sidecar: dict[str, Any], ended: bool) -> None:
    found = read({"phase": phase, "containerStatuses": containers(terminated(0, "Completed"), sidecar)})
    assert (found.exit, found.ended) == (Exit(0), ended)
    assert (found.started, found.finished) == (at(0, 10), at(1, 0))


def test_a_container_that_has_no_status_yet_has_not_ended() -> None:
    assert not read({"phase": "Running", "containerStatuses": containers(terminated(0, "Completed"))}).ended


def test_the_history_is_read_from_the_termination_message() -> None:
    found = read({"phase": "Succeeded", "containerStatuses": BOTH_DONE})
    assert found.history is not None
    assert found.history.complete
    assert [tuple(item) for item in found.history.curve] == [(1, 0.1), (2, 0.2)]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            terminated(2, "Error", "usage: train\nlearning_rate: must be above 0\n"),
            Exit(
                2,
                "ExitCode2",
                "the training container exited with code 2 (Error): usage: train | learning_rate: must be above 0",
            ),
        ),
        (
            terminated(137, "OOMKilled"),
            Exit(137, "OOMKilled", "the training container exited with code 137 (OOMKilled)"),
        ),
        (
            terminated(1, "Error", json.dumps(HISTORY)),
            Exit(1, "ExitCode1", "the training container exited with code 1 (Error)"),
        ),
        (
            terminated(128, "ContainerCannotRun", 'exec: "train": not found'),
            Exit(
                128,
                "ContainerCannotRun",
                'the training container exited with code 128 (ContainerCannotRun): exec: "train": not found',
            ),
        ),
    ],
)
def test_how_a_failed_training_is_told(state: dict[str, Any], expected: Exit) -> None:
    found = read({"phase": "Failed", "containerStatuses": containers(state, terminated(0, "Completed"))})
    assert (found.exit, found.ended, found.disruption) == (expected, True, None)


@pytest.mark.parametrize(
    ("code", "probes", "metadata", "message"),
    [
        (143, {"livenessProbe": {"exec": {}}}, {}, "by SIGTERM, although nobody deleted its Pod"),
        (137, {"startupProbe": {"exec": {}}}, {}, "probably its startupProbe failed"),
        (143, {}, {}, ""),
        (1, {"livenessProbe": {"exec": {}}}, {}, ""),
        (143, {"livenessProbe": {"exec": {}}}, {"deletionTimestamp": "2026-05-04T12:05:00Z"}, ""),
    ],
)
def test_what_the_kubelet_ends_for_its_probe_is_more_than_an_exit_code(
    code: int, probes: dict[str, Any], metadata: dict[str, Any], message: str
) -> None:
    body = pod_body({"phase": "Failed", "containerStatuses": containers(terminated(code, "Error", "step 5"))})
    body["spec"]["containers"][0] |= probes
    body["metadata"] |= metadata
    found = parse_pod(body, 2, "train", METRIC)
    assert found.exit is not None
    assert message in found.exit.message
    assert ("Probe" in found.exit.message) is bool(message)
    assert found.exit.message.endswith("step 5")


def test_why_the_pod_was_killed_is_told_with_its_exit_code() -> None:
    status = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node too long"}
    found = read(status | {"containerStatuses": containers(terminated(137, "Error", "step 5"))})
    assert found.exit == Exit(
        137,
        "DeadlineExceeded",
        "the training container exited with code 137 (Error): step 5 | Pod was active on the node too long",
    )


@pytest.mark.parametrize(
    ("status", "disruption"),
    [
        (
            {
                "phase": "Failed",
                "conditions": [
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                        "message": "default-scheduler: preempting to accommodate a higher priority pod",
                    }
                ],
                "containerStatuses": containers(terminated(143, "Error"), terminated(143, "Error")),
            },
            "PreemptionByScheduler",
        ),
        (
            {
                "phase": "Failed",
                "reason": "NodeLost",
                "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}],
                "containerStatuses": containers(RUNNING, RUNNING),
            },
            "DeletionByTaintManager",
        ),
        (
            {"phase": "Failed", "reason": "NodeShutdown", "message": "Pod was terminated in response to it"},
            "NodeShutdown",
        ),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no GPU"}, "UnexpectedAdmissionError"),
        (
            {"phase": "Failed", "reason": "OutOfnvidia.com/gpu", "message": "Node didn't have enough"},
            "OutOfnvidia.com/gpu",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "ephemeral local storage usage exceeds the limit"}, None),
        ({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long"}, None),
        ({"phase": "Running", "conditions": [{"type": "DisruptionTarget", "status": "False", "reason": "x"}]}, None),
    ],
)
def test_whose_fault_it_was(status: dict[str, Any], disruption: str | None) -> None:
    found = read(status)
    assert found.disruption == disruption
    if status["phase"] == "Failed":
        assert found.ended
        assert found.exit is not None
        assert not found.exit.succeeded


def test_a_pod_that_failed_as_a_whole_says_why() -> None:
    found = read({"phase": "Failed", "reason": "Evicted", "message": "the node was low on resource: memory"})
    assert found.exit == Exit(None, "Evicted", "the node was low on resource: memory")
    assert read({"phase": "Failed"}).exit == Exit(None, "PodFailed", "the Pod failed")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", "", None]),
            "reason": st.none() | st.text(),
            "message": st.none() | st.text(),
            "conditions": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {"type": st.sampled_from(["PodScheduled", "DisruptionTarget", "Ready"])},
                    optional={"status": st.sampled_from(["True", "False"]), "reason": st.text(), "message": st.text()},
                )
            ),
            "containerStatuses": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {"name": st.sampled_from(["train", "sidecar"])},
                    optional={
                        "state": st.none()
                        | st.fixed_dictionaries(
                            {},
                            optional={
                                "waiting": st.fixed_dictionaries({}, optional={"reason": st.text()}),
                                "running": st.just({"startedAt": START}) | st.just({}),
                                "terminated": st.fixed_dictionaries(
                                    {},
                                    optional={
                                        "exitCode": st.integers(),
                                        "message": st.text(),
                                        "finishedAt": st.just(END),
                                    },
                                ),
                            },
                        )
                    },
                )
            ),
        },
    )
)
def test_no_status_is_too_odd(status: dict[str, Any]) -> None:
    read(status)
