"""Jobs and trials as the API server gives them, for tests of the client."""

from __future__ import annotations

from typing import Any

PARAMETERS = [
    {"name": "learning_rate", "continuous": {"min": 0.00001, "max": 1, "scale": "Log"}},
    {"name": "mini_batch_size", "integer": {"min": 16, "max": 64, "scale": "Auto"}},
    {"name": "optimizer", "categorical": {"values": ["sgd", "adam"]}},
]
CURVE = ["0.1", "0.2", "0.4"]


def job(phase: str = "Completed", **status: Any) -> dict[str, Any]:
    """A job of up to four trials."""
    return {
        "metadata": {"name": "resnet", "uid": "job-uid", "creationTimestamp": "2026-11-24T10:00:00Z"},
        "spec": {
            "strategy": "Bayesian",
            "objective": {"metric": "validation:accuracy", "goal": "Maximize", "target": 0.9},
            "parameters": PARAMETERS,
            "staticParameters": {"epochs": "3"},
            "limits": {"maxTrials": 4, "maxParallelTrials": 2},
            "earlyStopping": {"type": "Auto"},
            "completion": {"maxTrialsWithoutImprovement": 5, "improvementThreshold": 0.01, "onConvergence": {}},
            "template": {"spec": {"containers": [{"name": "training", "image": "registry.example.com/resnet:1"}]}},
        },
        "status": {
            "phase": phase,
            "startTime": "2026-11-24T10:00:05Z",
            "completionTime": "2026-11-24T10:05:05Z" if phase in {"Completed", "Failed", "Stopped"} else None,
            **status,
        },
    }


def trial(number: int, phase: str = "Completed", objective: str | None = "0.4", **status: Any) -> dict[str, Any]:
    """A trial; one that runs has started and has a curve."""
    ended = phase in {"Completed", "EarlyStopped", "Stopped", "Failed"}
    recorded = {
        "phase": phase,
        "startTime": f"2026-11-24T10:0{number}:00Z",
        "completionTime": f"2026-11-24T10:0{number}:30Z" if ended else None,
        "trainingSeconds": 25 if ended else None,
        "objective": objective,
        "objectiveEpoch": None if objective is None else 3,
        "objectiveStatus": "Pending" if not ended else "Failed" if phase == "Failed" else "Succeeded",
        "curve": {"epochs": [1, 2, 3], "values": CURVE},
        **status,
    }
    return {
        "metadata": {
            "name": f"resnet-{number:04d}",
            "creationTimestamp": f"2026-11-24T10:0{number}:00Z",
            "ownerReferences": [{"uid": "job-uid"}],
        },
        "spec": {
            "number": number,
            "parameters": {"learning_rate": f"0.00{number}", "mini_batch_size": "32", "optimizer": "adam"},
        },
        "status": {key: value for key, value in recorded.items() if value is not None},
    }


class FakeSession:
    """Answers with what it was given; an exception in the place of a job is raised. The last answer is repeated."""

    def __init__(self, *jobs: dict[str, Any] | Exception, trials: list[dict[str, Any]] | None = None) -> None:
        self._jobs = list(jobs)
        self._trials = trials or []
        self.created: list[dict[str, Any]] = []
        self.patches: list[tuple[str, dict[str, Any]]] = []

    def job(self, _name: str) -> dict[str, Any]:
        answer = self._jobs.pop(0) if len(self._jobs) > 1 else self._jobs[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def trials(self, _job: dict[str, Any]) -> list[dict[str, Any]]:
        return self._trials

    def trial(self, name: str) -> dict[str, Any]:
        return next(item for item in self._trials if item["metadata"]["name"] == name)

    def create_job(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self.created.append(manifest)
        return manifest

    def patch_job(self, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self.patches.append((name, patch))
        return {}
