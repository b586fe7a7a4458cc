"""The operator dies, or is upgraded, in the middle of a job."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from cluster.jobs import job_manifest
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.jobs import Namespace, Operator
    from cluster.recorder import Recorder

pytestmark = pytest.mark.e2e


def long_job(trials: int) -> dict[str, Any]:
    return job_manifest(
        epochs=8, epoch_seconds=0.6, strategy="Bayesian", limits={"maxTrials": trials, "maxParallelTrials": 2}
    )


def assert_nothing_was_lost(namespace: Namespace, recorder: Recorder, trials: int) -> None:
    """Each trial was committed once, with parameters that stayed, had one Pod, and brought its whole curve home."""
    ended = namespace.trials()
    assert [trial["spec"]["number"] for trial in ended] == list(range(1, trials + 1))
    assert [trial["status"]["phase"] for trial in ended] == ["Completed"] * trials
    assert [trial["status"]["attempt"] for trial in ended] == [1] * trials
    assert [trial["status"]["curve"]["epochs"] for trial in ended] == [list(range(1, 9))] * trials
    seen = recorder.trials(namespace.name)
    assert [trial.name for trial in seen] == [trial["metadata"]["name"] for trial in ended], "none was replaced"
    assert [len(trial.parameters) for trial in seen] == [1] * trials
    assert not any(trial.deleted for trial in seen)
    pods = recorder.pods(namespace.name)
    assert sorted(pod.trial for pod in pods) == [trial.name for trial in seen], "none ran twice"
    assert not any(pod.deleted for pod in pods)


def test_killing_the_operator_at_random_moments_costs_nothing(
    operator: Operator, namespace: Namespace, recorder: Recorder
) -> None:
    moments = random.Random(7)
    namespace.apply(long_job(6))
    kills = 0
    while kills < 5 and not ended_within(namespace, moments.uniform(1.0, 9.0)):
        operator.kill()
        kills += 1
    namespace.wait_for_end()
    assert kills >= 3
    operator.wait_until_ready()
    assert_nothing_was_lost(namespace, recorder, 6)


def test_an_upgrade_in_mid_job_costs_nothing(operator: Operator, namespace: Namespace, recorder: Recorder) -> None:
    before = {pod["metadata"]["uid"] for pod in operator.pods()}
    namespace.apply(long_job(8))  # longer than an upgrade on a busy node
    wait_until(lambda: any(trial["status"].get("epochs") for trial in with_status(namespace)), "training continues")
    operator.release.install({"settings.pollInterval": "2"})
    assert namespace.phase() == "Running"
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in operator.pods()), "another operator took over"
    namespace.wait_for_end()
    assert_nothing_was_lost(namespace, recorder, 8)


def ended_within(namespace: Namespace, seconds: float) -> bool:
    """Let the job run for this long, unless it ends before."""
    moment = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > moment or namespace.phase() == "Completed", "the moment has come")
    return namespace.phase() == "Completed"


def with_status(namespace: Namespace) -> list[dict[str, Any]]:
    return [trial for trial in namespace.trials() if "status" in trial]
