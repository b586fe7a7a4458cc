"""Which jobs the experiment consists of, in which order they run, and their manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from cluster.volumes import CLAIM
from experiment.records import VARIANTS, Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from experiment.records import Stopping

EXAMPLE = Path(__file__).parents[1] / "examples" / "fashion-mnist.yaml"
REPLAY = Path(__file__).with_name("replay.py")
CURVES = Path(__file__).parents[1] / "tests" / "data" / "curves"
RECORDED = {Kind.CROSSOVER: "fashion_mnist_small", Kind.PAUSES: "fashion_mnist_schedules"}
"""What replays replay. Learning rates that warm up and decay settle ranks late, which pauses are for."""
CONFIG = "experiment-replay"
TRIALS, WORKERS = 20, 2
EPOCHS = {Kind.REFERENCE: 10, Kind.CROSSOVER: 10, Kind.PAUSES: 20}
SCRAPE_SECONDS = {Kind.REFERENCE: 1, Kind.CROSSOVER: 5, Kind.PAUSES: 1}
"""The reference's epochs of some seconds stand for such of minutes, which the usual 5 s are short for."""
FIRST_SEED = 6
"""Of the reference. Jobs with the seeds before it were looked at while `Auto` was made; the ones reported were not."""
EPOCH_SECONDS = (1.0, 3.0, 6.0)
"""Trials of about 10, 30 and 60 s."""
PAUSED_EPOCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One job; `epoch_seconds` is None where it takes as long as it takes."""

    kind: Kind
    seed: int
    stopping: Stopping
    epoch_seconds: float | None = None

    @property
    def scrape_seconds(self) -> int:
        """Between two looks of Prometheus at a Pod."""
        return SCRAPE_SECONDS[self.kind]

    @property
    def name(self) -> str:
        """The job's name."""
        length = f"-{self.epoch_seconds:g}s" if self.epoch_seconds else ""
        return f"{self.kind}-{self.seed}{length}-{self.stopping}".lower()

    def manifest(self) -> dict[str, Any]:
        """The job as the API server takes it."""
        job: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
        job["metadata"]["name"] = self.name
        job["spec"] |= {
            "strategy": "Bayesian",
            "seed": self.seed,
            "limits": {"maxTrials": TRIALS, "maxParallelTrials": WORKERS},
            "earlyStopping": self.stopping.rule,
        }
        # All images, ten times the example's: a trial takes about a minute, nearer to those that early stopping is for.
        del job["spec"]["staticParameters"]["num_training_samples"]
        if self.epoch_seconds:
            _make_replay(job["spec"], self.kind, self.epoch_seconds)
        if self.kind is Kind.PAUSES:
            _keep_checkpoints(job["spec"])
        return job


def _make_replay(spec: dict[str, Any], kind: Kind, epoch_seconds: float) -> None:
    """Turn the example into a job of replays.

    Its one hyperparameter is the number of the recorded run. Drawn at random, trials do not depend on each other's
    results: with the same seed all jobs have the same twenty curves in the same order, and differ in nothing but
    stopping and length.
    """
    spec["strategy"] = "Random"
    spec["parameters"] = [{"name": "run", "integer": {"min": 0, "max": len(curves(kind)) - 1}}]
    spec["staticParameters"] = {
        "curves": RECORDED[kind],
        "epochs": str(EPOCHS[kind]),
        "epoch_seconds": f"{epoch_seconds:g}",
    }
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    # Pods that sleep need no GPU, so that the jobs fit on the node side by side.
    container |= {
        "command": ["python", "/replay/replay.py"],
        "resources": {"requests": {"cpu": "25m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }
    container["volumeMounts"].append({"name": "replay", "mountPath": "/replay", "readOnly": True})
    pod["volumes"].append({"name": "replay", "configMap": {"name": CONFIG}})


def _keep_checkpoints(spec: dict[str, Any]) -> None:
    """Both variants keep them, so that they differ in pauses alone."""
    spec["checkpointDir"] = "/checkpoints"
    pod = spec["template"]["spec"]
    pod["containers"][0]["volumeMounts"].append({"name": CLAIM, "mountPath": "/checkpoints"})
    pod["volumes"].append({"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}})


def config_map() -> dict[str, Any]:
    """The script and the curves, for the Pods that replay them."""
    recorded = {f"{name}.json": json.dumps(curves(kind)) for kind, name in RECORDED.items()}
    data = {"replay.py": REPLAY.read_text(), **recorded}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG}, "data": data}


@cache
def curves(kind: Kind) -> list[list[float]]:
    """The recorded learning curves that an experiment replays, runs x epochs."""
    with np.load(CURVES / f"{RECORDED[kind]}.npz") as data:
        # As they were before they were stored in single precision.
        return [[round(value, 6) for value in curve] for curve in data["curves"].tolist()]


def batches(kinds: Collection[Kind], seeds: int) -> Iterator[list[Run]]:
    """The jobs, those in a list at the same time, the lists one after the other."""
    if Kind.REFERENCE in kinds:
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            # The other one first with each seed, so that a machine that becomes slower favours neither.
            order = VARIANTS[Kind.REFERENCE][:: 1 if seed % 2 else -1]
            yield from ([Run(Kind.REFERENCE, seed, stopping)] for stopping in order)
    if Kind.CROSSOVER in kinds:
        yield [
            Run(Kind.CROSSOVER, 1, stopping, seconds)
            for seconds in EPOCH_SECONDS
            for stopping in VARIANTS[Kind.CROSSOVER]
        ]
    if Kind.PAUSES in kinds:
        each = [(seed, stopping) for seed in range(1, 1 + seeds) for stopping in VARIANTS[Kind.PAUSES]]
        yield [Run(Kind.PAUSES, seed, stopping, PAUSED_EPOCH_SECONDS) for seed, stopping in each]


def remaining(planned: Iterable[list[Run]], done: Collection[str]) -> list[list[Run]]:
    """What is left of the plan when the jobs of these names are done."""
    left = ([run for run in batch if run.name not in done] for batch in planned)
    return [batch for batch in left if batch]
