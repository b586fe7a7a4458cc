"""Jobs as the operator would have left them, made up with a seed: for looking at the console and for its tests."""

from __future__ import annotations

import json
import math
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cluster.api import Api
from tests.console.made import API_VERSION, GROUP, Body, Plan, events_of, job_of, pod_of, trial_of


@dataclass
class Made:
    """A made-up job and what belongs to it, before the API server has given uids."""

    job: Body
    trials: list[Body]
    events: list[Body]
    pods: list[Body]


def make(plan: Plan, now: datetime | None = None) -> Made:
    """Make up a job; the same plan at the same time gives the same job."""
    now = now or datetime.now(UTC).replace(microsecond=0)
    chance = random.Random(plan.seed)
    drawn = [_parameters(chance) for _ in range(plan.trials)]
    curves = [_curve(parameters, plan.epochs, chance) for parameters in drawn]
    ended = range(plan.trials - plan.running)
    weakest = sorted(
        (index for index in ended if index >= 3 and index + 1 not in plan.failed), key=lambda i: curves[i][-1]
    )
    stopped = set(weakest[: plan.early_stopped])
    made = Made({}, [], [], [])
    slots = [timedelta(0)] * plan.parallel
    spans: list[tuple[timedelta, timedelta | None]] = []
    for index in range(plan.trials):
        slot = min(range(plan.parallel), key=slots.__getitem__)
        begin = slots[slot] + timedelta(seconds=chance.uniform(4, 14))
        epochs = _epochs(index, plan, stopped, chance)
        end = begin + timedelta(seconds=epochs * plan.epoch_seconds * chance.uniform(0.95, 1.08))
        slots[slot] = end
        spans.append((begin, None if index not in ended else end))
        curves[index] = curves[index][:epochs]
    start = now - max(begin for begin, _ in spans) - timedelta(seconds=plan.epochs * plan.epoch_seconds * 0.55)
    for index in range(plan.trials):
        begin, over = spans[index]
        times = (start + begin, start + over if over is not None else None)
        made.trials.append(trial_of(plan, index, drawn[index], curves, times, index in stopped))
    made.job = job_of(plan, made.trials, start, now)
    made.events = list(events_of(plan, made.trials))
    made.pods = [
        pod
        for trial in made.trials
        if trial["status"]["phase"] in ("Running", "Completed", "Failed")
        for pod in [pod_of(plan, trial)]
    ][-6:]
    return made


def put(api: Api, namespace: str, made: Made, workers: int = 8) -> str:
    """Create all of it on an API server; returns the job's uid."""
    jobs, trials = (f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}" for plural in ("tuningjobs", "tuningtrials"))
    uid = _create(api, jobs, made.job)["metadata"]["uid"]
    owner = _owner("HyperparameterTuningJob", made.job["metadata"]["name"], uid)

    def create(trial: Body) -> str:
        trial["metadata"]["ownerReferences"] = [owner]
        return str(_create(api, trials, trial)["metadata"]["uid"])

    with ThreadPoolExecutor(workers) as pool:
        uids = dict(
            zip((trial["metadata"]["name"] for trial in made.trials), pool.map(create, made.trials), strict=True)
        )
    for pod in made.pods:
        trial = pod["metadata"]["labels"][f"{GROUP}/trial"]
        pod["metadata"]["ownerReferences"] = [_owner("TuningTrial", trial, uids[trial])]
        _create(api, f"/api/v1/namespaces/{namespace}/pods", pod)
    for event in made.events:
        body = {**event, "metadata": {**event["metadata"], "namespace": namespace}}
        body["involvedObject"] = {**event["involvedObject"], "namespace": namespace, "uid": uid}
        api.call("POST", f"/api/v1/namespaces/{namespace}/events", body)
    return uid


def set_status(api: Api, namespace: str, plural: str, name: str, status: Body) -> None:
    """Change fields of a status, as the operator would."""
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}/{name}/status"
    api.call("PATCH", path, {"status": status}, kind="application/merge-patch+json")


def _create(api: Api, path: str, body: Body) -> Body:
    created: Body = api.call("POST", path, {name: value for name, value in body.items() if name != "status"})
    status = {"status": body["status"]}
    api.call("PATCH", f"{path}/{body['metadata']['name']}/status", status, kind="application/merge-patch+json")
    return created


def _owner(kind: str, name: str, uid: str) -> Body:
    version = API_VERSION
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _parameters(chance: random.Random) -> dict[str, str]:
    return {
        "learning_rate": f"{10 ** chance.uniform(-4.6, -0.3):.6g}",
        "mini_batch_size": str(chance.randint(16, 128)),
        "dropout": f"{chance.uniform(0, 0.6):.4f}",
        "optimizer": chance.choice(["sgd", "adam", "rmsprop", "nag"]),
    }


def _curve(parameters: dict[str, str], epochs: int, chance: random.Random) -> list[float]:
    """A curve that rises and levels off; how high says how well the parameters fit."""
    distance = abs(math.log10(float(parameters["learning_rate"])) + 2.1)
    level = 0.915 - 0.055 * distance**1.7 - 0.05 * abs(float(parameters["dropout"]) - 0.2)
    level += {"adam": 0.012, "nag": 0.006, "sgd": 0.0, "rmsprop": -0.01}[parameters["optimizer"]]
    level = max(0.32, level + chance.gauss(0, 0.006))
    pace = max(1.5, (2.5 + 1.6 * distance) * epochs / 30)
    first = 0.1 + chance.uniform(0, 0.22) * level
    noise = 0.0
    values = []
    for epoch in range(1, epochs + 1):
        noise = 0.55 * noise + chance.gauss(0, 0.005)
        values.append(min(0.999, max(0.05, level - (level - first) * math.exp(-epoch / pace) + noise)))
    return values


def _epochs(index: int, plan: Plan, stopped: set[int], chance: random.Random) -> int:
    if index >= plan.trials - plan.running:
        return max(1, round(plan.epochs * (0.55 if index % 2 else 0.3)))
    if index + 1 in plan.failed:
        return max(1, plan.epochs // 5)
    return chance.randint(max(2, plan.epochs // 6), max(3, plan.epochs // 3)) if index in stopped else plan.epochs


GALLERY = [
    Plan(),
    Plan("caltech-resnet", trials=20, epochs=10, running=0, early_stopped=6, failed=(), epoch_seconds=64, seed=3),
    Plan(
        "transformer-lr",
        trials=42,
        epochs=40,
        parallel=4,
        running=4,
        early_stopped=14,
        failed=(11, 30),
        epoch_seconds=95,
        seed=5,
    ),
    Plan(
        "tabular-gbm",
        trials=12,
        epochs=24,
        running=2,
        early_stopped=2,
        failed=(),
        epoch_seconds=8,
        seed=11,
        status={"phase": "Suspended"},
        spec={"suspend": True},
    ),
]


def main() -> None:
    """Seed the API server of a kubeconfig: `python -m tests.console.seed KUBECONFIG NAMESPACE`."""
    api, namespace = Api(Path(sys.argv[1])), sys.argv[2]
    for plan in GALLERY:
        sys.stdout.write(json.dumps({plan.name: put(api, namespace, make(plan))}) + "\n")


if __name__ == "__main__":
    main()
