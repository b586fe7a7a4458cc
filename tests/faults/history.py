"""The oracles: what must hold at every moment of a run, judged from the API server's own history of a namespace.

A violated promise is noted in words; the run continues, so that one run can show several.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cluster.operators import GROUP

if TYPE_CHECKING:
    from tests.faults.proxy import Call
    from tests.faults.script import Script
    from tests.faults.server import Body, Server

FINAL = frozenset({"Completed", "EarlyStopped", "Stopped", "Failed"})
FINAL_JOB = frozenset({"Completed", "Failed", "Stopped"})
_JOB = "tuning-operator.dev/job"
_VOLATILE = (
    *("startTime", "completionTime", "attemptTime", "trainingSeconds", "runtimeSeconds"),
    *("podUID", "curve", "metrics"),
)


class History:
    """What has happened in a namespace so far, and which promises were broken.

    Attributes:
        violations: Broken promises, in words.
        jobs: What there is now, by name; trials and Pods likewise.
        progress: For each job the moments at which it came a step further; monotonic seconds.
    """

    def __init__(self, server: Server, namespace: str, script: Script) -> None:
        self._server = server
        self._namespace = namespace
        self._script = script
        self.violations: list[str] = []
        self.jobs: dict[str, Body] = {}
        self.trials: dict[str, Body] = {}
        self.pods: dict[str, Body] = {}
        self.progress: defaultdict[str, list[float]] = defaultdict(list)
        self._ran: dict[str, str] = {}
        self._intents: set[str] = set()
        self._steps: dict[str, Any] = {}

    def saw(self, resource: str, kind: str, body: Body) -> None:
        """Something has appeared, changed or gone."""
        objects = {"tuningjobs": self.jobs, "tuningtrials": self.trials, "pods": self.pods}[resource]
        name = body["metadata"]["name"]
        before = objects.get(name)
        if kind == "DELETED":
            objects.pop(name, None)
        else:
            objects[name] = body
            if resource == "tuningtrials":
                self._intents.add(body["metadata"]["uid"])
                self._judge_trial(name, before, body)
            elif resource == "pods":
                self._judge_pod(name, body)
        self._note_step(resource, kind, name, body)

    async def judge_request(self, call: Call) -> None:
        """What has to be recorded already when a request of the operator is about to take effect."""
        if call.resource != "pods" or not call.is_write:
            return
        trial_name, _, attempt = call.name.rpartition("-")
        trial = await self._server.get(f"{GROUP}/namespaces/{self._namespace}/tuningtrials/{trial_name}")
        if call.verb == "create":
            self._judge_creation(call, trial, int(attempt))
        elif trial is not None:
            self._judge_deletion(call.name, trial.get("status") or {}, int(attempt))

    def is_over(self) -> bool:
        """Whether everything has come to its end, and the doomed job has gone with all that it owned."""
        awaited = {name for name in self._script.jobs if name != self._script.doomed}
        phases = [(self.jobs.get(name) or {}).get("status", {}).get("phase") for name in awaited]
        if not all(phase in FINAL_JOB for phase in phases):
            return False
        if any(_is_alive(pod) for pod in self.pods.values()):
            return False
        doomed = self._script.doomed
        return doomed is None or not any(_job_of(item) == doomed for item in self._everything())

    def longest_pause(self, since: float) -> float:
        """The longest time in which an unfinished job came no step further, from a moment on; seconds."""
        pauses = [0.0]
        for moments in self.progress.values():
            for earlier, later in itertools.pairwise(moments):
                if later > since:
                    pauses.append(later - max(earlier, since))
        return max(pauses)

    @property
    def last_step(self) -> float:
        """When anything came a step further for the last time."""
        return max((moments[-1] for moments in self.progress.values()), default=0.0)

    def end_state(self) -> Body:
        """What is left, without what depends on the clock."""
        return {
            "jobs": {name: _job_facts(body) for name, body in sorted(self.jobs.items())},
            "trials": {name: _trial_facts(body) for name, body in sorted(self.trials.items())},
            "pods": {name: body["status"]["phase"] for name, body in sorted(self.pods.items())},
        }

    def _everything(self) -> list[Body]:
        return [*self.jobs.values(), *self.trials.values(), *self.pods.values()]

    def _broken(self, what: str) -> None:
        if what not in self.violations:
            self.violations.append(what)

    def _judge_creation(self, call: Call, trial: Body | None, attempt: int) -> None:
        body = call.json
        owner = body["metadata"]["ownerReferences"][0]["uid"]
        if trial is None or owner != trial["metadata"]["uid"]:
            if owner not in self._intents:  # else its job has just been deleted, and the Pod goes with it
                self._broken(f"no Pod without a recorded intent: {call.name} has no trial")
            return
        status = trial.get("status") or {}
        if attempt != status.get("attempt", 1):
            # An attempt that is behind is refused by its name, or is one that a slow twin of the operator still wants.
            self._broken(f"no trial run twice except by a recorded retry: {call.name} is not recorded")
        if status.get("phase", "Pending") != "Pending":
            exists = call.name in self._ran
            if not exists:
                self._broken(f"no Pod without a recorded intent: {call.name} while its trial is {status['phase']}")
        environment = {item["name"]: item.get("value") for item in body["spec"]["containers"][0]["env"]}
        for name, value in trial["spec"]["parameters"].items():
            if environment.get(f"HP_{name}") != value:
                self._broken(f"no Pod without a recorded intent: {call.name} has other parameters than its trial")

    def _judge_deletion(self, pod: str, status: Body, attempt: int) -> None:
        if attempt != status.get("attempt", 1):
            return
        decision = status.get("stopDecision") or (status.get("phase") == "Stopping" and status.get("pauseDecision"))
        if not decision and status.get("phase") not in FINAL:
            self._broken(f"no stop without a recorded decision: {pod} is deleted, its trial is {status.get('phase')}")

    def _judge_pod(self, name: str, body: Body) -> None:
        job = _job_of(body)
        if job not in self.jobs:
            return  # made by a pass that began before its job was deleted: it goes as well
        uid = body["metadata"]["uid"]
        if self._ran.setdefault(name, uid) != uid:
            self._broken(f"no trial run twice except by a recorded retry: {name} ran twice")
        alive = sorted(other for other, pod in self.pods.items() if _job_of(pod) == job and _is_alive(pod))
        if len(alive) > self._script.parallel(job):
            self._broken(f"never more than maxParallelTrials live Pods: {', '.join(alive)}")

    def _judge_trial(self, name: str, before: Body | None, body: Body) -> None:
        self._judge_curve(name, body.get("status") or {})
        if before is None or before["metadata"]["uid"] != body["metadata"]["uid"]:
            return
        if before["spec"] != body["spec"]:
            self._broken(f"no committed parameter changes: {name}")
        old, new = before.get("status") or {}, body.get("status") or {}
        if old == new:
            return
        if old.get("phase") in FINAL:
            self._broken(f"no finished trial is touched: {name} was {old['phase']}")
        if not _points(old).items() <= _points(new).items() or (old.get("metrics") and not new.get("metrics")):
            self._broken(f"no observation is lost or changed: {name}")
        dropped = "stopDecision" not in new and new.get("phase") in {"Collecting", "Completed"}  # it was over by itself
        if old.get("stopDecision") and new.get("stopDecision") != old["stopDecision"] and not dropped:
            self._broken(f"a stop decision stands: {name}")
        attempt = old.get("attempt", 1)
        self._judge_pause(name, old, new)
        is_resumed = old.get("phase") == "Paused" and new.get("resumptions", 0) == old.get("resumptions", 0) + 1
        if new["attempt"] != attempt and f"{name}-{attempt}" not in self._script.evicted and not is_resumed:
            self._broken(f"no retry without a cause: {name}, {new.get('message')}")

    def _judge_pause(self, name: str, old: Body, new: Body) -> None:
        """A pause begins with a recorded decision and ends with a resumption, or with the trial."""
        if new.get("phase") == "Paused" != old.get("phase"):
            if old.get("phase") != "Stopping" or not old.get("pauseDecision") or old.get("stopDecision"):
                self._broken(f"no pause without a recorded decision: {name} was {old.get('phase')}")
            if any(_is_alive(pod) for pod in self.pods.values() if _trial_of(pod) == name):
                self._broken(f"no slot is held by a paused trial: {name}")
        if old.get("phase") == "Paused" != new.get("phase") and new.get("phase") not in {"Pending", *FINAL}:
            self._broken(f"a pause ends with a resumption: {name} is {new.get('phase')}")
        if new.get("resumptions", 0) > 1:
            self._broken(f"no trial is resumed twice: {name}")

    def _judge_curve(self, name: str, status: Body) -> None:
        training = self._script.training(f"{name}-{status.get('attempt', 1)}")
        reported = status.get("metrics") or []
        for epoch, value in (*_points(status).items(), *((item["epoch"], item["value"]) for item in reported)):
            if epoch > len(training.values) or float(value) != training.values[epoch - 1]:
                self._broken(f"no observation is lost or changed: {name} has {value} at epoch {epoch}")
        # The message of a training that was stopped goes with its Pod, perhaps before anybody has read it.
        if status.get("phase") in {"Completed", "Failed"} and training.leaves_message and not reported:
            self._broken(f"no observation is lost or changed: {name} has nothing of its termination message")

    def _note_step(self, resource: str, kind: str, name: str, body: Body) -> None:
        """Remember when a job came a step further; a condition that changes is none."""
        status = body.get("status") or {}
        step = (kind == "DELETED", status.get("phase"), status.get("attempt"), status.get("epochs"))
        key = f"{resource}/{name}"
        if self._steps.get(key) == step:
            return
        self._steps[key] = step
        self.progress[_job_of(body)].append(time.monotonic())


def _job_of(body: Body) -> str:
    return str((body["metadata"].get("labels") or {}).get(_JOB) or body["metadata"]["name"])


def _trial_of(pod: Body) -> str:
    return str(pod["metadata"]["name"]).rpartition("-")[0]


def _is_alive(pod: Body) -> bool:
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def _points(status: Body) -> dict[int, str]:
    curve = status.get("curve") or {}
    return dict(zip(curve.get("epochs", ()), curve.get("values", ()), strict=True))


def _trial_facts(body: Body) -> Body:
    status = {name: value for name, value in body.get("status", {}).items() if name not in _VOLATILE}
    return {"spec": body["spec"], "status": status, "curve": _points(body.get("status", {}))}


def _job_facts(body: Body) -> Body:
    status = body.get("status", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    conditions.pop("MetricsAvailable", None)  # says how the last question went
    conditions.pop("Waiting", None)  # says whether no trial trained for a while
    names = ("phase", "completionReason", "message", "progress", "trialCounts", "objectiveCounts", "bestTrial", "seed")
    return {**{name: status.get(name) for name in names}, "conditions": conditions}
