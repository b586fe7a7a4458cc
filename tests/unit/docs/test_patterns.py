"""Wherever a pattern is shown it is the recommended one: people copy what they see."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.unit.docs.pages import ROOT
from tuning_trainer.follow.patterns import NUMBER, Definition

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = [ROOT / "crds/tuningjobs.yaml", ROOT / "docs/metrics-sources.md", ROOT / "examples/log-file.yaml"]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_patterns_that_are_shown_know_every_number(path: Path) -> None:
    text = path.read_text()
    assert f"(?i)Validation-accuracy={NUMBER}" in text
    assert text.count("alidation-accuracy=(") == text.count(f"(?i)Validation-accuracy={NUMBER}")


@pytest.mark.parametrize(
    ("word", "value"), [("0.5", 0.5), ("-2.5E-05", -2.5e-05), (".5", 0.5), ("NaN", math.nan), ("-inf", -math.inf)]
)
def test_the_patterns_of_the_example_find_what_its_training_may_print(word: str, value: float) -> None:
    job = yaml.safe_load((ROOT / "examples/log-file.yaml").read_text())
    for item in job["spec"]["metrics"]["source"]["file"]["metricDefinitions"]:
        kind = item["name"].partition(":")[0].capitalize()
        found, problem, _ = Definition.of(item["name"], item["regex"]).find(f"Epoch[3] {kind}-accuracy={word}")
        assert found == pytest.approx(value, nan_ok=True)
        assert not problem
