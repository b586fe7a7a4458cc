"""The definitions themselves: documented, bounded, and in step with the operator's own types and defaults."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.api.conftest import CRDS
from tuning_operator.api import names
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs, Statistic
from tuning_operator.core.model.job import CompletionReason, JobPhase
from tuning_operator.core.model.spec import Limits, PodCleanup, RunningTrials, Strategy, SuspendPolicy
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.space import Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.api


def definition(plural: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
    return body


def schema(plural: str) -> dict[str, Any]:
    (version,) = definition(plural)["spec"]["versions"]
    whole: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return whole


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema's nodes below one, each with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}.*")


def at(plural: str, path: str) -> dict[str, Any]:
    return dict(nodes(schema(plural), ""))[path]


@pytest.mark.parametrize("plural", [names.JOB_PLURAL, names.TRIAL_PLURAL])
def test_every_field_is_described(plural: str) -> None:
    silent = [
        path
        for path, node in nodes(schema(plural), "")
        if path not in {".metadata", ".metadata.name"} and len(node.get("description", "")) < len("The value.")
    ]
    assert silent == []


@pytest.mark.parametrize("plural", [names.JOB_PLURAL, names.TRIAL_PLURAL])
def test_every_list_text_and_map_of_a_spec_is_bounded(plural: str) -> None:
    bounds = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, node in nodes(schema(plural)["properties"]["spec"], ".spec")
        if (node.get("type") in bounds and bounds[node["type"]] not in node and "enum" not in node)
        or ("additionalProperties" in node and "maxProperties" not in node)
    ]
    assert unbounded == []


@pytest.mark.parametrize("plural", [names.JOB_PLURAL, names.TRIAL_PLURAL])
def test_every_rule_has_words_of_its_own(plural: str) -> None:
    rules = [rule for _, node in nodes(schema(plural), "") for rule in node.get("x-kubernetes-validations", ())]
    assert rules
    assert [rule for rule in rules if len(rule.get("message", "")) < len("is immutable: create a new job")] == []


def test_kinds_and_names_are_those_that_the_operator_uses() -> None:
    for kind, plural in ((names.JOB_KIND, names.JOB_PLURAL), (names.TRIAL_KIND, names.TRIAL_PLURAL)):
        spec = definition(plural)["spec"]
        assert (spec["group"], spec["names"]["kind"], spec["names"]["plural"]) == (names.GROUP, kind, plural)
        assert [version["name"] for version in spec["versions"]] == [names.VERSION]


@pytest.mark.parametrize(
    ("plural", "path", "words"),
    [
        (names.JOB_PLURAL, ".spec.strategy", (*Strategy, "Hyperband")),
        (names.JOB_PLURAL, ".spec.objective.goal", Goal),
        (names.JOB_PLURAL, ".spec.parameters[].continuous.scale", Scale),
        (names.JOB_PLURAL, ".spec.earlyStopping.type", EarlyStoppingType),
        (names.JOB_PLURAL, ".spec.earlyStopping.median.statistic", Statistic),
        (names.JOB_PLURAL, ".spec.completion.runningTrials", RunningTrials),
        (names.JOB_PLURAL, ".spec.suspendPolicy", SuspendPolicy),
        (names.JOB_PLURAL, ".spec.podCleanup", PodCleanup),
        (names.JOB_PLURAL, ".status.phase", JobPhase),
        (names.JOB_PLURAL, ".status.completionReason", CompletionReason),
        (names.TRIAL_PLURAL, ".status.phase", TrialPhase),
    ],
)
def test_words_are_those_that_the_operator_knows(plural: str, path: str, words: Iterable[str]) -> None:
    assert at(plural, path)["enum"] == list(words)


def test_defaults_are_those_of_the_operator() -> None:
    limits, stopping, knobs = Limits(max_trials=1), EarlyStopping(), MedianKnobs()
    assert at(names.JOB_PLURAL, ".spec.limits.maxParallelTrials")["default"] == limits.max_parallel_trials
    assert at(names.JOB_PLURAL, ".spec.earlyStopping.type")["default"] == stopping.type
    assert at(names.JOB_PLURAL, ".spec.earlyStopping.dryRun")["default"] == stopping.dry_run
    median = at(names.JOB_PLURAL, ".spec.earlyStopping.median")["properties"]
    assert [field["default"] for field in median.values()] == list(asdict(knobs).values())
