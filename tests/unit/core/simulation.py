"""A cluster in memory: the API server with the rules that matter to a controller, Pods that meet with fates, a
Prometheus that scrapes them, and operators that reconcile with it until they crash.

Every write is judged when it arrives, with the whole truth at hand; a violated promise is an AssertionError there.
"""

from __future__ import annotations

import asyncio
import copy
import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from tuning_operator.api import names
from tuning_operator.api.values import parse_duration, parse_time, render_time
from tuning_operator.core.model.attempt import Scraping
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.space import Continuous, Scale, Space
from tuning_operator.core.suggest.streams import of_stream
from tuning_operator.runtime.kubernetes.cluster import REDUCE, Listed
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.events import EventRecorder
from tuning_operator.runtime.kubernetes.store import PODS, TRIALS, Store
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.poller import MetricsPoller
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.reconciler.reconcile import Reconciler
from tuning_operator.runtime.suggestions import _draw

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from tuning_operator.core.suggest import Suggestion, SuggestRequest
    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.prometheus.client import Prometheus
    from tuning_operator.runtime.suggestions import Suggester

Body = dict[str, Any]
KEY = JobKey("ns", "job")
METRIC = "validation:accuracy"
EPOCHS = 5
SPACE = Space((Continuous("lr", 1e-5, 1.0, Scale.LOG),))
GRACE = 30
FINAL = {"Completed", "EarlyStopped", "Stopped", "Failed"}
FINAL_JOB = {"Completed", "Stopped", "Failed"}


class Crash(BaseException):
    """The operator's process has died."""


@dataclass
class Fault:
    """What goes wrong during a pass: at its `call`-th request, and before or after that takes effect."""

    call: int
    kind: str  # crash, error, fate, edit (somebody edits the job) or rival (another operator makes a pass)
    late: bool = False
    fate: tuple[str, int] = ("start", 0)


@dataclass
class SimulatedPod:
    """A Pod and its training process."""

    body: Body
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    code: int | None = None
    message: str = ""
    failed: bool = False  # without a container's state, as when its node is gone
    disruption: str | None = None
    deleted: datetime | None = None
    reported: int = 0
    foreign: bool = False  # somebody else made it, under a name that a trial's Pod would have

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def number(self) -> int:
        return int(self.name.split("-")[-2])

    @property
    def labelled(self) -> bool:
        return names.LABEL_JOB in self.body["metadata"]["labels"]

    @property
    def ended(self) -> bool:
        return self.failed or self.finished is not None

    @property
    def runs(self) -> bool:
        return self.started is not None and not self.ended

    def render(self) -> Body:
        """The Pod as the API server shows it."""
        body = copy.deepcopy(self.body)
        body["metadata"]["creationTimestamp"] = render_time(self.created)
        if not self.foreign:
            body["spec"]["nodeName"] = "node"
        if self.deleted:
            body["metadata"]["deletionTimestamp"] = render_time(self.deleted + timedelta(seconds=GRACE))
            body["metadata"]["deletionGracePeriodSeconds"] = GRACE
        status: Body = {"phase": "Pending", "conditions": []}
        if self.disruption:
            status["conditions"].append({"type": "DisruptionTarget", "status": "True", "reason": self.disruption})
        state: Body = {"waiting": {"reason": "ContainerCreating"}}
        if self.started:
            status["phase"], state = "Running", {"running": {"startedAt": render_time(self.started)}}
        if self.started and self.finished:
            status["phase"] = "Failed" if self.code else "Succeeded"
            state = {
                "terminated": {
                    "exitCode": self.code,
                    "reason": "Error" if self.code else "Completed",
                    "startedAt": render_time(self.started),
                    "finishedAt": render_time(self.finished),
                    "message": self.message,
                }
            }
        if self.failed:
            status |= {"phase": "Failed", "reason": "NodeLost"}
        status["containerStatuses"] = [{"name": "train", "state": state}]
        return body | {"status": status}


