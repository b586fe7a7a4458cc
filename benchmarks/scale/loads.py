"""What can be measured: each load by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.operators import job_manifest


@dataclass(frozen=True)
class Load:
    """Jobs that start together on an empty cluster, and how their trials train.

    Attributes:
        parallel: trials of each job at a time.
        seconds: the least and the most that a training takes.
        epochs: of each training.
        strategy: of each job.
        parameters: continuous ones, to search.
        flags: of the operator, in addition to its defaults.
        kill: share of the trials that have ended when the operator is killed and started again; 0 for never.
        minutes: after which the rest is not waited for.
        finished_jobs: jobs that have ended before the operator starts.
        finished_trials: of each of those; where there are none of those, of the first job.
        finished_epochs: in the curve of each of those trials.
    """

    about: str
    jobs: int = 1
    trials: int = 1000
    parallel: int = 50
    seconds: tuple[float, float] = (5.0, 10.0)
    epochs: int = 20
    strategy: str = "Random"
    parameters: int = 1
    flags: tuple[str, ...] = ()
    kill: float = 0.0
    minutes: float = 15.0
    finished_jobs: int = 0
    finished_trials: int = 0
    finished_epochs: int = 20

    @property
    def slots(self) -> int:
        """Trials that may run at the same time."""
        return self.jobs * self.parallel

    def manifest(self, namespace: str, number: int) -> dict[str, Any]:
        """The job of a number, from 0."""
        return job_manifest(
            namespace,
            f"job{number:03d}",
            seed=number + 1,
            strategy=self.strategy,
            parameters=[
                {"name": f"x{place}", "continuous": {"min": 0.0, "max": 1.0}} for place in range(self.parameters)
            ],
            limits={"maxTrials": self.trials, "maxParallelTrials": self.parallel},
        )


LOADS = {
    "one-job": Load("one job of 1,000 trials, 50 at a time, of 5 to 10 s and 20 epochs"),
    "long-curves": Load("the same with 500 epochs a trial", epochs=500),
    "thirty-jobs": Load(
        "30 jobs, 30 trials of each at a time, of 30 to 60 s: 20 trials a second",
        jobs=30,
        trials=150,
        parallel=30,
        seconds=(30.0, 60.0),
    ),
    "three-thousand-pods": Load(
        "30 jobs, 100 trials of each at a time, of 4 to 8 minutes: 3,000 Pods, 8 trials a second",
        jobs=30,
        trials=300,
        parallel=100,
        seconds=(240.0, 480.0),
        minutes=20.0,
    ),
    "bayesian": Load(
        "one job with the model, 100 trials at a time, of 20 to 40 s; the operator is killed half way",
        parallel=100,
        seconds=(20.0, 40.0),
        strategy="Bayesian",
        parameters=3,
        kill=0.5,
    ),
    "finished-jobs": Load(
        "a start beside 200 jobs of 100 trials that have ended, and a new job",
        trials=4,
        parallel=2,
        finished_jobs=200,
        finished_trials=100,
    ),
    "many-epochs": Load(
        "a job of 1,000 trials of 1,000 epochs, of which the last 20 train",
        trials=1000,
        parallel=4,
        finished_trials=980,
        finished_epochs=1000,
    ),
    "longest-curves": Load(
        "a job of 100 trials, 80 of which have curves of 39,999 epochs, as earlier versions kept them",
        trials=100,
        parallel=4,
        finished_trials=80,
        finished_epochs=39_999,
    ),
}
