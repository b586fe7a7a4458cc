"""What is true in a simulated cluster: objects, Pods that meet with fates, measurements, and the time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.simulation.objects import EPOCHS, GRACE, KEY, METRIC, Body, copied, new_job
from tuning_operator.api import names
from tuning_operator.api.values import render_time
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.kubernetes.cluster import REDUCE, Listed
from tuning_operator.runtime.kubernetes.departed import Departed
from tuning_operator.runtime.kubernetes.store import TRIALS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


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
        body = copied(self.body)
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
        bodies = map(copied, self.trials.values()) if plural == TRIALS else map(SimulatedPod.render, self.pods.values())
        labelled = [REDUCE[plural](body) for body in bodies if names.LABEL_JOB in body["metadata"]["labels"]]
        return Listed(labelled, str(self.versions))

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
            pod.message = self.last_message(pod)

    def _succeed_unscraped(self, pod: SimulatedPod) -> None:
        self._end(pod, 0)
        self.reported[pod.name] = pod.reported
        pod.message = self.last_message(pod)

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

    def last_message(self, pod: SimulatedPod) -> str:
        """Return what a training writes when it ends: all epochs that it has reported."""
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
