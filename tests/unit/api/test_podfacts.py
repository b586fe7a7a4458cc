from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.manifests import pod_body
from tests.unit.builders import trial
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.api.values import render_time
from tuning_operator.core.lifecycle.advance import TrialFacts, advance
from tuning_operator.core.model.attempt import Attempt, Exit, Log, Reading, Waiting
from tuning_operator.core.model.curves import Curve

METRIC = "validation:accuracy"
HISTORY = {"epochs": [1, 2], "metrics": {METRIC: [0.1, 0.2]}, "completed": 2, "thinned": False}
START, END = "2026-05-04T12:00:10Z", "2026-05-04T12:01:00Z"
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T12:00:05Z"}


def at(minute: int, second: int) -> datetime:
    return datetime(2026, 5, 4, 12, minute, second, tzinfo=UTC)


def terminated(code: int, reason: str, message: str = "") -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": END, "containerID": "containerd://1"}
    return {"terminated": ended | ({"message": message} if message else {})}


def containers(train: dict[str, Any], sidecar: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Statuses as the kubelet writes them: sorted by name."""
    statuses = [{"name": "train", "state": train, "restartCount": 0, "image": "trainer:1", "ready": False}]
    if sidecar is not None:
        statuses.insert(0, {"name": "sidecar", "state": sidecar, "restartCount": 0, "image": "sidecar:1"})
    return statuses


def read(status: dict[str, Any], **metadata: Any) -> Attempt:
    return parse_pod(pod_body(status, **metadata), 2, "train", METRIC)


RUNNING = {"running": {"startedAt": START}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
BOTH_DONE = containers(terminated(0, "Completed", json.dumps(HISTORY)), terminated(0, "Completed"))


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


def test_of_a_long_log_the_end_is_shown_where_the_error_is() -> None:
    log = "Traceback\n" + "x" * 2000 + "\nValueError: no data"
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", log))})
    assert found.exit is not None
    assert len(found.exit.message) == 1024
    assert found.exit.message.startswith("the training container exited with code 1 (Error): ")
    assert found.exit.message.endswith("x | ValueError: no data")


def sidecar_status(state: dict[str, Any]) -> dict[str, Any]:
    """That of the container that the operator adds to follow a log."""
    return {"name": "tuning-metrics", "state": state}


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


NOTED = HISTORY | {"error": "Traceback\nValueError: no data", "log": {"lines": 3, "used": 2, "sample": "my password"}}


def test_last_words_are_told_also_beside_a_history() -> None:
    """From the first epoch on the termination message holds the curve."""
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", json.dumps(NOTED)))})
    assert found.exit is not None
    assert found.exit.message.endswith("code 1 (Error): Traceback | ValueError: no data")
    assert found.history is not None
    assert found.history.complete


RUNTIME = 'exec: "train": not found'


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (containers(terminated(1, "Error", "my password")), "the training container exited with code 1 (Error)"),
        (containers(terminated(1, "Error", json.dumps(NOTED))), "the training container exited with code 1 (Error)"),
        (
            containers(terminated(128, "StartError", RUNTIME)),
            f"the training container exited with code 128 (StartError): {RUNTIME}",
        ),
    ],
)
def test_last_words_may_be_kept_back_but_not_what_kubernetes_says(status: list[dict[str, Any]], message: str) -> None:
    body = pod_body({"phase": "Failed", "message": "Pod was evicted", "containerStatuses": status})
    found = parse_pod(body, 2, "train", METRIC, last_words=False)
    assert found.exit is not None
    assert found.exit.message.startswith(message)
    assert found.exit.message.endswith("Pod was evicted")
    assert "password" not in repr(found)
    assert "no data" not in repr(found)


@pytest.mark.parametrize(("refused", "problem"), [(1, ""), (0, "no file /logs/out came")])
def test_of_a_log_its_own_words_may_be_kept_back(refused: int, problem: str) -> None:
    message = "the epoch is my password" if refused else problem
    log = {"lines": 3, "used": 2, "refused": refused, "problem": message, "sample": "my password"}
    state = terminated(0, "Completed", json.dumps(HISTORY | {"log": log}))
    body = pod_body({"phase": "Succeeded", "containerStatuses": containers(state)})
    found = parse_pod(body, 2, "train", METRIC, last_words=False)
    assert found.history is not None
    assert found.history.log == Log(3, 2, refused, problem)
    whole = parse_pod(body, 2, "train", METRIC)
    assert whole.history is not None
    assert whole.history.log == Log(3, 2, refused, message, "my password")


def test_an_init_containers_last_words_may_be_kept_back() -> None:
    fetch = {"name": "fetch", "state": terminated(7, "Error", "my password")}
    body = pod_body({"phase": "Failed", "initContainerStatuses": [fetch]})
    found = parse_pod(body, 2, "train", METRIC, last_words=False)
    assert found.exit is not None
    assert found.exit.message == "init container fetch exited with code 7 (Error)"


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


ZERO = {"startedAt": "1970-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("status", "never"),
    [
        (containers({"terminated": terminated(128, "StartError", RUNTIME)["terminated"] | ZERO}), True),
        (containers({"waiting": {"reason": "ContainerCreating"}}), True),
        (containers(terminated(1, "Error")), False),
        ([], False),
    ],
)
def test_whether_the_training_never_began(status: list[dict[str, Any]], never: bool) -> None:
    found = read({"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": status})
    assert found.exit is not None
    assert found.exit.never_started is never


TIMES = st.none() | st.sampled_from(["", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
ANY_TIME = TIMES | st.integers(-9000, 9000).map(lambda seconds: render_time(at(0, 0) + timedelta(seconds=seconds)))


@given(ANY_TIME, ANY_TIME, ANY_TIME, ANY_TIME, st.sampled_from(["running", "terminated"]), st.integers(0, 7200))
def test_whatever_times_a_pod_tells_no_training_is_longer_than_its_pod(
    started: str | None, finished: str | None, scheduled: str | None, fetched: str | None, state: str, age: int
) -> None:
    times = {"startedAt": started, "finishedAt": finished, "exitCode": 128}
    status = {
        "conditions": [SCHEDULED | {"lastTransitionTime": scheduled}],
        "initContainerStatuses": [{"name": "fetch", "state": {"terminated": {"exitCode": 0, "finishedAt": fetched}}}],
        "containerStatuses": containers({state: times}),
    }
    found = read(status)
    message = (found.started, found.finished, found.due)
    assert all(time is None or time >= found.created for time in message)
    now = found.created + timedelta(seconds=age)
    facts = TrialFacts(found, Reading(Curve(), after_end=True), now, timedelta(minutes=15))
    after = advance(trial(1), facts)
    assert 0 <= after.training_seconds <= age
    assert after.start_time is None or found.created <= after.start_time <= now
    assert after.completion_time is None or found.created <= after.completion_time <= now


def test_a_clock_that_is_slow_is_put_forward_and_the_length_stays() -> None:
    times = {"startedAt": "2026-05-04T11:50:00Z", "finishedAt": "2026-05-04T11:51:30Z", "exitCode": 0}
    found = read({"phase": "Succeeded", "containerStatuses": containers({"terminated": times})})
    assert (found.started, found.finished) == (at(0, 0), at(1, 30))


def test_why_the_pod_was_killed_is_told_with_its_exit_code() -> None:
    status = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node too long"}
    found = read(status | {"containerStatuses": containers(terminated(137, "Error", "step 5"))})
    assert found.exit == Exit(
        137,
        "DeadlineExceeded",
        "the training container exited with code 137 (Error): step 5 | Pod was active on the node too long",
    )


def test_of_a_long_log_only_the_end_is_told() -> None:
    log = "\n".join(f"line {number}" for number in range(100))
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", log))})
    assert found.exit is not None
    assert found.exit.message.endswith("line 98 | line 99")
    assert "line 91" not in found.exit.message


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


@pytest.mark.parametrize(
    ("grace", "requested"), [(30, at(4, 30)), (0, at(5, 0)), (None, at(5, 0)), (2**63 - 1, at(0, 0))]
)
def test_when_a_deletion_was_asked_for(grace: int | None, requested: datetime) -> None:
    found = read({}, deletionTimestamp="2026-05-04T12:05:00Z", deletionGracePeriodSeconds=grace)
    assert (found.deletion_requested, found.deleting) == (requested, True)


@pytest.mark.parametrize("words", ["\x01" * 1_400_000, "x\n" * 700_000, '{"epochs": [' + "1, " * 400_000])
def test_words_that_no_kubelet_kept_cost_nothing(words: str) -> None:
    begin = time.process_time()
    found = read({"message": words, "containerStatuses": containers(terminated(1, "Error", words))})
    assert time.process_time() - begin < 0.02
    assert found.history is None
    assert found.exit is not None
    assert len(found.exit.message) <= 1024


def test_a_message_is_cut_to_what_a_status_holds() -> None:
    """Else it never compares equal to what was recorded, and every pass writes it again."""
    image = {"waiting": {"reason": "ErrImagePull", "message": "x" * 5000}}
    node = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "x" * 5000}
    for status in ({"containerStatuses": containers(image)}, {"conditions": [node]}):
        waiting = read(status).waiting
        assert waiting is not None
        assert len(waiting.message) == 1024


def test_what_people_are_shown_is_short_and_does_nothing_to_their_terminal() -> None:
    marks = "\x1b]0;owned\x07\x1b[2Jdone\r\u202e\ud800"
    hostile = marks + "x" * 5000 + marks
    found = read(
        {"phase": "Failed", "reason": hostile, "containerStatuses": containers(terminated(1, "Error", hostile))}
    )
    assert found.exit is not None
    for text, length in ((found.exit.reason, 128), (found.exit.message, 1024)):
        assert len(text) == length
        assert text.isprintable()
        assert "done" in text


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
