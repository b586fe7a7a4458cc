"""Writes the chart's dashboards for Grafana, by Grafana's own SDK. Run by `make dashboards`."""  # noqa: INP001 - a script

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.builders.common import StackingConfig, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parents[1] / "charts" / "tuning-operator" / "files" / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 8, 8
RATE = "[$__rate_interval]"


class Chart(NamedTuple):
    """A panel: what it shows, in which unit, and its queries with their legends."""

    title: str
    text: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    stacked: bool = False


def quantile(share: float, metric: str, labels: str = "", by: str = "") -> str:
    """A quantile of a histogram."""
    groups = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({groups}) (rate({metric}_bucket{labels}{RATE})))"


OPERATOR = (
    Chart(
        "Trials",
        "Trials of unfinished jobs by phase.",
        [("sum by (phase) (tuning_operator_trials)", "{{phase}}")],
        stacked=True,
    ),
    Chart(
        "Passes",
        "Passes over jobs in a second, by how they ended.",
        [(f"sum by (result) (rate(tuning_operator_reconcile_seconds_count{RATE}))", "{{result}}")],
        "ops",
    ),
    Chart(
        "Duration of a pass",
        "Half and 99 of 100 take no longer.",
        [(quantile(share, "tuning_operator_reconcile_seconds"), f"{share:.0%}") for share in (0.5, 0.99)],
        "s",
    ),
    Chart(
        "Queue",
        "Jobs that wait for a pass: raise --workers when many do.",
        [("tuning_operator_queue_depth", "jobs")],
    ),
    Chart(
        "Duration of a suggestion",
        "99 of 100 take no longer, by where they came from.",
        [(quantile(0.99, "tuning_operator_suggestion_seconds", by="source"), "{{source}}")],
        "s",
    ),
    Chart(
        "Suggestions that fell back",
        "Random ones in the place of the model's, in the last hour.",
        [("increase(tuning_operator_suggestion_fallbacks_total[1h])", "fallbacks")],
    ),
    Chart(
        "Trials stopped early",
        "In the last hour, by the rule's reason; dry runs stop nothing.",
        [
            ("sum by (reason) (increase(tuning_operator_early_stops_total[1h])) or vector(0)", "{{reason}}"),
            ("sum by (reason) (increase(tuning_operator_dry_run_stops_total[1h])) or vector(0)", "dry run {{reason}}"),
            ("sum(increase(tuning_operator_pauses_total[1h]))", "paused"),
            ("sum(increase(tuning_operator_resumptions_total[1h]))", "resumed"),
        ],
    ),
    Chart(
        "Repeated",
        "What had no Event in the last hour, since earlier occurrences had theirs, by reason.",
        [
            ("sum by (reason) (increase(tuning_operator_repeated_total[1h])) or vector(0)", "{{reason}}"),
            ("increase(tuning_operator_events_lost_total[1h])", "Events lost"),
        ],
    ),
    Chart(
        "Questions to Prometheus",
        "How long 99 of 100 take at most.",
        [(quantile(0.99, "tuning_operator_prometheus_query_seconds"), "99%")],
        "s",
    ),
    Chart(
        "Errors",
        "Requests without a usable answer, in a second.",
        [
            (f"sum by (kind) (rate(tuning_operator_api_errors_total{RATE})) or vector(0)", "API server {{kind}}"),
            (f"rate(tuning_operator_prometheus_errors_total{RATE})", "Prometheus"),
        ],
        "ops",
    ),
)

JOB = '{tuning_namespace="$tuning_namespace", tuning_job="$tuning_job"}'
# A training's own series have the Pod's name: TRIAL-ATTEMPT, and more behind it where a trial has several nodes.
PODS = '{namespace="$tuning_namespace", pod=~"$tuning_job-[0-9]{4,}-[0-9]+(-.*)?"}'
ONE_JOB = (
    Chart(
        "Best objective",
        "The best objective so far.",
        [(f"tuning_operator_job_best_objective{JOB}", "best")],
        "none",
    ),
    Chart(
        "Trials",
        "Trials by phase.",
        [(f"tuning_operator_job_trials{JOB}", "{{phase}}")],
        stacked=True,
    ),
    Chart(
        "Epochs",
        "Epochs that were trained, and those that early stopping spared.",
        [
            (f"tuning_operator_job_epochs{JOB}", "trained"),
            (f"tuning_operator_job_saved_epochs{JOB}", "saved"),
        ],
        stacked=True,
    ),
    Chart(
        "Values of running trials",
        "The newest value of each metric that a training reports on its page.",
        [(f"tuning_latest_value{PODS}", "{{pod}} {{metric}}")],
        "none",
    ),
    Chart(
        "Epochs of running trials",
        "The newest epoch that a training reports on its page.",
        [(f"tuning_latest_epoch{PODS}", "{{pod}}")],
    ),
    Chart(
        "Training",
        "Run time of the trainings that have ended.",
        [(f"tuning_operator_job_training_seconds{JOB}", "training")],
        "s",
    ),
    Chart(
        "Slots",
        "Busy ones train; waiting ones have a Pod that does not train yet.",
        [(f"tuning_operator_job_slots{JOB}", "{{state}}")],
        stacked=True,
    ),
    Chart(
        "Turnaround of a slot",
        "From the end of a training to the start of the next one.",
        [(quantile(share, "tuning_operator_job_slot_turnaround_seconds", JOB), f"{share:.0%}") for share in (0.5, 0.9)],
        "s",
    ),
    Chart(
        "Conditions",
        "1 where a condition is True.",
        [(f"tuning_operator_job_condition{JOB}", "{{type}}")],
        "none",
    ),
)


def panel(chart: Chart) -> timeseries.Panel:
    """A panel with its queries."""
    made = timeseries.Panel().title(chart.title).description(chart.text).datasource(SOURCE)
    made = made.unit(chart.unit).min(0) if chart.unit != "none" else made
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    made = made.span(WIDTH).height(HEIGHT).legend(legend.show_legend(show_legend=True)).tooltip(tooltip)
    if chart.stacked:
        made = made.stacking(StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    for number, (query, name) in enumerate(chart.queries):
        target = prometheus.Dataquery().expr(query).legend_format(name).ref_id(chr(ord("A") + number))
        made = made.with_target(target.datasource(SOURCE).range())
    return made


def variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A choice that is filled from Prometheus."""
    made = dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE)
    return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def build(uid: str, title: str, charts: Sequence[Chart], variables: Sequence[dashboard.QueryVariable]) -> str:
    """A dashboard as JSON."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["tuning-operator"])
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for each in variables:
        made = made.with_variable(each)
    for chart in charts:
        made = made.with_panel(panel(chart))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def dashboards() -> dict[str, str]:
    """The files by their names."""
    names = "tuning_operator_job_epochs"
    choices = [
        variable("tuning_namespace", "Namespace", f"label_values({names}, tuning_namespace)"),
        variable("tuning_job", "Job", f'label_values({names}{{tuning_namespace="$tuning_namespace"}}, tuning_job)'),
    ]
    return {
        "operator.json": build("tuning-operator", "Tuning operator", OPERATOR, []),
        "job.json": build("tuning-job", "Tuning job", ONE_JOB, choices),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text)
