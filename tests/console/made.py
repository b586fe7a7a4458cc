"""The objects of a made-up job: what the operator, the kubelet and the API server would have written into each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

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


def trial_of(
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
        "display": f"{values[-1]:.6g}",
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


def job_of(plan: Plan, trials: list[Body], start: datetime, now: datetime) -> Body:
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


def events_of(plan: Plan, trials: list[Body]) -> Iterator[Body]:
    for trial in trials:
        name, status = trial["metadata"]["name"], trial["status"]
        yield _event(plan, f"{name}.start", status["startTime"], "TrialCreated", f"{name} (Random): drawn at random")
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


def pod_of(plan: Plan, trial: Body) -> Body:
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
