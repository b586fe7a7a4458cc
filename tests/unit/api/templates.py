"""A job's template, and the Pod that is built of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.builders import job, trial
from tuning_operator.api.pods import build_pod
from tuning_operator.core.space import Categorical, Continuous, Integer, Space

SPACE = Space((Continuous("lr", 0.0, 1.0), Integer("batch", 16, 64), Categorical("optimizer", ("sgd", "adam"))))
JOB = job(space=SPACE, static={"epochs": "10"})
TRIAL = replace(trial(3), parameters={"lr": 1e-5, "batch": 32, "optimizer": "adam"})


def template(**container: Any) -> dict[str, Any]:
    """A template with one container that has these fields."""
    return {"spec": {"containers": [{"name": "train", "image": "x"} | container]}}


def build(given: dict[str, Any]) -> dict[str, Any]:
    return build_pod(JOB, given, TRIAL)


def training(pod: dict[str, Any], name: str = "train") -> dict[str, Any]:
    return next(item for item in pod["spec"]["containers"] if item["name"] == name)


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in training(pod)["env"]}