@dataclass
class World:
    """What is true: objects, Pods, measurements, and the time."""

    job: Body
    seed: int
    now: datetime = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    trials: dict[str, Body] = field(default_factory=dict)
    pods: dict[str, SimulatedPod] = field(default_factory=dict)
    scraped: dict[str, int] = field(default_factory=dict)
    disrupted: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    started: dict[str, datetime] = field(default_factory=dict)
    first_scraped: dict[str, datetime] = field(default_factory=dict)
    rival: Callable[[], Awaitable[None]] | None = None
    reported: dict[str, int] = field(default_factory=dict)
    prometheus_is_up: bool = True
    suggests_slowly: bool = False
    deleted: bool = False
    writes: int = 0
    versions: int = 0
    departed: Departed = field(default_factory=Departed)
    checkpoints: dict[str, int] = field(default_factory=dict)

    def listed(self, plural: str) -> Listed:
        """The objects of a kind that have the job's label."""
        bodies = list(self.trials.values()) if plural == TRIALS else [pod.render() for pod in self.pods.values()]
        labelled = [copy.deepcopy(body) for body in bodies if names.LABEL_JOB in body["metadata"]["labels"]]
        return Listed([REDUCE[plural](body) for body in labelled], str(self.versions))

    def edit(self, **spec: Any) -> None:
        """Change fields of the job's specification; `target` stands for the objective's."""
        if self.deleted:
            return
        if "target" in spec:
            spec["objective"] = new_job(0, {}, spec.pop("target"), "Off")["spec"]["objective"]
        self.job["spec"] |= spec
        self.job["metadata"]["generation"] += 1
        self.touch(self.job)

    def value(self, number: int, epoch: int) -> float:
        """What a trial measures: some diverge, some learn at once, and the same training gives the same values."""
        draw = random.Random(f"{self.seed}/{number}").random()
        if draw < 0.1 and epoch >= 3:
            return float("nan")
        return round(draw * (1 - 0.3**epoch if number % 2 else epoch / EPOCHS), 6)

    def curve(self, number: int, epochs: int) -> Curve:
        """The true curve of a trial after this many epochs."""
        return Curve.of((epoch, self.value(number, epoch)) for epoch in range(1, epochs + 1))

    def touch(self, body: Body) -> None:
        """Note that an object has been written."""
        self.writes += 1
        self.renew(body)

    def renew(self, body: Body) -> None:
        """Note that an object has changed."""
        self.versions += 1
        body["metadata"]["resourceVersion"] = str(self.versions)

    # Fates: each picks one of the Pods that it can befall; False when there is none.

    def befall(self, fate: str, index: int) -> bool:
        """Let something happen to the index-th Pod that it can happen to, or to all of them."""
        able: dict[str, Callable[[SimulatedPod], bool]] = {
            "start": lambda pod: pod.started is None and not pod.ended and not pod.deleted,
            "report": lambda pod: pod.runs and pod.reported < EPOCHS,
            "succeed": lambda pod: pod.runs,
            "succeed unscraped": lambda pod: pod.runs,
            "fail": lambda pod: pod.runs,
            "delete": lambda pod: not pod.deleted,
            "disrupt": lambda pod: not pod.ended and not pod.deleted,
            "lose node": lambda pod: pod.runs,
            "vanish": lambda _: True,
            "reap": lambda pod: pod.deleted is not None,
            "unlabel": lambda pod: pod.labelled,
        }
        fate, everybody, _ = fate.partition(" all")
        candidates = [pod for pod in self.pods.values() if not pod.foreign and able[fate](pod)]
        if not candidates:
            return False
        self.now += timedelta(seconds=1)
        for pod in candidates if everybody else [candidates[index % len(candidates)]]:
            getattr(self, "_" + fate.replace(" ", "_"))(pod)
            self.renew(pod.body)
        return True

    def _start(self, pod: SimulatedPod) -> None:
        pod.started = self.started[pod.name] = self.now

    def _report(self, pod: SimulatedPod) -> None:
        pod.reported += 1

    def _succeed(self, pod: SimulatedPod) -> None:
        """By the contract: the last page is scraped, or else the history is in the termination message."""
        self._end(pod, 0)
        self.reported[pod.name] = pod.reported
        if self.prometheus_is_up:
            self._scrape(pod)
        else:
            pod.message = self._history(pod)

    def _succeed_unscraped(self, pod: SimulatedPod) -> None:
        self._end(pod, 0)
        self.reported[pod.name] = pod.reported
        pod.message = self._history(pod)

    def _fail(self, pod: SimulatedPod) -> None:
        self._end(pod, 1)
        self.failed.add(pod.name)
        pod.message = "Traceback: CUDA out of memory"

    def _delete(self, pod: SimulatedPod) -> None:
        self.disrupted |= set() if pod.ended else {pod.name}
        pod.deleted = self.now

    def _disrupt(self, pod: SimulatedPod) -> None:
        self.disrupted.add(pod.name)
        pod.disruption, pod.deleted = "PreemptionByScheduler", self.now

    def _lose_node(self, pod: SimulatedPod) -> None:
        self.disrupted.add(pod.name)
        pod.disruption, pod.failed = "DeletionByPodGC", True

    def _vanish(self, pod: SimulatedPod) -> None:
        self.disrupted.add(pod.name)
        del self.pods[pod.name]

    def _reap(self, pod: SimulatedPod) -> None:
        """The kubelet ends the containers of a Pod that is being deleted, then the Pod goes."""
        if pod.runs:
            if pod.number % 2:  # the others keep none, and begin again
                self.checkpoints[pod.name.rpartition("-")[0]] = pod.reported
            self._end(pod, 143)
        else:
            self.departed.note(pod.render(), deleted=True)
            del self.pods[pod.name]
            self.disrupted.add(pod.name)

    def _unlabel(self, pod: SimulatedPod) -> None:
        self.unlabel(pod.body)

    def unlabel(self, body: Body) -> None:
        """Somebody takes a label off."""
        if body["metadata"]["labels"].pop(names.LABEL_JOB, None):
            self.touch(body)

    def plant(self, ahead: int, attempt: int, *, owned: bool) -> None:
        """Somebody makes a Pod under a name that a trial may want; it runs something else."""
        known = sorted(self.trials)
        trial = f"job-{len(known) + 1:04d}" if ahead or not known else known[-1]
        name, owner = f"{trial}-{attempt}", self.trials.get(trial)
        if name in self.pods or self.deleted:
            return
        uid = owner["metadata"]["uid"] if owner else "uid-of-nothing"
        references = [names.owner_reference(names.TRIAL_KIND, trial, uid)] if owned else []
        metadata: Body = {
            "name": name,
            "namespace": KEY.namespace,
            "labels": names.job_labels(KEY.name),
            "ownerReferences": references,
        }
        body: Body = {"metadata": metadata | {"uid": f"uid-planted-{name}-{self.versions}"}}
        body["spec"] = {"containers": [{"name": "train", "image": "another"}]}
        self.touch(body)
        self.disrupted.add(name)
        self.pods[name] = SimulatedPod(body, self.now, foreign=True)

    def collect_garbage(self) -> None:
        """Delete the Pods whose owners do not exist."""
        uids = {trial["metadata"]["uid"] for trial in self.trials.values()}
        for name, pod in list(self.pods.items()):
            if names.controller_of(pod.body).get("uid", "") not in {"", *uids}:
                del self.pods[name]

    def _end(self, pod: SimulatedPod, code: int) -> None:
        pod.finished, pod.code = self.now, code

    def _history(self, pod: SimulatedPod) -> str:
        epochs = range(1, pod.reported + 1)
        values = [self.value(pod.number, epoch) for epoch in epochs]
        shown = ", ".join('"NaN"' if value != value else f"{value!r}" for value in values)  # noqa: PLR0124 - NaN
        return (
            f'{{"epochs": {list(epochs)}, "metrics": {{"{METRIC}": [{shown}]}},'
            f' "completed": {pod.reported}, "thinned": false}}'
        )

    def scrape(self) -> None:
        """Prometheus reads the pages of the Pods that run."""
        if self.prometheus_is_up:
            for pod in self.pods.values():
                if pod.runs:
                    self._scrape(pod)

    def _scrape(self, pod: SimulatedPod) -> None:
        self.scraped[pod.name] = pod.reported
        if pod.reported:
            self.first_scraped.setdefault(pod.name, self.now)


