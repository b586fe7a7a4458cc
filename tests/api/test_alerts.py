"""The alerts' rules by promtool: each fires on what it is about, and is quiet on what is as it should be."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.api.chart import CHART

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.api

RULES = CHART / "files" / "alerts.yaml"
GROUP = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


def buckets(name: str, **per_minute: str) -> dict[str, str]:
    """A histogram's series; buckets of which nothing is said grow by nothing."""
    return {
        f'{name}_bucket{{le="{bound.lstrip("le").replace("_", ".")}"}}': grows for bound, grows in per_minute.items()
    }


PASSES = "tuning_operator_reconcile_seconds_count"
FALLBACKS = "tuning_operator_suggestion_fallbacks_total"
ERRORS, QUESTIONS = "tuning_operator_prometheus_errors_total", "tuning_operator_prometheus_query_seconds_count"
SUGGESTION, QUERY = "tuning_operator_suggestion_seconds", "tuning_operator_prometheus_query_seconds"
REFUSED = 'tuning_operator_api_errors_total{kind="Forbidden"}'
FINE, SLOW = "0+10x150", "0x150"
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "TuningOperatorAbsent": ({"up": "1x150"}, {"tuning_operator_queue_depth": "0x150"}),
    "TuningOperatorPassesFail": (
        {f'{PASSES}{{result="Timeout"}}': "0+1x150"},
        {f'{PASSES}{{result="ok"}}': "0+9x150", f'{PASSES}{{result="Conflict"}}': "0+1x150"},
    ),
    "TuningOperatorQueueGrows": (
        {"tuning_operator_queue_depth": "21x150"},
        {"tuning_operator_queue_depth": "20x150"},
    ),
    "TuningOperatorSuggestionsSlow": (
        buckets(SUGGESTION, le10=SLOW, le30=FINE, **{"le+Inf": FINE}),
        buckets(SUGGESTION, le10=FINE, le30=FINE, **{"le+Inf": FINE}),
    ),
    "TuningOperatorSuggestionsFallBack": ({FALLBACKS: "0+0.1x150"}, {FALLBACKS: "0+0.04x150"}),
    "TuningOperatorPrometheusFails": (
        {ERRORS: "0+6x150", QUESTIONS: "0+10x150"},
        {ERRORS: "0+4x150", QUESTIONS: "0+10x150"},
    ),
    "TuningOperatorPrometheusSlow": (
        buckets(QUERY, le5=SLOW, le10=FINE, **{"le+Inf": FINE}),
        buckets(QUERY, le5=FINE, le10=FINE, **{"le+Inf": FINE}),
    ),
    "TuningOperatorForbidden": ({REFUSED: "0+1x150"}, {REFUSED: "3x150"}),
    "TuningTrialsCollecting": (
        {'tuning_operator_trials{phase="Collecting"}': "2x150"},
        {'tuning_operator_trials{phase="Collecting"}': "0x100 1x10 0x40"},
    ),
    "TuningTrialsPending": (
        {'tuning_operator_trials{phase="Pending"}': "2x150"},
        {'tuning_operator_trials{phase="Pending"}': "0x100 4x40 0x10"},
    ),
}


def test_every_alert_has_a_case() -> None:
    assert [rule["alert"] for rule in GROUP] == list(CASES)


def test_the_rules_are_prometheus_own() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is quiet"])
@pytest.mark.parametrize("rule", GROUP, ids=lambda rule: str(rule["alert"]))
def test_an_alert_fires_on_what_it_is_about_alone(rule: dict[str, Any], fires: bool, tmp_path: Path) -> None:
    series = CASES[rule["alert"]][not fires]
    kept = {"kind": "Forbidden"} if "kind=" in rule["expr"] else {}  # of the series, where nothing sums over it
    firing = {"exp_labels": {**rule["labels"], **kept}, "exp_annotations": _told(rule, series)}
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": "140m", "alertname": rule["alert"], "exp_alerts": [firing] if fires else []}],
    }
    test = tmp_path / "test.yaml"
    test.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run(["promtool", "test", "rules", str(test)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _told(rule: dict[str, Any], series: dict[str, str]) -> dict[str, str]:
    value = next(iter(series.values())).partition("x")[0]
    return {name: text.replace("{{ $value }}", value) for name, text in rule["annotations"].items()}
