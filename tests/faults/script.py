"""The scripts that are played: jobs, what their Pods do, and which job is deleted in mid-flight.

Where an outcome could depend on who is faster, a training waits for the operator: a bad one shows three epochs and
runs until it is stopped, which happens once three good ones have completed. So a run has one end state only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cluster.operators import job_manifest
from tests.faults.kubelet import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GOOD_EPOCHS = 6
"""Of a training that completes."""


@dataclass(frozen=True)
class Script:
    """What is played.

    Attributes:
        jobs: Their specifications, by name.
        train: What a Pod does, by the name of its trial and its attempt.
        evicted: Pods that the cluster evicts: nothing else may be tried again.
        doomed: The job that is deleted once all of its first Pods run.
        expected: The phases of the trials at the end.
    """

    jobs: Mapping[str, Mapping[str, Any]]
    train: Callable[[str, int], Training]
    evicted: frozenset[str] = frozenset()
    doomed: str | None = None
    expected: Mapping[str, str] = field(default_factory=dict)

    def manifest(self, namespace: str, name: str) -> dict[str, Any]:
        """A job as a user applies it."""
        return job_manifest(namespace, name, **self.jobs[name])

    def training(self, pod: str) -> Training:
        """What happens in a Pod."""
        trial, _, attempt = pod.rpartition("-")
        return self.train(trial, int(attempt))

    def parallel(self, job: str) -> int:
        """How many Pods of a job may live at once."""
        return int(self.jobs[job]["limits"]["maxParallelTrials"])


def _values(trial: str, count: int, *, good: bool) -> tuple[float, ...]:
    draw = random.Random(trial)
    level = draw.uniform(0.6, 0.9) if good else draw.uniform(0.05, 0.1)
    return tuple(round(level * epoch / GOOD_EPOCHS, 6) for epoch in range(1, count + 1))


_PAUSES: dict[int, tuple[float, ...]] = {
    1: (0.2, 0.3, 0.4, 0.5, 0.7, 0.9),
    2: (0.3, 0.4, 0.5, 0.6, 0.65, 0.7),
    3: (0.02, 0.03, 0.05, 0.4, 0.75, 0.85),
    4: (0.25, 0.35, 0.45, 0.55, 0.6, 0.65),
}
"""The first two change places late, so that the third, paused at its third epoch, may still become the best."""


def _pausing(number: int, attempt: int) -> Training:
    """Trial 3 trains until it is paused; resumed from its checkpoint, it trains to its end."""
    if (number, attempt) == (3, 1):
        return Training(_PAUSES[3][:3], exit_code=None)
    return Training(_PAUSES[number], kept=3 if attempt > 1 else 0)


_KEPT: dict[str, Any] = {
    "containers": [
        {
            "name": "training",
            "image": "example.invalid/training",
            "volumeMounts": [{"name": "kept", "mountPath": "/checkpoints"}],
        }
    ],
    "volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}],
}


def some_jobs(*, messages: bool = True) -> Script:
    """A job with early stopping, one that pauses, one with failing trials and an eviction, and one that is deleted.

    Args:
        messages: Whether all trainings leave a termination message; if not, two are known from Prometheus alone.
    """

    def train(trial: str, attempt: int) -> Training:
        job, number = trial[:-5], int(trial[-4:])
        good = Training(_values(trial, GOOD_EPOCHS, good=True))
        if job == "pauses":
            return _pausing(number, attempt)
        if job == "doomed":
            return Training(_values(trial, 2, good=True), exit_code=None)
        if job == "stops":
            return good if number <= 3 else Training(_values(trial, 3, good=False), exit_code=None)
        if number in {2, 4}:
            return Training(_values(trial, 2, good=True), exit_code=3)
        if number == 3 and attempt == 1:
            return Training(_values(trial, 2, good=True), is_evicted=True)
        return good if messages or number == 3 else Training(good.values, leaves_message=False)

    median = {"minCompletedTrials": 3, "minEpochs": 3}
    stops = {f"stops-{number:04d}": "Completed" if number <= 3 else "EarlyStopped" for number in range(1, 6)}
    fails = {f"fails-{number:04d}": "Failed" if number in {2, 4} else "Completed" for number in range(1, 6)}
    return Script(
        jobs={
            "stops": {
                "limits": {"maxTrials": 5, "maxParallelTrials": 2},
                "earlyStopping": {"type": "Median", "median": median},
            },
            "pauses": {
                "limits": {"maxTrials": 4, "maxParallelTrials": 1},
                "earlyStopping": {"type": "Auto", "pause": True},
                "checkpointDir": "/checkpoints",
                "template": {"spec": _KEPT},
            },
            "fails": {"limits": {"maxTrials": 5, "maxParallelTrials": 2, "maxFailedTrials": 3}},
            "doomed": {"limits": {"maxTrials": 4, "maxParallelTrials": 2}},
        },
        train=train,
        evicted=frozenset({"fails-0003-1"}),
        doomed="doomed",
        expected=stops | fails | {f"pauses-{number:04d}": "Completed" for number in range(1, 5)},
    )


def bayesian() -> Script:
    """A job whose suggestions depend on what was known when each was asked for."""
    limits = {"maxTrials": 10, "maxParallelTrials": 2}
    return Script(
        jobs={"model": {"strategy": "Bayesian", "limits": limits}},
        train=lambda trial, _: Training(_values(trial, GOOD_EPOCHS, good=True)),
        expected={f"model-{number:04d}": "Completed" for number in range(1, 11)},
    )
