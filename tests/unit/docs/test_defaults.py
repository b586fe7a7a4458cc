"""Numbers that the pages quote are those of the code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import timedelta

import pytest
import yaml
from pydantic.alias_generators import to_camel, to_snake

from tests.unit.docs.pages import ROOT, blocks, section, table
from tuning_operator.api.pods import METRICS_PORT
from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.lifecycle.attempts import retry_delay
from tuning_operator.core.lifecycle.completion import LOW_GAINS
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs
from tuning_operator.core.model.job import CompletionReason
from tuning_operator.core.model.spec import Criteria
from tuning_operator.core.model.trial import Trial, TrialPhase, TrialStatus
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.suggest import Source
from tuning_operator.core.suggest.start import RELATED_START, START
from tuning_operator.runtime.prometheus.interest import MAX_WINDOW
from tuning_operator.runtime.settings import Settings
from tuning_trainer.reporting import DEFAULT_FINISH_TIMEOUT, EXIT_TERMINATED, FAILED_SECONDS
from tuning_trainer.termination import MAX_BYTES

DOCS = ROOT / "docs"
KNOBS = {to_camel(name): value for name, value in asdict(MedianKnobs()).items()}


def test_the_knobs_of_the_median_rule() -> None:
    page = section((DOCS / "early-stopping.md").read_text(), "## `Median`")
    assert {name: default for name, default, *_ in table(page)} == {name: str(value) for name, value in KNOBS.items()}
    examples = [yaml.safe_load(block.text) for block in blocks(DOCS / "early-stopping.md", "yaml")]
    assert {"earlyStopping": {"type": "Median", "median": KNOBS}} in examples


def test_the_charts_settings_are_the_operators() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "tuning-operator" / "values.yaml").read_text())["settings"]
    operator = asdict(Settings(namespaces=(), prometheus_url=""))
    operator["sidecar_resources"] = json.loads(operator["sidecar_resources"])
    assert chart == {name: operator[to_snake(name)] for name in chart}


def test_the_sources_of_suggestions() -> None:
    page = section((DOCS / "suggestions.md").read_text(), "## Where a suggestion came from")
    assert [source for source, _ in table(page)] == list(Source)


def test_the_length_of_the_start() -> None:
    page = " ".join((DOCS / "suggestions.md").read_text().split())
    assert f"until {START} trials have ended with a finite objective" in page
    assert RELATED_START == 2, "docs/warm-start.md and decision 0004 say two"


@pytest.mark.parametrize("kind", [EarlyStoppingType.AUTO, EarlyStoppingType.MEDIAN])
def test_the_decisions_that_are_shown(kind: EarlyStoppingType) -> None:
    page = DOCS / "early-stopping.md"
    curves = next(found for block in blocks(page, "yaml") if "running" in (found := yaml.safe_load(block.text)))
    trials = [
        Trial(name, number, {}, seed=0, status=TrialStatus(phase=phase, curve=Curve.of(enumerate(values, start=1))))
        for part, phase in (("completed", TrialPhase.COMPLETED), ("running", TrialPhase.RUNNING))
        for number, (name, values) in enumerate(curves[part].items(), start=1)
    ]
    decision = rule_for(EarlyStopping(kind), Goal.MAXIMIZE, trials)(trials[-1])
    assert decision is not None
    assert f"| `{kind}` | `{decision.reason}`: {decision.message} |" in page.read_text()


def test_the_bounds_of_the_contract() -> None:
    page = (DOCS / "metrics-contract.md").read_text()
    quoted = [
        f"`metrics`, {METRICS_PORT}",
        f"from 0 to {MAX_EPOCH} ",
        f"keeps: {MAX_BYTES} bytes",
        f"at most {DEFAULT_FINISH_TIMEOUT:g} s (`TUNING_FINISH_TIMEOUT`)",
        f"fails waits {FAILED_SECONDS:g} s",
        f"with code {EXIT_TERMINATED}",
    ]
    assert [text for text in quoted if text not in " ".join(page.split())] == []
    assert f"at most {MAX_WINDOW.days} days" in " ".join((DOCS / "architecture.md").read_text().split())
    assert f"{MAX_EPOCH:,}" in section((DOCS / "job.md").read_text(), "## Limits")


def test_the_delays_between_attempts() -> None:
    delays = [retry_delay(disruptions) for disruptions in (1, 2, 3, 100)]
    assert delays == [timedelta(0), timedelta(seconds=10), timedelta(seconds=20), timedelta(minutes=5)]
    page = (DOCS / "trial-lifecycle.md").read_text()
    assert "further ones after 10 s, 20 s and so on up to 5 min" in " ".join(page.split())


def test_the_reasons_to_end() -> None:
    page = section((DOCS / "job-lifecycle.md").read_text(), "## When a job ends")
    assert {reason: phase for reason, _, phase in table(page)} == {reason: reason.phase for reason in CompletionReason}
    resumed = section((DOCS / "job-lifecycle.md").read_text(), "## Resuming after the end")
    (sentence,) = re.findall(r"^- (`.*) are for good;", resumed, re.MULTILINE)
    for_good = {reason for reason in CompletionReason if reason.is_for_good}
    assert set(re.findall(r"`(\w+)`", sentence)) == for_good | {
        CompletionReason.SPACE_EXHAUSTED  # an edit could, but none can change the space
    }


def test_the_defaults_of_completion() -> None:
    page = section((DOCS / "job-lifecycle.md").read_text(), "## When more trials are not worth it")
    (example,) = (block.text for block in blocks(DOCS / "job-lifecycle.md", "yaml") if block.text in page)
    documented = yaml.safe_load(example)["completion"]
    assert documented["improvementThreshold"] == Criteria().improvement_threshold
    assert f"at least {LOW_GAINS} of them have ended" in page
