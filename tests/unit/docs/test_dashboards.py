"""Dashboards and alerts: the committed files are those that are generated, and the alerts those that are documented."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from docs.generate_dashboards import dashboards
from tests.unit.docs.pages import ROOT, section, table
from tuning_operator.runtime import metrics
from tuning_operator.runtime.job_metrics import JobMetrics

FILES = ROOT / "charts" / "tuning-operator" / "files"
ALERTS = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
MINUTES = {"10m": "10 min", "15m": "15 min", "30m": "30 min", "1h": "1 h"}


def test_the_dashboards_are_those_that_make_dashboards_writes() -> None:
    committed = {path.name: path.read_text() for path in (FILES / "dashboards").iterdir()}
    assert committed == dashboards()


@pytest.mark.parametrize("name", ["operator.json", "job.json"])
def test_every_panel_takes_the_data_source_that_is_chosen(name: str) -> None:
    board = json.loads((FILES / "dashboards" / name).read_text())
    assert board["templating"]["list"][0]["type"] == "datasource"
    sources = [item["datasource"]["uid"] for item in (*board["panels"], *board["templating"]["list"][1:])]
    sources += [target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]]
    assert set(sources) == {"${datasource}"}
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in board["panels"])


def families() -> set[str]:
    """The names that series can have."""
    own = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
    found = [next(iter(metric.describe())) for metric in own] + list(JobMetrics().describe())
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    return {family.name + suffix for family in found for suffix in suffixes[family.type]}


def test_every_query_is_of_a_metric_that_there_is_and_each_metric_is_shown() -> None:
    boards = [json.loads((FILES / "dashboards" / name).read_text()) for name in ("operator.json", "job.json")]
    queries = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    queries += [rule["expr"] for rule in ALERTS]
    named = {name for query in queries for name in re.findall(r"tuning_operator_\w+", query)}
    assert named <= families()
    bare = {re.sub("_(bucket|count|sum)$", "", name) for name in families()} - {"tuning_operator_jobs_without_metrics"}
    assert bare == {re.sub("_(bucket|count|sum)$", "", name) for name in named}


def test_alerts_are_named_with_their_metric_and_their_time_and_no_others_are() -> None:
    page = section((ROOT / "docs" / "reference.md").read_text(), "## The operator's own metrics")
    assert sorted(re.findall(r"`(Tuning\w+)`", page)) == sorted(rule["alert"] for rule in ALERTS)
    rows = {name.partition("{")[0]: re.split(r"(?=`Tuning\w+`:)", text) for name, text in table(page)}
    for rule in ALERTS[1:]:
        (metric,) = {name for name in rows if re.sub("_total$", "", name) in rule["expr"] and named(rows[name], rule)}
        (said,) = named(rows[metric], rule)
        assert MINUTES.get(rule.get("for", ""), "") in said


def named(cells: list[str], rule: dict[str, Any]) -> list[str]:
    return [cell for cell in cells if cell.lstrip("`").startswith(rule["alert"])]


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")
