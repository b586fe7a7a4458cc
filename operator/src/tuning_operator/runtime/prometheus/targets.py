"""Whether Prometheus scrapes a Pod at all: its own series `up`, and those that a page shows before the first epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_operator.core.model.attempt import Scraping
from tuning_operator.runtime.prometheus.answers import PrometheusError, any_of, by_window, either, quoted, series_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PAGE = frozenset({"tuning_epochs_completed", "tuning_finished"})
"""What a page by the metrics contract shows from its start."""


def build_query(namespace: str, windows: Mapping[str, int], gauges: Collection[str] = ()) -> str:
    """Build the instant query for what Prometheus knows of some Pods, each with its window in milliseconds.

    Args:
        namespace: The Pods' namespace.
        windows: How far to look back for each Pod: what is older is of another Pod of its name.
        gauges: Names of what the Pods show instead of keeping the metrics contract.
    """
    names = any_of({"up", *PAGE, *gauges})
    ranges = [
        f"last_over_time({{__name__=~{names},namespace={quoted(namespace)},pod=~{any_of(pods)}}}[{window}ms])"
        for window, pods in by_window(windows)
    ]
    return f"max by (pod, __name__) ({either(ranges)})"


def parse_answer(answer: Any, pods: Collection[str]) -> dict[str, Scraping]:
    """Parse the answer to `build_query`.

    Raises:
        PrometheusError: The answer is not whole.
    """
    found = dict.fromkeys(pods, Scraping.NO_TARGET)
    try:
        for series in series_of(answer, "vector"):
            pod, name = series["metric"].get("pod"), series["metric"].get("__name__")
            works = name != "up" or float(series["value"][1]) > 0
            if pod in found and found[pod] is not Scraping.WORKS:
                found[pod] = Scraping.WORKS if works else Scraping.FAILS
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PrometheusError(f"the answer is malformed: {error!r}") from error
    return found
