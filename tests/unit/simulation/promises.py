"""What the operator promises, judged with the whole truth at hand when a write arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.simulation.objects import FINAL, FINAL_JOB, phases, repetitions_of, searched
from tuning_operator.api.values import parse_duration

if TYPE_CHECKING:
    from tests.unit.simulation.objects import Body
    from tests.unit.simulation.world import World


class Promises:
    """An AssertionError where a write violates one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.job: Body = {}
        """As the pass has read it."""

    def repeats_one_of_the_best(self, spec: Body) -> None:
        """It repeats one of the best trials of an ended search, with a seed that this one has not had."""
        tried = searched(self._world.trials)
        assert set(phases(tried)) <= FINAL, "repeated while the search went on"
        best = sorted(map(_worth, tried), reverse=True)[: self.job["spec"]["confirm"]["top"]]
        repeated = next(trial for trial in tried if trial["spec"]["number"] == spec["confirms"])
        assert _worth(repeated) in best, "not one of the best"
        assert spec["parameters"] == repeated["spec"]["parameters"], "another setting"
        before = repetitions_of(self._world.trials, spec["confirms"])
        assert spec["seed"] not in {repeated["spec"]["seed"], *(each["spec"]["seed"] for each in before)}, "a used seed"

    def may_start(self, trial: Body) -> None:
        """A job that is suspended, stopped or over starts nothing."""
        spec, status = self.job["spec"], self.job.get("status") or {}
        assert not spec["suspend"], "a suspended job starts nothing"
        assert not spec["stop"], "a stopped job starts nothing"
        if "completionReason" in status:
            assert "confirms" in trial["spec"], "a search whose end is recorded starts nothing"
            assert spec.get("confirm"), "nothing is to be confirmed"
            assert status["phase"] not in FINAL_JOB, "an ended job starts nothing"

    def keeps(self, name: str, before: Body, after: Body) -> None:
        """Nothing that is known of a trial is lost, and its phases follow from what befell its Pods."""
        assert before.get("phase") not in FINAL, "a finished trial was touched"
        number = int(name.rpartition("-")[2])
        known = dict(zip(*(before.get("curve") or {"epochs": (), "values": ()}).values(), strict=True))
        curve = dict(zip(after["curve"]["epochs"], after["curve"]["values"], strict=True))
        assert known.items() <= curve.items(), "an epoch was lost or changed"
        for epoch, value in curve.items():
            true = self._world.value(number, epoch)
            assert value == "NaN" if true != true else float(value) == true  # noqa: PLR0124 - NaN
        self._judge_attempts(f"{name}-{before.get('attempt', 1)}", before, after)
        self._judge_pause(name, before, after)
        if before.get("stopDecision") and "stopDecision" not in after:
            self._judge_drop(f"{name}-{before.get('attempt', 1)}", after)
        elif before.get("stopDecision"):
            assert after["stopDecision"] == before["stopDecision"], "a decision was changed"
            assert after["phase"] in {"Stopping", "EarlyStopped", "Stopped"}, "a decision was forgotten"
        assert "wouldStop" not in before or after["wouldStop"] == before["wouldStop"], "the first decision stands"
        assert after["trainingSeconds"] >= before.get("trainingSeconds", 0)

    def keeps_the_record(self, before: Body, job: Body) -> None:
        """The end of a job is taken back by an edit alone, and never exchanged."""
        after, reason = job["status"], before.get("completionReason")
        if reason and "completionReason" not in after:
            assert reason not in {"StoppedByUser", "InvalidTemplate"}, "what ended for good was resumed"
            assert before["observedGeneration"] < job["metadata"]["generation"], "an end was taken back without an edit"
            assert after["phase"] in {"Running", "Suspended"}
            assert "completionTime" not in after
        elif reason and reason != after["completionReason"]:
            assert after["completionReason"] == "StoppedByUser", "an end was exchanged"
        if before.get("phase") in FINAL_JOB and after["phase"] in FINAL_JOB:
            assert _record(before) == _record(after), "a record was changed"

    def _judge_drop(self, name: str, after: Body) -> None:
        """A training that was over is not stopped any more."""
        pod = self._world.pods[name]
        assert pod.code == 0, "a decision was forgotten"
        assert pod.finished is not None
        if pod.deleted is not None and pod.finished >= pod.deleted:
            assert after["curve"]["epochs"][-1] >= self._longest(), "it ended since it was to be stopped"
        assert after["phase"] in {"Collecting", "Completed", "Failed"}
        assert "dropped decision" in after["message"] or after["phase"] == "Failed"

    def _longest(self) -> float:
        """The last epoch of the longest training that was completed."""
        statuses = [trial.get("status") or {} for trial in self._world.trials.values()]
        return max(status["curve"]["epochs"][-1] for status in statuses if status.get("phase") == "Completed")

    def _judge_attempts(self, pod: str, before: Body, after: Body) -> None:
        """Only what happened to the Pod is a reason for another one; only the training's own failures are counted."""
        retries = after["attempt"] - before.get("attempt", 1)
        resumed = after.get("resumptions", 0) - before.get("resumptions", 0)
        disruptions = after["disruptions"] - before.get("disruptions", 0)
        failures = after["failures"] - before.get("failures", 0)
        assert (disruptions, failures, resumed) in {(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)}
        if disruptions:
            assert pod in self._world.disrupted, "nothing had happened to the Pod"
        if failures:
            silent = "NoMetricsReported" in after["reason"] + after["message"]
            overtaken = "stopDecision" in after  # by the job's end, which takes the place of the reason
            assert pod in self._world.failed or silent or overtaken, "the training had not failed"
            assert (pod in self._world.failed and not silent) or self._was_silent(pod), "it had reported in time"
        confirms = "confirms" in self._world.trials[pod.rpartition("-")[0]]["spec"]
        assert not confirms or ("wouldStop" not in after and after["phase"] != "EarlyStopped"), (
            "a repetition was judged"
        )
        if after["phase"] == "Failed":
            allowed = self.job["spec"]["retry"]["maxAttempts"]
            assert not failures or after["failures"] >= allowed, "given up with attempts left"
            assert retries == 0
        elif retries and not disruptions + failures + resumed:
            spec = self.job["spec"]
            assert spec["suspend"], "a retry without a reason"
            assert spec["suspendPolicy"] == "Stop"
            assert before.get("phase", "Pending") == "Pending", "a training was restarted instead of stopped"
        else:
            assert retries == disruptions + failures + resumed

    def _judge_pause(self, name: str, before: Body, after: Body) -> None:
        """A pause is recorded before the Pod goes; what is paused holds no slot, and gives way to new trials."""
        was_paused, is_paused = before.get("phase") == "Paused", after["phase"] == "Paused"
        pausing = before.get("phase") == "Stopping" and "stopDecision" not in before
        if is_paused and not was_paused:
            assert pausing, "paused without a recorded decision"
            assert after["pauseDecision"] == before["pauseDecision"], "a decision was changed"
            own = (pod for key, pod in self._world.pods.items() if key.rpartition("-")[0] == name and not pod.foreign)
            assert all(pod.ended for pod in own), "a paused trial holds a slot"
        if pausing and after["phase"] != "Stopping" and not is_paused:
            self._judge_drop(f"{name}-{before['attempt']}", after)
        if was_paused and not is_paused:
            assert after["phase"] in {"Pending", "EarlyStopped", "Stopped"}
            assert (after["phase"] == "Pending") == (after.get("resumptions", 0) > before.get("resumptions", 0))
        if was_paused and after["phase"] in {"Pending", "EarlyStopped"}:
            self.may_start(self._world.trials[name])
            limit = self.job["spec"]["limits"]["maxTrials"]
            tried = sum("confirms" not in trial["spec"] for trial in self._world.trials.values())
            assert tried >= limit, "resumed or given up while new trials were to be started"
        assert after.get("resumptions", 0) <= 1, "resumed too often"
        assert after.get("repeatedEpochs", 0) >= before.get("repeatedEpochs", 0)

    def _was_silent(self, pod: str) -> bool:
        """Whether nothing that it reported had been scraped by its deadline."""
        deadline = parse_duration(self.job["spec"]["metrics"]["startDeadline"])
        first = self._world.first_scraped.get(pod)
        return first is None or first - self._world.started[pod] >= deadline


def _record(status: Body) -> Body:
    """What stays as it is once a job has ended: not whether an edit was seen and understood."""
    conditions = [item for item in status["conditions"] if item["type"] != "Reconciled"]
    return status | {"observedGeneration": 0, "conditions": conditions}


def _worth(trial: Body) -> tuple[float, int]:
    """By what a trial of the search is ranked: the more, the better."""
    status = trial.get("status") or {}
    value = float(status.get("objective", "NaN"))
    known = status.get("objectiveStatus") == "Succeeded" and value == value  # noqa: PLR0124 - NaN
    return value if known else float("-inf"), -trial["spec"]["number"]
