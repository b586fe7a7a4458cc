"""What is shown of the words of a training: its end, cut, harmless, and withheld on demand."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.unit.api.manifests import pod_body
from tests.unit.api.statuses import (
    HISTORY,
    METRIC,
    RUNTIME,
    containers,
    read,
    terminated,
)
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.core.model.attempt import Log


def test_of_a_long_log_the_end_is_shown_where_the_error_is() -> None:
    log = "Traceback\n" + "x" * 2000 + "\nValueError: no data"
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", log))})
    assert found.exit is not None
    assert len(found.exit.message) == 1024
    assert found.exit.message.startswith("the training container exited with code 1 (Error): ")
    assert found.exit.message.endswith("x | ValueError: no data")


NOTED = HISTORY | {"error": "Traceback\nValueError: no data", "log": {"lines": 3, "used": 2, "sample": "my password"}}


def test_last_words_are_told_also_beside_a_history() -> None:
    """From the first epoch on the termination message holds the curve."""
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", json.dumps(NOTED)))})
    assert found.exit is not None
    assert found.exit.message.endswith("code 1 (Error): Traceback | ValueError: no data")
    assert found.history is not None
    assert found.history.complete


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


def test_of_a_long_log_only_the_end_is_told() -> None:
    log = "\n".join(f"line {number}" for number in range(100))
    found = read({"phase": "Failed", "containerStatuses": containers(terminated(1, "Error", log))})
    assert found.exit is not None
    assert found.exit.message.endswith("line 98 | line 99")
    assert "line 91" not in found.exit.message


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