class FakePrometheus:
    """Answers with what has been scraped."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def curves(self, namespace: str, pods: Mapping[str, str], windows: Mapping[str, int]) -> dict[str, Curve]:
        """As `Prometheus.curves`."""
        assert (namespace, set(pods)) == (KEY.namespace, set(windows))
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return {pod: self._world.curve(int(pod.split("-")[-2]), self._world.scraped.get(pod, 0)) for pod in pods}

    async def progress(self, _namespace: str, windows: Mapping[str, int]) -> dict[str, float]:
        """As `Prometheus.progress`."""
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return {pod: float(self._world.scraped[pod]) for pod in windows if pod in self._world.scraped}

    async def scraping(self, _namespace: str, windows: Mapping[str, int], _gauges: object) -> dict[str, Scraping]:
        """As `Prometheus.scraping`."""
        if not self._world.prometheus_is_up:
            raise PrometheusError("no answer")
        return dict.fromkeys(windows, Scraping.WORKS)


class Connection:
    """The API server as one process of the operator reaches it; judges every write."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read_job: Body = {}
        self._calls = 0
        self._fault: Fault | None = None
        self.dead = False
        self.departed = world.departed

    def expect(self, fault: Fault | None) -> None:
        """Arm a fault for the next pass."""
        self._fault, self._calls = fault, 0

    async def get_job(self, _namespace: str, _name: str) -> Body:
        self._read_job = await self._request(lambda: self._world.job)
        return self._read_job

    async def delete_job(self, _namespace: str, _name: str, uid: str, version: str) -> None:
        await self._request(lambda: self._delete_job(uid, version))

    async def list_of_job(self, plural: str, _namespace: str, _job: str) -> Listed:
        return cast("Listed", await self._request(lambda: self._world.listed(plural)))

    async def get_attempt(self, _namespace: str, _kind: str, name: str) -> Body:
        return await self._request(lambda: self._found(self._world.pods, name).render())

    async def get_trial(self, _namespace: str, name: str) -> Body:
        return await self._request(lambda: self._found(self._world.trials, name))

    async def create_event(self, _namespace: str, _body: Body) -> None:
        await self._request(lambda: None)

    async def create_trial(self, _namespace: str, body: Body) -> Body:
        return await self._request(lambda: self._create_trial(copy.deepcopy(body)))

    async def create_attempt(self, _namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        return await self._request(lambda: body if dry_run else self._create_pod(copy.deepcopy(body)))

    async def delete_attempt(self, _namespace: str, _kind: str, name: str, uid: str, version: str) -> None:
        await self._request(lambda: self._delete_pod(name, uid, version))

    async def patch_job_status(self, _namespace: str, _name: str, status: Body, version: str) -> Body:
        return await self._request(lambda: self._patch_job(status, version))

    async def patch_trial_status(self, _namespace: str, name: str, status: Body, version: str) -> Body:
        return await self._request(lambda: self._patch_trial(name, status, version))

    async def _request(self, effect: Callable[[], Any]) -> Any:
        if self.dead:
            raise Crash
        self._calls += 1
        fault = self._fault if self._fault and self._fault.call == self._calls else None
        if fault and not fault.late:
            await self._suffer(fault)
        if self._world.deleted:
            raise ApiError(ErrorKind.NOT_FOUND, "the job is gone, and what belonged to it")
        answer = copy.deepcopy(effect())
        if fault and fault.late:
            await self._suffer(fault)
        return answer

    async def _suffer(self, fault: Fault) -> None:
        if fault.kind == "crash":
            self.dead = True
            raise Crash
        if fault.kind == "error":
            raise ApiError(ErrorKind.UNAVAILABLE, "HTTP 503")
        if fault.kind == "rival" and self._world.rival:
            await self._world.rival()
        elif fault.kind == "edit":
            self._world.edit(suspend=not self._world.job["spec"]["suspend"])
        else:
            self._world.befall(*fault.fate)

    def _found(self, objects: Mapping[str, Any], name: str) -> Any:
        if name not in objects:
            raise ApiError(ErrorKind.NOT_FOUND, f"{name} not found")
        return objects[name]

    def _delete_job(self, uid: str, version: str) -> None:
        """Delete the job; what belongs to it is collected at once."""
        job, status = self._world.job, self._world.job["status"]
        if (job["metadata"]["uid"], job["metadata"]["resourceVersion"]) != (uid, version):
            raise ApiError(ErrorKind.CONFLICT, "the precondition failed")
        assert status["phase"] in FINAL_JOB, "an unfinished job was deleted"
        age = self._world.now - parse_time(status["completionTime"])
        assert age.total_seconds() >= job["spec"]["ttlSecondsAfterFinished"], "a job was deleted before its time"
        self._world.deleted = True
        self._world.trials.clear()
        self._world.pods.clear()
        self._world.writes += 1

    def _create_trial(self, body: Body) -> Body:
        name, number = body["metadata"]["name"], body["spec"]["number"]
        if name in self._world.trials:
            raise ApiError(ErrorKind.ALREADY_EXISTS, f"{name} already exists")
        assert name == f"job-{number:04d}"
        assert names.is_controlled_by(body, names.JOB_KIND, self._world.job["metadata"]["uid"])
        self._check_may_start(body)
        if "confirms" in body["spec"]:
            self._judge_repetition(body["spec"])
        else:
            most = self._read_job["spec"]["limits"]["maxTrials"]
            assert len(searched(self._world.trials)) < most, "more trials than allowed"
            (point,) = of_stream(SPACE, self._read_job["spec"]["seed"], (number,))
            expected = SPACE.render(point)
            assert body["spec"]["parameters"] == expected, "parameters that do not follow from seed and number"
        body["metadata"]["uid"] = f"uid-{name}-{self._world.versions}"
        self._world.touch(body)
        self._world.trials[name] = body
        return body

    def _judge_repetition(self, spec: Body) -> None:
        """It repeats one of the best trials of an ended search, with a seed that this one has not had."""
        tried = searched(self._world.trials)
        assert set(phases(tried)) <= FINAL, "repeated while the search went on"
        best = sorted(map(_worth, tried), reverse=True)[: self._read_job["spec"]["confirm"]["top"]]
        repeated = next(trial for trial in tried if trial["spec"]["number"] == spec["confirms"])
        assert _worth(repeated) in best, "not one of the best"
        assert spec["parameters"] == repeated["spec"]["parameters"], "another setting"
        before = repetitions_of(self._world.trials, spec["confirms"])
        assert spec["seed"] not in {repeated["spec"]["seed"], *(each["spec"]["seed"] for each in before)}, "a used seed"

    def _create_pod(self, body: Body) -> Body:
        name, owner = body["metadata"]["name"], body["metadata"]["ownerReferences"][0]
        if name in self._world.pods:
            raise ApiError(ErrorKind.ALREADY_EXISTS, f"{name} already exists")
        trial = self._world.trials[owner["name"]]
        assert owner["uid"] == trial["metadata"]["uid"], "a Pod without a committed trial"
        status = trial.get("status") or {}
        assert name == f"{owner['name']}-{status.get('attempt', 1)}", "an attempt that is not recorded"
        assert status.get("phase", "Pending") == "Pending", "a Pod for a trial that does not wait for one"
        assert status.get("podUID") is None, "an attempt that was run before"
        holding = sum(not pod.ended and not pod.foreign for pod in self._world.pods.values())
        assert holding < self._read_job["spec"]["limits"]["maxParallelTrials"], "too many Pods"
        self._check_may_start(trial)
        variables = {entry["name"]: entry["value"] for entry in body["spec"]["containers"][0]["env"]}
        assert variables["HP_lr"] == trial["spec"]["parameters"]["lr"]
        self._world.versions += 1
        body["metadata"]["uid"] = f"uid-{name}-{self._world.versions}"
        self._world.touch(body)
        reported = self._world.checkpoints.get(owner["name"], 0)
        pod = self._world.pods[name] = SimulatedPod(body, self._world.now, reported=reported)
        return pod.render()

    def _check_may_start(self, trial: Body) -> None:
        spec, status = self._read_job["spec"], self._read_job.get("status") or {}
        assert not spec["suspend"], "a suspended job starts nothing"
        assert not spec["stop"], "a stopped job starts nothing"
        if "completionReason" in status:
            assert "confirms" in trial["spec"], "a search whose end is recorded starts nothing"
            assert spec.get("confirm"), "nothing is to be confirmed"
            assert status["phase"] not in FINAL_JOB, "an ended job starts nothing"

    def _delete_pod(self, name: str, uid: str, version: str) -> None:
        pod = self._world.pods.get(name)
        if pod is None:
            return
        if (pod.body["metadata"]["uid"], pod.body["metadata"]["resourceVersion"]) != (uid, version):
            raise ApiError(ErrorKind.CONFLICT, "the precondition failed")
        reference = names.controller_of(pod.body)
        assert reference, "somebody else's Pod was deleted"
        trial = self._world.trials[reference["name"]]
        status, attempt = trial["status"], int(name.rpartition("-")[2])
        if attempt == status["attempt"] and status["phase"] not in FINAL:
            assert status["phase"] == "Stopping", "deleted without a recorded decision"
            decision = status.get("stopDecision") or status["pauseDecision"]
            assert decision["message"], "a decision without a reason"
        self._world.touch(pod.body)
        pod.deleted = pod.deleted or self._world.now
        if pod.started is None:
            del self._world.pods[name]

    def _patch_trial(self, name: str, status: Body, version: str) -> Body:
        trial = self._found(self._world.trials, name)
        before = copy.deepcopy(trial.get("status") or {})
        versions = self._world.versions
        self._patch(trial, status, version)
        if self._world.versions != versions:
            self._judge(name, before, trial["status"])
        return cast("Body", trial)

    def _patch_job(self, status: Body, version: str) -> Body:
        job = self._world.job
        before = copy.deepcopy(job.get("status") or {})
        self._patch(job, status, version)
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
        return job

    def _judge(self, name: str, before: Body, after: Body) -> None:
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
            allowed = self._read_job["spec"]["retry"]["maxAttempts"]
            assert not failures or after["failures"] >= allowed, "given up with attempts left"
            assert retries == 0
        elif retries and not disruptions + failures + resumed:
            spec = self._read_job["spec"]
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
            self._check_may_start(self._world.trials[name])
            limit = self._read_job["spec"]["limits"]["maxTrials"]
            tried = sum("confirms" not in trial["spec"] for trial in self._world.trials.values())
            assert tried >= limit, "resumed or given up while new trials were to be started"
        assert after.get("resumptions", 0) <= 1, "resumed too often"
        assert after.get("repeatedEpochs", 0) >= before.get("repeatedEpochs", 0)

    def _was_silent(self, pod: str) -> bool:
        """Whether nothing that it reported had been scraped by its deadline."""
        deadline = parse_duration(self._read_job["spec"]["metrics"]["startDeadline"])
        first = self._world.first_scraped.get(pod)
        return first is None or first - self._world.started[pod] >= deadline

    def _patch(self, body: Body, status: Body, version: str) -> Body:
        if body["metadata"]["resourceVersion"] != version:
            raise ApiError(ErrorKind.CONFLICT, "the object has been modified")
        merged = merge_patch(body.get("status") or {}, status)
        if merged != body.get("status"):
            body["status"] = merged
            self._world.touch(body)
        return body


class Inline(ThreadPoolExecutor):
    """Works at once and in no thread, so that a history is the same each time."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except ValueError as error:
            future.set_exception(error)
        return future


def new_runner() -> asyncio.Runner:
    """A loop in which nothing happens at the same time."""
    runner = asyncio.Runner()
    runner.get_loop().set_default_executor(Inline())
    return runner


class InstantSuggester:
    """Draws at random without a thread, so that a history is the same each time; sometimes it takes until later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: SuggestRequest | None = None

    def prepare(self, _job: JobKey, request: SuggestRequest) -> None:
        """As `Suggester.prepare`."""
        if not self._world.suggests_slowly:
            self._asked = request

    def take(self, _job: JobKey, request: SuggestRequest) -> tuple[Suggestion, ...]:
        """As `Suggester.take`: what was asked for before."""
        asked, self._asked = self._asked, request
        if asked is None or asked.numbers[0] != request.numbers[0]:
            return ()
        self._asked = None
        return tuple(item for item in _draw(asked) if item.number in request.numbers)

    def drop(self, _job: JobKey) -> None:
        """As `Suggester.drop`."""
        self._asked = None

    forget = drop


class SimulatedOperator:
    """One process of the operator: what it remembers dies with it."""

    def __init__(self, world: World, runner: asyncio.Runner) -> None:
        self.connection = Connection(world)
        cluster = cast("Cluster", self.connection)
        self._runner, self._world = runner, world
        prometheus = cast("Prometheus", FakePrometheus(world))
        self._poller = MetricsPoller(prometheus, 2.0, 300.0, lambda _: None, lambda: world.now)
        self.recorder = EventRecorder(cluster)
        self.is_live, self.hearing = True, "all"
        self.store = Store(cluster, lambda *_: self.is_live)
        self._heard: dict[str, dict[str, Body]] = {TRIALS: {}, PODS: {}}
        self._unheard: list[tuple[str, str, Body]] = []
        suggester = cast("Suggester", InstantSuggester(world))
        self.reconciler = Reconciler(self.store, self._poller, suggester, self.recorder, clock=lambda: world.now)

    def hear(self) -> None:
        """Have the watches tell what has changed since they were asked last: all of it, or less, later or never."""
        for kind, before in self._heard.items():
            now = {body["metadata"]["uid"]: body for body in self._world.listed(kind).items}
            for uid, body in now.items():
                if uid not in before or before[uid]["metadata"] != body["metadata"]:
                    self._unheard.append((kind, "MODIFIED" if uid in before else "ADDED", body))
            for uid in before.keys() - now.keys():
                self._world.versions += 1
                metadata = before[uid]["metadata"] | {"resourceVersion": str(self._world.versions)}
                self._unheard.append((kind, "DELETED", before[uid] | {"metadata": metadata}))
            self._heard[kind] = now
        if self.hearing == "late":
            return
        events, self._unheard = self._unheard, []
        if self.hearing == "gap":
            self.resync()
        if self.hearing in {"gap", "never"}:
            return
        if self.hearing == "one":
            events, self._unheard = events[:1], events[1:]
        for event in reversed(events) if self.hearing == "backwards" else events:
            self.store.heard(*copy.deepcopy(event))

    def resync(self) -> None:
        """Have the next pass look at everything."""
        self.store.doubt_job(KEY)

    def reconcile(self, fault: Fault | None = None) -> bool:
        """Run one pass, which may fail; False when the process has died of it."""
        self.hear()
        self.connection.expect(fault)
        try:
            self._runner.run(self.make_pass())
        except Crash:
            return False
        return True

    def poll(self) -> None:
        """Ask Prometheus, if any Pod is of interest."""
        if self._poller._interests:
            self._runner.run(self._poller.poll(KEY.namespace))

    async def make_pass(self) -> None:
        """One pass, which may fail."""
        try:
            await self.reconciler.reconcile(KEY)
        except ApiError as error:
            gone = error.kind is ErrorKind.NOT_FOUND and self._world.deleted
            if error.kind not in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT} and not gone:
                raise
        await self.recorder.drain()


