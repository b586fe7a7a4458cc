"""Reads plain gauges: the value and the epoch that one scrape brought together.

Gauges keep only what they show now, so epochs that end between two scrapes are lost: they are missing in the curve, and
nothing is made up for them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.prometheus.answers import PrometheusError, any_of, quoted, series_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tuning_operator.core.model.sources import Gauges, Selector

    Samples = Iterable[tuple[float, str]]


def build_query(namespace: str, pods: Collection[str], source: Gauges, window: int) -> str:
    """Build the instant query for the raw samples of both gauges in the last `window` milliseconds, in one answer."""
    names = any_of({source.value.name, source.epoch.name})
    return f"{{__name__=~{names},namespace={quoted(namespace)},pod=~{any_of(pods)}}}[{window}ms]"


def parse_answer(answer: Any, source: Gauges, windows: Mapping[str, int]) -> dict[str, Curve]:
    """Parse the answer to `build_query`: one curve for each Pod, empty where nothing is known.

    A value belongs to the epoch that the same scrape brought (samples of one scrape have one time stamp). Of an epoch
    that many scrapes saw the first value counts: the training sets the value before the epoch, so that the last value
    may be the next epoch's already. Epoch 0 says that none has ended; a fraction is one as in a log.

    Args:
        answer: JSON as Prometheus gave it.
        source: What was asked for.
        windows: How far to look back for each Pod, in milliseconds before the answer's newest sample.

    Raises:
        PrometheusError: The answer is not whole.
    """
    values: defaultdict[str, dict[float, float]] = defaultdict(dict)
    epochs: defaultdict[str, dict[float, float]] = defaultdict(dict)
    try:
        for series in series_of(answer, "matrix"):
            labels, samples = series["metric"], [(float(time), float(text)) for time, text in series["values"]]
            for known, selector in ((values, source.value), (epochs, source.epoch)):
                if _matches(labels, selector):
                    _add(known[labels.get("pod", "")], samples)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise PrometheusError(f"the answer is malformed: {error!r}") from error
    newest = max((time for samples in epochs.values() for time in samples), default=0.0)
    return {pod: _curve(values[pod], epochs[pod], newest - window / 1000) for pod, window in windows.items()}


def _matches(labels: Mapping[str, str], selector: Selector) -> bool:
    return labels.get("__name__") == selector.name and all(labels.get(key) == text for key, text in selector.labels)


def _add(known: dict[float, float], samples: Iterable[tuple[float, float]]) -> None:
    """Of several series the highest sample counts, as with `max by (pod)`."""
    for time, value in samples:
        known[time] = max(value, known.get(time, value))


def _curve(values: Mapping[float, float], epochs: Mapping[float, float], since: float) -> Curve:
    joined = sorted(time for time in values.keys() & epochs.keys() if time >= since)
    return Curve.of((round(epochs[time], 6), values[time]) for time in joined if _is_epoch(epochs[time]))


def _is_epoch(number: float) -> bool:
    return 0 < round(number, 6) <= MAX_EPOCH if math.isfinite(number) else False
