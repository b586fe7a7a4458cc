"""What a trial's message says about a log, missing metrics, and a Pod that is not scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.attempt import Scraping
from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.sources import Gauges, LogFile

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import History, Log, Reading

NOT_SCRAPED = "TrialNotScraped"
_REMEDY = (
    "check that the scrape configuration or a PodMonitor covers this namespace and the Pods' port named metrics, that"
    " the template's prometheus.io/scrape does not turn it off, and that series keep the labels namespace and pod"
)
_NO_TARGET = (
    "Prometheus answers, but it does not scrape this Pod: early stopping cannot judge the trial, and its epochs are"
    f" known at its end, if at all; {_REMEDY}"
)
_FAILS = (
    "Prometheus cannot scrape this Pod. That is normal before the first epoch, if the training serves its page only"
    " then; otherwise check the Pods' port named metrics, network policies and the content type"
)
_SCRAPING = {Scraping.NO_TARGET: (NOT_SCRAPED, _NO_TARGET), Scraping.FAILS: ("ScrapesFail", _FAILS)}
SCRAPING_TROUBLES = frozenset(reason for reason, _ in _SCRAPING.values())


def scraping_trouble(reading: Reading | None) -> tuple[str, str] | tuple[None, None]:
    """Return reason and message for a running training of which Prometheus sees nothing; None while all may be well."""
    if reading is None or reading.curve:
        return None, None
    return _SCRAPING.get(reading.scraping, (None, None))


def without_objective(history: History | None, reading: Reading | None, source: Gauges | LogFile | None) -> str:
    """Return why an ended training has no objective, from what is known of its log, scrapes and message."""
    if isinstance(source, LogFile) and history and history.log:
        return fitting("the training ended, and its log has no objective: ", _of_log(history.log))
    _, trouble = scraping_trouble(reading)
    if isinstance(source, Gauges):
        gauges = f"the gauges {source.value.name} and {source.epoch.name}"
        why = trouble or (
            "check that they have these names and labels, and that the Pod lives for a scrape interval after each epoch"
        )
        return f"the training ended, and Prometheus has none of its epochs from {gauges}: {why}"
    reported = ", ".join(history.metrics) if history and history.metrics else "none"
    head = f"the training ended without reporting the objective (metrics in its termination message: {reported})"
    if isinstance(source, LogFile) and history is None:
        head += "; the sidecar left no message about the log either: see `kubectl logs -c tuning-metrics`"
    return f"{head}; {trouble}" if trouble and reported == "none" else head


def log_trouble(history: History | None) -> str | None:
    """Return what to say about a log whose training succeeded: that not all of it could be used."""
    log = history.log if history else None
    return _of_log(log) if log and (log.refused or log.problem) else None


def _of_log(log: Log) -> str:
    problem = log.problem
    if not problem and log.refused:
        problem = f"{log.refused} values or epochs in its {log.lines} lines could not be used"
    if not problem:
        problem = f"{log.used} of its {log.lines} lines had a metric" if log.lines else "it is empty"
    return f"{problem}; the first such line: {log.sample}" if log.sample else problem
