"""The metrics contract in Prometheus: a series for each epoch that has ended, which every scrape shows again."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.prometheus.answers import PrometheusError, any_of, by_window, either, quoted, series_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

EPOCHS = "(0|[1-9][0-9]{0,3}|[1-3][0-9]{4})([.][0-9]{0,5}[1-9])?"
"""An epoch up to `MAX_EPOCH`. There is one way to write it, so that a Pod has one series for each epoch."""
_EPOCH = re.compile(EPOCHS)


def build_query(namespace: str, windows: Mapping[str, int], objectives: Collection[str]) -> str:
    """Build the instant query for the values of all epochs of some Pods, each with its window in milliseconds."""
    ranges = [_range(namespace, pods, objectives, window) for window, pods in by_window(windows)]
    return f"max by (pod, metric, epoch) ({either(ranges)})"


def _range(namespace: str, pods: Collection[str], objectives: Collection[str], window: int) -> str:
    selector = f"namespace={quoted(namespace)},pod=~{any_of(pods)},metric=~{any_of(objectives)},epoch=~{quoted(EPOCHS)}"
    return f"last_over_time(tuning_epoch_value{{{selector}}}[{window}ms])"


def parse_answer(answer: Any, pods: Mapping[str, str]) -> dict[str, Curve]:
    """Parse the answer to `build_query`; a Pod of which Prometheus knows nothing has an empty curve.

    Series that do not follow the metrics contract are left out: a trainer is not trusted.

    Raises:
        PrometheusError: The answer is not whole.
    """
    points: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    try:
        for series in series_of(answer, "vector"):
            labels = series["metric"]
            pod, epoch = labels.get("pod", ""), _epoch(labels.get("epoch", ""))
            if epoch is not None and labels.get("metric") == pods.get(pod):
                points[pod].append((epoch, float(series["value"][1])))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PrometheusError(f"the answer is malformed: {error!r}") from error
    return {pod: Curve.of(points[pod]) for pod in pods}


def _epoch(text: str) -> float | None:
    epoch = float(text) if _EPOCH.fullmatch(text) else None
    return epoch if epoch is not None and epoch <= MAX_EPOCH else None
