"""By how much counters have grown over some readings."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from benchmarks.scale.meters import Reading

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
READS = frozenset({"GET", "LIST"})
_OURS = frozenset({"events", "jobs", "pods", "services", "tuningjobs", "tuningtrials"})
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_PASSES = "tuning_operator_reconcile_seconds"


def of_process(readings: Sequence[Reading], name: str) -> float:
    """CPU seconds that a process has used; a restart begins at 0."""
    return _increase(item.cpu[name] for item in readings)


def passes(readings: Sequence[Reading]) -> tuple[float, float]:
    """Passes, and their seconds."""
    return _own(readings, f"{_PASSES}_count"), _own(readings, f"{_PASSES}_sum")


def passes_within(readings: Sequence[Reading], seconds: str) -> float:
    """Passes that took no longer; one of the bounds of the operator's histogram."""
    return _own(readings, f"{_PASSES}_bucket", f'le="{seconds}"')


def requests(first: Reading, last: Reading) -> float:
    """Requests of the operator, the only service account beside those of Kubernetes."""

    def of_operator(labels: Mapping[str, str]) -> bool:
        return labels["flow_schema"] == "service-accounts"

    return _server(first, last, "apiserver_flowcontrol_dispatched_requests_total", of_operator)


def writes(first: Reading, last: Reading) -> tuple[float, float]:
    """Writes of all clients but the kubelet, and those of Events among them."""
    name, own = "apiserver_request_total", sum(last.sent.values()) - sum(first.sent.values())
    total = _server(first, last, name, lambda labels: labels["verb"] in WRITES)
    events = _server(first, last, name, lambda labels: labels["verb"] in WRITES and labels["resource"] == "events")
    return total - own, events


def by_kind(first: Reading, last: Reading) -> dict[str, float]:
    """Requests about jobs, trials and what they are made of, by verb and resource, without the kubelet's."""
    found: defaultdict[str, float] = defaultdict(float)
    for labels, count in _grown(first, last, "apiserver_request_total"):
        if labels["resource"] in _OURS and labels["verb"] != "WATCH":
            found["/".join(filter(None, (f"{labels['verb']} {labels['resource']}", labels.get("subresource"))))] += (
                count
            )
    for (verb, path), count in last.sent.items():
        found[f"{verb} {path}"] -= count - first.sent.get((verb, path), 0)
    return {kind: count for kind, count in sorted(found.items(), key=lambda item: -item[1]) if count > 0}


def bytes_read(first: Reading, last: Reading) -> tuple[float, float]:
    """Bytes of the answers to GET and LIST, and of the events of watches, to all clients."""
    answered = _server(first, last, "apiserver_response_sizes_sum", lambda labels: labels["verb"] in READS)
    return answered, _server(first, last, "apiserver_watch_events_sizes_sum", lambda _: True)


def _server(first: Reading, last: Reading, name: str, wanted: Callable[[Mapping[str, str]], bool]) -> float:
    return sum(count for labels, count in _grown(first, last, name) if wanted(labels))


def _grown(first: Reading, last: Reading, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """The API server's counters of a name: their labels, and by how much they have grown."""
    for key, value in last.server.items():
        if key.partition("{")[0] == name:
            yield dict(_LABEL.findall(key)), value - first.server.get(key, 0.0)


def _own(readings: Sequence[Reading], name: str, label: str = "") -> float:
    """By how much the operator's counters of a name have grown together; a restart begins at 0."""
    return _increase(
        sum(value for key, value in item.own.items() if key.partition("{")[0] == name and label in key)
        for item in readings
        if item.own
    )


def _increase(values: Iterable[float]) -> float:
    return sum(after - before if after >= before else after for before, after in pairwise(values))
