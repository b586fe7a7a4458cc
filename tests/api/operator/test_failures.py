"""What goes wrong on a cluster and in trainings, all of it at once: a job for each misfortune, one operator for all.

The API server, admission, garbage collection and Prometheus are real; scheduler, kubelet and the controllers that take
Pods away are played, with the words of the real ones.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from cluster.operators import GROUP, is_healthy, metrics_page
from cluster.waiting import wait_until
from tests.api.operator.misfortunes import (
    EPOCHS,
    GRACE_SECONDS,
    POLICY_MADE,
    QUOTA_SEEN,
    RESTRICTED,
    SCHEMA_UPGRADED,
    Lab,
    lab,
)

# One operator for the module, so all of it has to run in one process.
__all__ = ["lab"]  # a fixture

pytestmark = [pytest.mark.api, pytest.mark.xdist_group("failures")]


# The cluster takes Pods away: free retries


def evict(lab: Lab) -> None:
    """As `kubectl drain` does."""
    metadata = {"name": "evicted-0001-1", "namespace": lab.cluster("evicted").namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    lab.api.call("POST", f"{lab.pod('evicted')}/eviction", eviction)


def run_out_of_disk(lab: Lab) -> None:
    """As the kubelet does when its node runs out of something."""
    fail_pod(lab, "pressure", "TerminationByKubelet", "Evicted", "The node was low on resource: ephemeral-storage.")


def preempt(lab: Lab) -> None:
    """As the scheduler does for a Pod of higher priority."""
    target(lab, "preempted", {}, "PreemptionByScheduler")
    lab.api.call("DELETE", lab.pod("preempted"))


def lose_node(lab: Lab) -> None:
    """As the Pod garbage collector does with the Pods of a node that does not exist any more."""
    fail_pod(lab, "lost", "DeletionByPodGC", "", "")
    lab.api.call("DELETE", lab.pod("lost"), {"gracePeriodSeconds": 0})


def fail_pod(lab: Lab, job: str, condition: str, reason: str, message: str) -> None:
    target(lab, job, {"phase": "Failed", "reason": reason, "message": message}, condition)


def target(lab: Lab, job: str, status: dict[str, Any], reason: str) -> None:
    disruption = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "because of the test"}
    body = {"status": {**status, "conditions": [disruption]}}
    lab.api.call("PATCH", f"{lab.pod(job)}/status", body, kind="application/strategic-merge-patch+json")


@pytest.mark.parametrize(
    ("job", "happen"), [("evicted", evict), ("pressure", run_out_of_disk), ("preempted", preempt), ("lost", lose_node)]
)
def test_what_the_cluster_ends_is_tried_again_and_is_no_failure(lab: Lab, job: str, happen: Any) -> None:
    wait_until(lambda: lab.trial(job).get("epochs", 0) >= 2, f"{job} trains", describe=lambda: lab.trial(job))
    happen(lab)
    status = lab.end(job)
    assert (status["phase"], status["attempt"], status["disruptions"], status["failures"]) == ("Completed", 2, 1, 0)
    assert status["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    assert lab.runs(job) == [f"{job}-0001-1", f"{job}-0001-2"]
    reasons = {event["reason"] for event in lab.cluster(job).events() if event["note"].startswith(f"{job}-0001: ")}
    assert "Disrupted" in reasons
    assert not reasons & {"AttemptFailed", "TrialFailed"}


# Trainings fail


def test_a_training_out_of_memory_is_tried_again_and_told(lab: Lab) -> None:
    status = lab.end("oom")
    assert (status["phase"], status["attempt"], status["failures"], status["disruptions"]) == ("Completed", 2, 1, 0)
    assert status["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    reasons = {event["reason"]: event["note"] for event in lab.cluster("oom").events() if "oom" in event["note"]}
    assert "OOMKilled" in reasons["AttemptFailed"]


def test_a_trial_that_used_up_its_attempts_ends_the_job_which_names_it(lab: Lab) -> None:
    status = lab.end("hopeless")
    assert (status["phase"], status["reason"], status["failures"]) == ("Failed", "ExitCode1", 2)
    assert "failed 2 times" in status["message"]
    assert "ValueError: no data" in status["message"]
    job = lab.cluster("hopeless").job("hopeless")["status"]
    assert (job["phase"], job["completionReason"]) == ("Failed", "MaxFailedTrialsReached")
    assert "hopeless-0001 (ExitCode1)" in job["message"]
    assert lab.runs("hopeless") == ["hopeless-0001-1", "hopeless-0001-2"]


def test_a_template_that_cannot_work_costs_five_or_six_trials_until_a_user_allows_more(lab: Lab) -> None:
    lab.end("broken")
    cluster = lab.cluster("broken")
    job = cluster.job("broken")["status"]
    assert (job["phase"], job["completionReason"]) == ("Failed", "NoTrialSucceeded")
    assert job["trialCounts"]["failed"] in {5, 6}, "the sixth may have begun before the fifth's end was known"
    assert len(lab.runs("broken")) == job["trialCounts"]["failed"]
    assert "broken-0005 (ExitCode1)" in job["message"]
    assert job["message"].endswith("ValueError: no data")
    cluster.patch_job({"spec": {"limits": {"maxFailedTrials": 8}}}, "broken")
    limit = "MaxFailedTrialsReached"
    wait_until(
        lambda: cluster.job("broken")["status"].get("completionReason") == limit, "it continues to its own limit"
    )
    lab.end("broken")
    assert cluster.job("broken")["status"]["trialCounts"]["failed"] in {8, 9}


def test_an_image_that_cannot_be_pulled_gets_its_grace_and_no_second_attempt(lab: Lab) -> None:
    status = lab.end("unpullable")
    assert (status["phase"], status["reason"], status["attempt"]) == ("Failed", "ImagePullBackOff", 1)
    assert f"0:00:0{GRACE_SECONDS}: it is not there" in status["message"]


def test_a_pod_that_finds_no_gpu_waits_and_says_so(lab: Lab) -> None:
    wait_until(lambda: lab.trial("no-gpu").get("reason") == "Unschedulable", "it says so")
    assert lab.trial("no-gpu")["phase"] == "Pending"
    assert "Insufficient nvidia.com/gpu" in lab.trial("no-gpu")["message"]


def test_a_trainer_that_never_reports_is_given_up_with_a_remedy(lab: Lab) -> None:
    status = lab.end("silent")
    assert (status["phase"], status["reason"]) == ("Failed", "NoMetricsReported")
    assert "spec.metrics.startDeadline" in status["message"]
    assert "Prometheus scrapes its Pod" in status["message"]
    assert status["trainingSeconds"] >= 1
    wait_until(lambda: not lab.api.exists(lab.pod("silent")), "its Pod is gone")


def test_a_container_that_ignores_sigterm_holds_its_slot_until_it_is_killed(lab: Lab) -> None:
    wait_until(lambda: lab.trial("stubborn").get("phase") == "Running", "it trains")
    lab.cluster("stubborn").patch_job({"spec": {"limits": {"maxDuration": "1s"}}}, "stubborn")
    lab.cluster("stubborn").wait_for_phase("Stopping", name="stubborn")
    assert lab.trial("stubborn")["phase"] == "Stopping"
    assert lab.trial("stubborn")["stopDecision"]["reason"] == "MaxDurationReached"
    assert lab.end("stubborn")["phase"] == "Stopped"
    (run,) = (run for run in lab.kubelet.runs.values() if run.name == "stubborn-0001-1")
    assert run.ended is not None
    assert run.signalled is not None
    assert run.ended - run.signalled >= 4


# Trainings report oddly


def test_values_that_diverge_are_values_but_none_is_the_best(lab: Lab) -> None:
    status = lab.end("diverged")
    assert (status["phase"], status["objective"], status["objectiveStatus"]) == ("Completed", "NaN", "Succeeded")
    assert status["curve"]["values"] == ["0.5", "NaN", "NaN"]
    assert "bestTrial" not in lab.cluster("diverged").job("diverged")["status"]


def test_epochs_out_of_order_are_put_in_order(lab: Lab) -> None:
    status = lab.end("unordered")
    assert (status["phase"], status["objective"]) == ("Completed", "0.3")
    assert status["curve"] == {"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}


@pytest.mark.parametrize(
    ("job", "words"),
    [("garbage", "none"), ("mute", "none"), ("renamed", "metrics in its termination message: accuracy")],
)
def test_a_training_that_ends_without_its_objective_fails_and_says_what_there_was(
    lab: Lab, job: str, words: str
) -> None:
    status = lab.end(job)
    assert (status["phase"], status["reason"], status["epochs"]) == ("Failed", "NoMetrics", 0)
    assert words in status["message"]


@pytest.mark.parametrize(("job", "delete"), [("fast-clock", False), ("slow-clock", True)])
def test_a_node_whose_clock_is_wrong_by_minutes_changes_nothing(lab: Lab, job: str, delete: bool) -> None:
    if delete:  # to tell an end before the deletion from an end by it is where clocks matter most
        wait_until(lambda: lab.trial(job).get("epochs", 0) >= 2, "it trains")
        lab.api.call("DELETE", lab.pod(job))
    status = lab.end(job)
    assert (status["phase"], status["failures"], status["disruptions"]) == ("Completed", 0, int(delete))
    assert status["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    assert 1 <= status["trainingSeconds"] < 500


# Admission says no


def test_pod_security_that_refuses_the_template_fails_the_job_in_its_own_words(lab: Lab) -> None:
    cluster = lab.cluster("forbidden")
    status = cluster.wait_for_phase("Failed", name="forbidden")["status"]
    assert status["completionReason"] == "InvalidTemplate"
    assert 'violates PodSecurity "restricted:latest"' in status["message"]
    assert cluster.trials() == []


def test_a_policy_that_comes_after_the_template_was_accepted_is_waited_for(lab: Lab) -> None:
    cluster = lab.cluster("policed")
    path = f"/api/v1/namespaces/{cluster.namespace}"
    free = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}
    wait_until(lambda: lab.trial("policed").get("phase") == "Running", "the first trial trains")
    lab.api.call("PATCH", path, RESTRICTED, kind="application/merge-patch+json")
    POLICY_MADE.set()
    wait_until(
        lambda: cluster.condition("Reconciled", "policed").get("reason") == "PodRefused", "the policy is reported"
    )
    assert "violates PodSecurity" in cluster.condition("Reconciled", "policed")["message"]
    status = cluster.job("policed")["status"]
    assert (status["phase"], status["progress"]) == ("Running", "1/2"), "what there is stays, and is shown"
    assert "PodRefused" in {event["reason"] for event in cluster.events()}
    lab.api.call("PATCH", path, free, kind="application/merge-patch+json")
    assert cluster.wait_for_phase("Completed", name="policed")["status"]["progress"] == "2/2"
    assert cluster.condition("Reconciled", "policed")["status"] == "True"


def test_a_quota_that_is_used_up_is_waited_for_without_a_storm(lab: Lab) -> None:
    """The first trial holds the quota and has something new to tell all the time."""
    cluster = lab.cluster("waiting")
    wait_until(lambda: cluster.condition("QuotaExceeded", "waiting").get("status") == "True", "the quota is reported")
    assert "exceeded quota" in cluster.condition("QuotaExceeded", "waiting")["message"]
    wait_until(lambda: lab.trial("waiting").get("epochs", 0) == 50, "many passes were made")
    QUOTA_SEEN.set()
    status = cluster.wait_for_phase("Completed", name="waiting")["status"]
    assert {"PodRefused", "TrialCompleted"} <= {event["reason"] for event in cluster.events()}
    assert cluster.condition("QuotaExceeded", "waiting")["status"] == "False"
    refused = re.search(r'api_errors_total\{kind="QuotaExceeded"\} (\S+)', metrics_page(lab.operator))
    assert refused
    began, ended = (datetime.fromisoformat(status[time]) for time in ("startTime", "completionTime"))
    assert 1 <= float(refused.group(1)) <= 8 + (ended - began) / timedelta(seconds=5)


# Objects come and go


@pytest.fixture(scope="module")
def used_again(lab: Lab) -> tuple[str, str]:
    """Delete a job that trains and create it again; returns the uids of the first trial of the one and of the other.

    The schema is edited only afterwards. That interrupts the garbage collector's watch, and if the two happen
    meanwhile, it does not learn that the first job is gone.
    """
    cluster, path = lab.cluster("again"), f"{GROUP}/namespaces/{lab.cluster('again').namespace}/tuningtrials/again-0001"
    wait_until(lambda: lab.trial("again").get("phase") == "Running", "the first job trains")
    first = lab.api.call("GET", path)["metadata"]["uid"]
    cluster.delete_job("again")
    lab.apply("again")
    lab.end("again")
    return first, lab.api.call("GET", path)["metadata"]["uid"]


def test_a_name_that_is_used_again_waits_for_what_is_left_of_its_first_job(
    lab: Lab, used_again: tuple[str, str]
) -> None:
    assert lab.trial("again")["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    first, second = used_again
    assert second != first
    assert lab.runs("again") == ["again-0001-1", "again-0001-1"]


@pytest.mark.usefixtures("used_again")
def test_a_schema_that_is_upgraded_under_running_jobs_disturbs_none(lab: Lab) -> None:
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tuningjobs.tuning-operator.dev"
    field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/fromTheFuture"
    wait_until(lambda: lab.trial("upgraded").get("epochs", 0) >= 1, "it trains")
    add = [{"op": "add", "path": field, "value": {"type": "string", "default": "so"}}]
    lab.api.call("PATCH", definition, add, kind="application/json-patch+json")
    try:
        wait_until(lambda: "fromTheFuture" in lab.cluster("upgraded").job("upgraded")["spec"], "the schema is served")
        SCHEMA_UPGRADED.set()
        assert lab.end("upgraded")["curve"]["epochs"] == list(range(1, EPOCHS + 1))
        assert lab.runs("upgraded") == ["upgraded-0001-1"]
    finally:
        lab.api.call("PATCH", definition, [{"op": "remove", "path": field}], kind="application/json-patch+json")


def test_a_namespace_that_is_deleted_in_mid_flight_takes_everything_along_and_nothing_else(lab: Lab) -> None:
    path = f"/api/v1/namespaces/{lab.cluster('doomed').namespace}"
    wait_until(lambda: lab.trial("doomed").get("phase") == "Running", "it trains")
    lab.api.call("DELETE", path)
    wait_until(lambda: not lab.api.exists(path), "the namespace is gone")
    assert is_healthy(lab.operator)


# And nothing else happens


def test_a_job_beside_all_that_notices_nothing(lab: Lab) -> None:
    status = lab.end("calm")
    assert (status["phase"], status["attempt"], status["disruptions"], status["failures"]) == ("Completed", 1, 0, 0)
    assert lab.runs("calm") == ["calm-0001-1"]
    log = lab.operator.log.read_text()
    assert "internal error" not in log
    assert "\nTraceback" not in log
    assert lab.operator.alive
