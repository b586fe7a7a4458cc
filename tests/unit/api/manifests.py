"""Objects as the API server returns them."""

from __future__ import annotations

import copy
from typing import Any

Body = dict[str, Any]

TEMPLATE: Body = {
    "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "mine"}},
    "spec": {
        "containers": [
            {
                "name": "train",
                "image": "trainer:1",
                "args": ["--lr=$(HP_lr)"],
                "env": [{"name": "EXTRA", "value": "$(HP_lr)"}, {"name": "TUNING_JOB", "value": "forged"}],
            },
            {"name": "sidecar", "image": "sidecar:1"},
        ],
    },
}


def job_body(**spec: Any) -> Body:
    """A HyperparameterTuningJob that sets every field; `spec` replaces some of them, None removes one."""
    whole: Body = {
        "strategy": "Random",
        "seed": 7,
        "objective": {"metric": "validation:accuracy", "goal": "Minimize", "target": 0.95},
        "parameters": [
            {"name": "lr", "continuous": {"min": 0.00001, "max": 1, "scale": "Log"}},
            {"name": "batch", "integer": {"min": 16, "max": 64, "scale": "Linear"}},
            {"name": "optimizer", "categorical": {"values": ["sgd", "adam"]}},
        ],
        "staticParameters": {"epochs": "10"},
        "limits": {"maxTrials": 20, "maxParallelTrials": 2, "maxFailedTrials": 3, "maxDuration": "1h30m"},
        "earlyStopping": {
            "type": "Median",
            "dryRun": True,
            "median": {
                "statistic": "Current",
                "quantile": 0.25,
                "minCompletedTrials": 5,
                "minEpochs": 4,
                "minProgress": 0.5,
            },
        },
        "metrics": {"startDeadline": "10m"},
        "retry": {"maxAttempts": 4},
        "suspend": True,
        "suspendPolicy": "Stop",
        "stop": True,
        "completion": {
            "maxTrialsWithoutImprovement": 5,
            "improvementThreshold": 0.02,
            "onConvergence": {"tolerance": 0.005},
            "runningTrials": "Finish",
        },
        "ttlSecondsAfterFinished": 600,
        "podCleanup": "Delete",
        "nodes": 4,
        "template": copy.deepcopy(TEMPLATE),
    }
    merged = {name: value for name, value in (whole | spec).items() if value is not None}
    return {
        "apiVersion": "tuning-operator.dev/v1alpha1",
        "kind": "HyperparameterTuningJob",
        "metadata": {"name": "job", "namespace": "ns", "uid": "job-uid", "generation": 3, "resourceVersion": "42"},
        "spec": merged,
    }


def pod_body(status: Body, **metadata: Any) -> Body:
    """A Pod of a trial with two containers."""
    return {
        "metadata": {
            "name": "job-0001-2",
            "uid": "pod-uid",
            "annotations": {"example.com/team": "vision"},
            "creationTimestamp": "2026-05-04T12:00:00Z",
        }
        | metadata,
        "spec": {"containers": copy.deepcopy(TEMPLATE["spec"]["containers"])},
        "status": status,
    }
