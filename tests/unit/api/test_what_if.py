"""The replay, from resources: what it needs, which rules it takes, and what it returns to programs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.client.bodies import job, trial
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.rules import parse_rule
from tuning_operator.api.what_if import render, what_if
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband, MedianKnobs

HEAVY = ("torch", "botorch", "gpytorch", "kopf", "kubernetes", "aiohttp", "scipy", "prometheus_client")


def resources() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    a_job, trials = job(), [trial(1), trial(2, curve={"epochs": [1, 2, 3], "values": ["0", "0", "NaN"]})]
    a_job["metadata"] |= {"namespace": "ns"}
    for number, body in enumerate(trials, start=1):
        body["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": "1"}
        body["spec"]["seed"] = number
    return a_job, trials


def test_it_needs_neither_a_cluster_nor_torch() -> None:
    """The client's extra installs the distribution without what it takes to run the operator."""
    script = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))
import tuning_operator.api.what_if
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_resources_in_and_json_out() -> None:
    rule = {"type": "Median", "median": {"minCompletedTrials": 1, "minEpochs": 1, "minProgress": 0}}
    rendered = json.loads(json.dumps(render(what_if(*resources(), rule)), allow_nan=False))
    assert (rendered["stopped"], rendered["epochsSaved"], rendered["winnerLost"]) == (1, 2, False)
    assert rendered["best"] == {"name": "resnet-0001", "objective": "0.4"}
    assert rendered["trials"][1]["stop"] == {
        "reason": "BelowMedian",
        "message": rendered["trials"][1]["stop"]["message"],
        "epoch": 1,
        "value": "0",
        "threshold": "0.1",
    }
    assert rendered["trials"][0]["stop"] is None


@pytest.mark.parametrize(
    ("rule", "parsed"),
    [
        ({"type": "Off"}, EarlyStopping()),
        ({"type": "Auto", "dryRun": True}, EarlyStopping(EarlyStoppingType.AUTO, dry_run=True)),
        (
            {"type": "Median", "median": {"quantile": 0.3, "minEpochs": 4}},
            EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(quantile=0.3, min_epochs=4)),
        ),
        ({"type": "Hyperband", "minResource": 1, "maxResource": 9}, Hyperband(1, 9)),
    ],
)
def test_rules_are_written_as_in_a_job(rule: dict[str, Any], parsed: EarlyStopping | Hyperband) -> None:
    assert parse_rule(rule) == parsed


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "Other"}, "type: Input should be 'Off', 'Auto' or 'Median'"),
        ({"type": "Auto", "media": {}}, "media: is not a field of the rule; its fields are type, median, dryRun"),
        ({"type": "Median", "median": {"min_epochs": 3}}, "median.min_epochs: is not a field"),
        ({"type": "Median", "median": {"minEpochs": "many"}}, "median.minEpochs: Input should be a valid integer"),
        ({"type": "Median", "median": {"minProgress": 2}}, "min_progress must be from 0 to 1, not 2"),
        ({"type": "Hyperband", "minResource": 9, "maxResource": 3}, "max_resource greater than it"),
    ],
)
def test_what_is_no_rule_is_refused_by_the_fields_name(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidJobError) as refused:
        parse_rule(rule)
    assert said in str(refused.value)
