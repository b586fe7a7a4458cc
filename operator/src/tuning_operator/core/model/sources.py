"""Where a training's measurements are read from, when it does not keep the metrics contract itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selector:
    """Names a gauge: a metric's name in Prometheus and, where it has several series, labels that tell one apart."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gauges:
    """Two plain gauges that the training exports.

    Attributes:
        value: The objective after the last finished epoch.
        epoch: The number of finished epochs.
    """

    value: Selector
    epoch: Selector


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric in a log: what the regular expression's group matches is a value of it."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """What the training writes: a file of lines, or a folder of TensorBoard's event files.

    Attributes:
        path: In the training container.
        definitions: How to find values in its lines; none where each line is a JSON object.
        tag: The objective's in the event files; empty where it is a file of lines.
    """

    path: str
    definitions: tuple[MetricDefinition, ...] = ()
    tag: str = ""