def _record(status: Body) -> Body:
    """What stays as it is once a job has ended: not whether an edit was seen and understood."""
    conditions = [item for item in status["conditions"] if item["type"] != "Reconciled"]
    return status | {"observedGeneration": 0, "conditions": conditions}


def searched(trials: Mapping[str, Body]) -> list[Body]:
    """The trials of the search."""
    return [trial for trial in trials.values() if "confirms" not in trial["spec"]]


def repetitions_of(trials: Mapping[str, Body], number: int) -> list[Body]:
    """The trials that repeat one, less those that were stopped."""
    found = [trial for trial in trials.values() if trial["spec"].get("confirms") == number]
    return [trial for trial, phase in zip(found, phases(found), strict=True) if phase != "Stopped"]


def _worth(trial: Body) -> tuple[float, int]:
    """By what a trial of the search is ranked: the more, the better."""
    status = trial.get("status") or {}
    value = float(status.get("objective", "NaN"))
    known = status.get("objectiveStatus") == "Succeeded" and value == value  # noqa: PLR0124 - NaN
    return value if known else float("-inf"), -trial["spec"]["number"]


def merge_patch(old: Body, patch: Body) -> Body:
    """Apply a JSON merge patch (RFC 7386)."""
    merged = dict(old)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            known = merged.get(name)
            merged[name] = merge_patch(known if isinstance(known, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def new_job(seed: int, limits: Mapping[str, int], target: float | None, rule: str, *, dry_run: bool = False) -> Body:
    """A job as the API server stores it; the rule `Pause` is `Auto` with pauses."""
    pauses = rule == "Pause"
    median = {"quantile": 0.5, "minCompletedTrials": 1, "minEpochs": 1, "minProgress": 0.0}
    stopping: Body = {"type": "Auto" if pauses else rule, "dryRun": dry_run and not pauses, "pause": pauses} | (
        {"median": median} if rule == "Median" else {}
    )
    objective: Body = {"metric": METRIC, "goal": "Maximize"} | ({"target": target} if target is not None else {})
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": "uid-job",
            "generation": 1,
            "resourceVersion": "0",
        },
        "spec": {
            "strategy": "Random",
            "seed": seed,
            "objective": objective,
            "parameters": [{"name": "lr", "continuous": {"min": 1e-5, "max": 1.0, "scale": "Log"}}],
            "limits": dict(limits),
            "earlyStopping": stopping,
            "retry": {"maxAttempts": 1},
            "suspend": False,
            "suspendPolicy": "Drain",
            "stop": False,
            "checkpointDir": "/checkpoints",
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "train",
                            "image": "trainer",
                            "volumeMounts": [{"name": "kept", "mountPath": "/checkpoints"}],
                        }
                    ],
                    "volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}],
                }
            },
        },
    }


def phases(trials: Iterable[Body]) -> list[str]:
    """The recorded phases of trials."""
    return [(trial.get("status") or {}).get("phase", "Pending") for trial in trials]
