"""How many epochs the page of each Pod says are over: one series a Pod, which tells of whom there is more to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_operator.runtime.prometheus.answers import PrometheusError, any_of, by_window, either, quoted, series_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_query(namespace: str, windows: Mapping[str, int]) -> str:
    """Build the instant query for some Pods, each with its window in milliseconds."""
    ranges = [
        f"last_over_time(tuning_epochs_completed{{namespace={quoted(namespace)},pod=~{any_of(pods)}}}[{window}ms])"
        for window, pods in by_window(windows)
    ]
    return f"max by (pod) ({either(ranges)})"


def parse_answer(answer: Any) -> dict[str, float]:
    """Parse the answer to `build_query`; what is no number of epochs is one that no curve has.

    Raises:
        PrometheusError: The answer is not whole.
    """
    try:
        return {
            series["metric"]["pod"]: float(series["value"][1])
            for series in series_of(answer, "vector")
            if isinstance(series["metric"].get("pod"), str)
        }
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PrometheusError(f"the answer is malformed: {error!r}") from error
