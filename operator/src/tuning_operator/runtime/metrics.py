"""The operator's own metrics, served on /metrics."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

RECONCILE_SECONDS = Histogram(
    "tuning_operator_reconcile_seconds", "Duration of a pass over one job, in seconds.", ["result"], buckets=_BUCKETS
)
RECONCILE_SECONDS.labels("Exception")  # there from the start, so that the first one is an increase
QUEUE_DEPTH = Gauge("tuning_operator_queue_depth", "Jobs waiting for a pass.")
SUGGESTION_SECONDS = Histogram(
    "tuning_operator_suggestion_seconds", "Time to compute suggestions, in seconds.", ["source"], buckets=_BUCKETS
)
SUGGESTION_FALLBACKS = Counter(
    "tuning_operator_suggestion_fallbacks_total", "Random suggestions made because the model failed."
)
EARLY_STOPS = Counter("tuning_operator_early_stops_total", "Trials stopped early.", ["reason"])
DRY_RUN_STOPS = Counter(
    "tuning_operator_dry_run_stops_total", "Trials that a dry run would have stopped early.", ["reason"]
)
PAUSES = Counter("tuning_operator_pauses_total", "Trials paused by early stopping.")
RESUMPTIONS = Counter("tuning_operator_resumptions_total", "Paused trials that were resumed.")
PROMETHEUS_ERRORS = Counter("tuning_operator_prometheus_errors_total", "Prometheus queries without a usable answer.")
PROMETHEUS_SECONDS = Histogram(
    "tuning_operator_prometheus_query_seconds", "Duration of a Prometheus query, in seconds.", buckets=_BUCKETS
)
API_ERRORS = Counter(
    "tuning_operator_api_errors_total", "Requests that the API server refused or did not answer.", ["kind"]
)
REPEATED = Counter(
    "tuning_operator_repeated_total",
    "Occurrences without an Event, since earlier ones had theirs.",
    ["reason"],
)
EVENTS_LOST = Counter("tuning_operator_events_lost_total", "Events that could not be posted, or were too many.")
TRIALS = Gauge("tuning_operator_trials", "Trials of unfinished jobs, by phase.", ["phase"])


class TrialGauge:
    """Keeps the number of trials by phase, summed over the jobs seen last."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Mapping[TrialPhase, int]] = {}

    def update(self, job: Hashable, phases: Mapping[TrialPhase, int] | None) -> None:
        """Replace one job's counts; None when the job is gone."""
        if phases is None:
            self._jobs.pop(job, None)
        else:
            self._jobs[job] = phases
        total: Tally[TrialPhase] = Tally()
        for counts in self._jobs.values():
            total.update(counts)
        for phase in TrialPhase:
            TRIALS.labels(phase).set(total[phase])
