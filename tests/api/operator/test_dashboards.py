"""Each query of the dashboards and of the alerts, on a real Prometheus that scrapes an operator with a real job."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.operators import job_manifest, metrics_page, metrics_url
from cluster.prometheus import Target
from cluster.waiting import wait_until
from tests.api.chart import CHART
from tests.api.operator.trainings import rising

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

FILES = CHART / "files"


def panels() -> list[tuple[str, str]]:
    """Title and query of each panel."""
    boards = [json.loads((FILES / "dashboards" / name).read_text()) for name in ("operator.json", "job.json")]
    shown = [panel for board in boards for panel in board["panels"]]
    found = [(panel["title"], target["expr"]) for panel in shown for target in panel["targets"]]
    assert len(found) > 15
    return found


def alerts() -> list[tuple[str, str]]:
    """Name and query of each alert, up to its threshold: it is no alert's business to have fired."""
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
    return [(rule["alert"], rule["expr"].rpartition(" > ")[0]) for rule in rules if " > " in rule["expr"]]


def filled(query: str, lab: Lab) -> str:
    """The query with what Grafana puts in the places of its variables."""
    values = {"$tuning_namespace": lab.namespace, "$tuning_job": "job", "$__rate_interval": "2m"}
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_every_query_answers_after_a_job(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    address = metrics_url(lab.operator).removeprefix("http://").partition("/")[0]
    lab.prometheus.set_targets([*lab.prometheus.targets, Target(address)])

    def scraped() -> bool:
        return lab.prometheus.value("tuning_operator_queue_depth") is not None

    wait_until(scraped, "Prometheus scrapes the operator", seconds=30)
    spec: dict[str, Any] = {"strategy": "Bayesian", "earlyStopping": {"type": "Median"}}
    lab.cluster.apply(job_manifest(lab.namespace, **spec))
    lab.cluster.wait_for_phase("Completed")
    completed = f'tuning_operator_job_condition{{type="Complete",tuning_namespace="{lab.namespace}"}} == 1'
    wait_until(lambda: lab.prometheus.value(completed) is not None, "the end is scraped", seconds=30)
    questions = [(name, filled(query, lab)) for name, query in (*panels(), *alerts())]

    def silent() -> list[tuple[str, str]]:
        """As on a dashboard, which shows more than the moment: a training's own page is gone with it."""
        return [pair for pair in questions if lab.prometheus.value(f"last_over_time(({pair[1]})[10m:1s])") is None]

    wait_until(lambda: not silent(), "every query answers", seconds=30, describe=lambda: str(silent()))
    (newest,) = (query for name, query in questions if name == "Epochs of running trials")
    pods = newest.removeprefix("tuning_latest_epoch")
    scraped_epochs = f"count by (pod) (last_over_time(tuning_epoch_value{pods}[10m]))"
    epochs = lab.prometheus.value(f"max(last_over_time({newest}[10m]))")
    assert epochs is not None
    assert 1 <= epochs <= 8, "the last ones may end between two scrapes"
    assert epochs == lab.prometheus.value(f"max({scraped_epochs})"), "a page has both"
    best = lab.prometheus.value(f'tuning_operator_job_best_objective{{tuning_namespace="{lab.namespace}"}}')
    assert best == float(lab.cluster.job()["status"]["bestTrial"]["objective"])


def test_a_jobs_series_go_with_it_and_can_be_switched_off(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace))
    lab.cluster.wait_for_phase("Completed")
    completed = re.compile(r'^tuning_operator_job_trials\{.*phase="Completed".*\} 6', re.MULTILINE)
    assert completed.search(metrics_page(lab.operator))
    lab.cluster.api.call("DELETE", f"/apis/tuning-operator.dev/v1alpha1/namespaces/{lab.namespace}/tuningjobs/job")
    wait_until(lambda: "tuning_operator_job_trials{" not in metrics_page(lab.operator), "they are gone", seconds=30)


def test_without_metrics_of_jobs_there_are_none(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising, "--job-metrics=false")
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 1}))
    lab.cluster.wait_for_phase("Completed")
    assert "tuning_operator_job_" not in metrics_page(lab.operator)
