"""Jobs as the operator would have left them, made up with a seed: for looking at the console and for its tests."""

from __future__ import annotations

import json
import math
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "tuning-operator.dev"
API_VERSION = f"{GROUP}/v1alpha1"
METRIC = "validation:accuracy"
Body = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a job is to look like.

    Attributes:
        name: the job's.
        trials: how many.
        epochs: of a whole training.
        parallel: slots.
        running: trials that still run, the last ones.
        early_stopped: how many were stopped early.
        failed: numbers of the trials that failed.
        epoch_seconds: how long an epoch takes.
        seed: of everything that is random.
        status: more of the job's status, or other than usual.
        spec: more of the job's specification.
    """

    name: str = "fashion"
    trials: int = 20
    epochs: int = 30
    parallel: int = 2
    running: int = 2
    early_stopped: int = 5
    failed: tuple[int, ...] = (8,)
    epoch_seconds: float = 21.0
    seed: int = 7
    status: Body = field(default_factory=dict)
    spec: Body = field(default_factory=dict)


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
        made.trials.append(_trial(plan, index, drawn[index], curves, times, index in stopped))
    made.job = _job(plan, made.trials, start, now)
    made.events = list(_events(plan, made.trials))
    made.pods = [
        pod
        for trial in made.trials
        if trial["status"]["phase"] in ("Running", "Completed", "Failed")
        for pod in [_pod(plan, trial)]
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


def _trial(
    plan: Plan,
    index: int,
    parameters: dict[str, str],
    curves: list[list[float]],
    times: tuple[datetime, datetime | None],
    stopped: bool,
) -> Body:
    number, values = index + 1, curves[index]
    failed, running = number in plan.failed, times[1] is None
    phase = "Running" if running else "Failed" if failed else "EarlyStopped" if stopped else "Completed"
    status: Body = {
        "phase": phase,
        "attempt": 2 if number == 6 else 1,
        "startTime": _time(times[0]),
        "objective": f"{values[-1]:.6f}",
        "objectiveStatus": "Pending" if running else "Failed" if failed else "Succeeded",
        "epochs": len(values),
        "curve": {"epochs": list(range(1, len(values) + 1)), "values": [f"{value:.6f}" for value in values]},
    }
    if number == 6:
        status |= {"disruptions": 1, "attemptTime": _time(times[0] - timedelta(seconds=9))}
    if times[1] is not None:
        seconds = int((times[1] - times[0]).total_seconds())
        status |= {"completionTime": _time(times[1]), "trainingSeconds": seconds}
        last = len(values)
        status["metrics"] = [
            {"name": METRIC, "epoch": last, "value": f"{values[-1]:.6f}"},
            {"name": "validation:loss", "epoch": last, "value": f"{1.4 * (1 - values[-1]) + 0.08:.6f}"},
            {"name": "train:loss", "epoch": last, "value": f"{1.2 * (1 - values[-1]):.6f}"},
        ]
    if stopped:
        rivals = sorted(curve[len(values) - 1] for curve in curves[:index] if len(curve) >= len(values))
        threshold = max(values[-1] + 0.012, rivals[len(rivals) // 2] - 0.01)
        message = (
            f"epoch {len(values)}: {values[-1]:.4f} is expected to reach at most {threshold - 0.006:.4f}, which is "
            f"below {threshold:.4f}, what it takes to be of use, as {len(rivals)} trials that are further have shown"
        )
        decision = {"reason": "OutOfReach", "epoch": len(values), "value": f"{values[-1]:.6f}"}
        status["stopDecision"] = {**decision, "threshold": f"{threshold:.6f}", "message": message}
        status |= {"reason": "OutOfReach", "message": message}
    if failed:
        status |= {
            "reason": "OOMKilled",
            "message": "the training container ran out of memory (exit code 137) in epoch 7",
        }
        status |= {"failures": 1}
    source = "Sobol" if number <= 6 else "Model"
    return {
        "apiVersion": API_VERSION,
        "kind": "TuningTrial",
        "metadata": {
            "name": f"{plan.name}-{number:04d}",
            "labels": {f"{GROUP}/job": plan.name, "app.kubernetes.io/managed-by": "tuning-operator"},
            "annotations": {
                f"{GROUP}/suggestion-source": source,
                **({f"{GROUP}/expected-gain": f"{0.4 / number:.3f}"} if source == "Model" else {}),
            },
        },
        "spec": {"number": number, "parameters": parameters, "seed": 1000 + number},
        "status": status,
    }


def _job(plan: Plan, trials: list[Body], start: datetime, now: datetime) -> Body:
    of = [trial["status"] for trial in trials]
    phases = [status["phase"] for status in of]
    known = [trial for trial in trials if trial["status"]["phase"] in ("Completed", "EarlyStopped")]
    best = max(known, key=lambda trial: float(trial["status"]["objective"]), default=None)
    short = [status for status in of if status["phase"] == "EarlyStopped"]
    saved = int(sum(plan.epochs - status["epochs"] for status in short))
    done = plan.running == 0
    condition = {"lastTransitionTime": _time(start), "observedGeneration": 1}
    status: Body = {
        "phase": "Completed" if done else "Running",
        "startTime": _time(start),
        "progress": f"{plan.trials - plan.running}/{plan.trials}",
        "trialCounts": {
            "pending": 0,
            "running": phases.count("Running"),
            "completed": phases.count("Completed"),
            "earlyStopped": phases.count("EarlyStopped"),
            "stopped": 0,
            "failed": phases.count("Failed"),
        },
        "totalTrainingSeconds": sum(status.get("trainingSeconds", 0) for status in of),
        "idleSeconds": 41,
        "conditions": [
            {
                **condition,
                "type": "TemplateValid",
                "status": "True",
                "reason": "Accepted",
                "message": "the API server accepts the Pod template",
            },
            {
                **condition,
                "type": "MetricsAvailable",
                "status": "True",
                "reason": "Answered",
                "message": "Prometheus answers",
            },
            {
                **condition,
                "type": "QuotaExceeded",
                "status": "False",
                "reason": "WithinQuota",
                "message": "no Pod waits for quota",
            },
            {
                **condition,
                "type": "Reconciled",
                "status": "True",
                "reason": "Reconciled",
                "message": "nothing is in the way",
            },
        ],
        "suggestion": {"trial": plan.trials, "source": "Model", "expectedGain": "0.021", "message": "from 18 results"},
    }
    if short:
        message = (
            f"{len(short)} trials were stopped after fewer epochs than the {plan.epochs} that completed trials had"
        )
        status["earlyStopping"] = {
            "stopped": len(short),
            "epochsSaved": saved,
            "secondsSaved": int(saved * plan.epoch_seconds),
            "message": message,
        }
    if best is not None:
        status["bestTrial"] = {
            "name": best["metadata"]["name"],
            "objective": best["status"]["objective"],
            "epoch": best["status"]["epochs"],
            "parameters": best["spec"]["parameters"],
        }
    if done:
        end = max((status["completionTime"] for status in of), default=_time(now))
        status |= {"completionTime": end, "completionReason": "MaxTrialsReached"}
        status["conditions"].append(
            {
                **condition,
                "type": "Complete",
                "status": "True",
                "reason": "MaxTrialsReached",
                "message": "all trials have run",
            }
        )
    return {
        "apiVersion": API_VERSION,
        "kind": "HyperparameterTuningJob",
        "metadata": {"name": plan.name},
        "spec": {
            "strategy": "Bayesian",
            "seed": plan.seed,
            "objective": {"metric": METRIC, "goal": "Maximize"},
            "parameters": [
                {"name": "learning_rate", "continuous": {"min": 0.00001, "max": 1.0, "scale": "Log"}},
                {"name": "mini_batch_size", "integer": {"min": 16, "max": 128}},
                {"name": "dropout", "continuous": {"min": 0.0, "max": 0.6}},
                {"name": "optimizer", "categorical": {"values": ["sgd", "adam", "rmsprop", "nag"]}},
            ],
            "staticParameters": {"epochs": str(plan.epochs)},
            "limits": {"maxTrials": plan.trials, "maxParallelTrials": plan.parallel, "maxFailedTrials": 3},
            "earlyStopping": {"type": "Auto"},
            "template": {"spec": {"containers": [{"name": "training", "image": "registry.example.com/trainer:1"}]}},
            **plan.spec,
        },
        "status": status | plan.status,
    }


def _events(plan: Plan, trials: list[Body]) -> Iterator[Body]:
    for trial in trials:
        name, status = trial["metadata"]["name"], trial["status"]
        yield _event(plan, f"{name}.start", status["startTime"], "TrialStarted", f"{name}: attempt 1 trains")
        if status.get("disruptions"):
            yield _event(
                plan,
                f"{name}.gone",
                status["attemptTime"],
                "Disrupted",
                f"{name}: its node was drained; it is tried again",
                "Warning",
            )
        if "completionTime" in status:
            reason = {"EarlyStopped": "TrialEarlyStopped", "Failed": "TrialFailed"}.get(
                status["phase"], "TrialCompleted"
            )
            said = status.get("message") or f"completed with {status['objective']}"
            kind = "Warning" if status["phase"] == "Failed" else "Normal"
            yield _event(plan, f"{name}.end", status["completionTime"], reason, f"{name}: {said}", kind)


def _event(plan: Plan, name: str, time: str, reason: str, message: str, kind: str = "Normal") -> Body:
    regarding = {"apiVersion": API_VERSION, "kind": "HyperparameterTuningJob", "name": plan.name}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{plan.name}.{name}"},
        "involvedObject": regarding,
        "eventTime": time.replace("Z", ".000000Z"),
        "firstTimestamp": None,
        "lastTimestamp": None,
        "reportingComponent": f"{GROUP}/operator",
        "reportingInstance": "seed",
        "action": reason,
        "reason": reason,
        "message": message,
        "type": kind,
    }


def _pod(plan: Plan, trial: Body) -> Body:
    name, status = trial["metadata"]["name"], trial["status"]
    begin, end = status["startTime"], status.get("completionTime")
    code = 137 if status["phase"] == "Failed" else 0
    over = {
        "terminated": {
            "exitCode": code,
            "reason": "OOMKilled" if code else "Completed",
            "startedAt": begin,
            "finishedAt": end,
        }
    }
    state = {"running": {"startedAt": begin}} if end is None else over
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{status['attempt']}",
            "labels": {
                f"{GROUP}/job": plan.name,
                f"{GROUP}/trial": name,
                "app.kubernetes.io/managed-by": "tuning-operator",
            },
        },
        "spec": {
            "containers": [{"name": "training", "image": "registry.example.com/trainer:1"}],
            "restartPolicy": "Never",
        },
        "status": {
            "phase": "Running" if end is None else "Failed" if code else "Succeeded",
            "startTime": begin,
            "conditions": [
                {
                    "type": kind,
                    "status": "True" if end is None or kind != "Ready" else "False",
                    "lastTransitionTime": begin,
                }
                for kind in ("PodScheduled", "Initialized", "Ready")
            ],
            "containerStatuses": [
                {
                    "name": "training",
                    "image": "trainer",
                    "imageID": "",
                    "ready": end is None,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        },
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
