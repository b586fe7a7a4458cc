"""What a run comes to: percentiles, and what each trial has cost."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.scale import growth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.scale.lab import Run
    from benchmarks.scale.meters import Reading

BUCKETS = 5
"""Rows of the table by finished trials."""
_SLOW_PASS = "0.25"


def turnarounds(run: Run) -> dict[int, list[float]]:
    """Seconds from the end of a Pod to the creation of the one that takes its slot, by finished trials of its job."""
    width = max(1, run.load.trials // BUCKETS)
    found: defaultdict[int, list[float]] = defaultdict(list)
    for number, end, begin in _slots_taken(run):
        found[number // width * width].append(begin - end)
    return dict(sorted(found.items()))


def without_outages(run: Run) -> list[float]:
    """The same seconds, less those of Pods that ended between a kill of the operator and its next Pod."""
    return [
        begin - end
        for _, end, begin in _slots_taken(run)
        if not any(killed <= end <= back for killed, back, _ in run.restarts)
    ]


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """A table with a column for each mapping of row to cell; some of them may lack rows of others."""
    names = dict.fromkeys(name for column in columns.values() for name in column)
    cells = [[column.get(name, "") for column in columns.values()] for name in names]
    lines = [["", *columns], *([name, *line] for name, line in zip(names, cells, strict=True))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *rest = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rest])


def by_finished(run: Run) -> dict[str, str]:
    """Percentiles by the number of finished trials."""
    found = turnarounds(run)
    every = [wait for waits in found.values() for wait in waits]
    parts = {f"from {start} finished trials on": waits for start, waits in found.items()} | {"all": every}
    if run.restarts:
        parts["all that ended while the operator ran"] = without_outages(run)
    return {
        f"{name}: p50, p90, p99, at most, s": ", ".join(f"{_quantile(waits, q):.2f}" for q in (0.5, 0.9, 0.99, 1))
        for name, waits in parts.items()
        if waits
    }


def overall(run: Run) -> dict[str, str]:
    """What a run comes to, in words and figures."""
    return {
        **dict(_slots(run)),
        **dict(_starts(run)),
        **dict(_costs(run)),
        **dict(_rest(run)),
        "second attempts": f"{sum(not pod.name.endswith('-1') for pod in run.pods)}",
        "names of Pods created twice": f"{len(created_twice(run))}",
    }


def created_twice(run: Run) -> list[str]:
    """Names that more than one Pod has had."""
    names = Counter((pod.namespace, pod.name) for pod in run.pods)
    return [name for (_, name), count in names.items() if count > 1]


def _slots_taken(run: Run) -> Iterator[tuple[int, float, float]]:
    """How many trials of its job had finished before, when a Pod ended, and when the next in its slot was created."""
    for created, ended in _by_job(run).values():
        for number, (end, begin) in enumerate(zip(ended, created[run.load.parallel :], strict=False)):
            yield number, end, begin


def _by_job(run: Run) -> dict[str, tuple[list[float], list[float]]]:
    """When Pods of each job were created, and when they ended."""
    jobs: defaultdict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for pod in run.pods:
        created, ended = jobs[pod.job]
        created.append(pod.created)
        if pod.ended is not None:
            ended.append(pod.ended)
    return {job: (sorted(created), sorted(ended)) for job, (created, ended) in jobs.items()}


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _slots(run: Run) -> Iterator[tuple[str, str]]:
    created, slots = sorted(pod.created for pod in run.pods), run.load.slots
    full = f"{created[slots - 1] - run.began:.1f} s" if len(created) >= slots else f"never: {len(created)} Pods"
    yield f"all {slots} slots filled after", full
    first_end = min((pod.ended for pod in run.pods if pod.ended is not None), default=run.ended)
    steady = [item for item in run.readings if created and first_end <= item.at <= created[-1]]
    if steady:
        filled = statistics.mean(item.created - item.ended for item in steady)
        yield "slots filled, from the first end to the last creation", f"{filled:.1f}"
    empty = _empty_at_the_end(run)
    yield "slots whose next trial never came, and since when", f"{len(empty)}, {max(empty, default=0):.0f} s"


def _empty_at_the_end(run: Run) -> list[float]:
    """Seconds for which slots have been empty although their jobs have trials left."""
    trials = run.load.trials - (0 if run.load.finished_jobs else run.load.finished_trials)
    return [
        run.ended - end
        for created, ended in _by_job(run).values()
        for number, end in enumerate(ended)
        if end <= run.ended and len(created) <= run.load.parallel + number < trials
    ]


def _starts(run: Run) -> Iterator[tuple[str, str]]:
    if run.operator_started:
        yield "operator healthy after", f"{run.operator_ready - run.operator_started:.1f} s"
    if run.pods:
        yield "first Pod after", f"{min(pod.created for pod in run.pods) - run.began:.1f} s"
    for killed, back, ended in run.restarts:
        yield "after a kill: first Pod, and Pods that ended meanwhile", f"{back - killed:.1f} s, {ended}"


def _costs(run: Run) -> Iterator[tuple[str, str]]:
    """What the load has cost from the first reading to its end."""
    part = [item for item in run.readings if item.at <= run.ended]
    whole = [item for item in part if item.server]
    if len(whole) < 2:
        return
    first, last = whole[0], whole[-1]
    part = [item for item in part if first.at <= item.at <= last.at]
    trials, seconds = max(1, last.ended - first.ended), last.at - first.at
    for name in first.cpu:
        used = growth.of_process(part, name)
        yield f"CPU of {name}: ms a trial, cores", f"{1000 * used / trials:.0f}, {used / seconds:.2f}"
    for name in first.memory:
        at_most, at_end = max(item.memory[name] for item in run.readings), run.readings[-1].memory[name]
        yield f"memory of {name}: at most, at the end, MiB", f"{at_most:.0f}, {at_end:.0f}"
    if run.operator_started:
        yield from _of_operator(run, part)
    kinds = growth.by_kind(first, last)
    often = [f"{kind} {count / trials:.1f}" for kind, count in kinds.items() if count >= trials / 20]
    yield "requests a trial, by kind", ", ".join(often)
    written = [f"{count / trials:.1f}" for count in growth.writes(first, last)]
    yield "writes a trial, of them Events", ", ".join(written)
    read = [f"{size / trials / 1000:.0f}" for size in growth.bytes_read(first, last)]
    yield "kB a trial answered to GET and LIST, sent to watches", ", ".join(read)


def _of_operator(run: Run, part: Sequence[Reading]) -> Iterator[tuple[str, str]]:
    """What the operator has done meanwhile; the first reading and the last one are whole."""
    trials = max(1, part[-1].ended - part[0].ended)
    yield "largest memory of the operator itself, MiB", f"{run.peak:.0f}"
    yield "the operator's requests a trial", f"{growth.requests(part[0], part[-1]) / trials:.1f}"
    count, took = growth.passes(part)
    yield "passes a trial, seconds of one", f"{count / trials:.1f}, {took / max(1, count):.3f}"
    yield f"passes of more than {_SLOW_PASS} s", f"{count - growth.passes_within(part, _SLOW_PASS):.0f}"
    yield "longest answer of the operator's probe", f"{run.longest_probe:.2f} s"


def _rest(run: Run) -> Iterator[tuple[str, str]]:
    """What is used while all slots are filled and nothing begins or ends, and after the load."""
    whole = [item for item in run.readings if item.server]
    still = [pair for pair in pairwise(whole) if _is_still(run, *pair)]
    after = [item for item in whole if item.at > run.ended]
    yield from _used_at_rest("slots filled, nothing ends", still)
    yield from _used_at_rest("after the load", list(pairwise(after)))


def _is_still(run: Run, before: Reading, after: Reading) -> bool:
    alive = after.created - after.ended
    return alive >= run.load.slots and (before.created, before.ended) == (after.created, after.ended)


def _used_at_rest(when: str, pairs: Sequence[tuple[Reading, Reading]]) -> Iterator[tuple[str, str]]:
    seconds = sum(after.at - before.at for before, after in pairs)
    if seconds < 5:
        return
    written = sum(growth.writes(*pair)[0] for pair in pairs)
    known = [name for name in ("operator", "API server") if name in pairs[0][0].cpu]
    used = [sum(growth.of_process(pair, name) for pair in pairs) for name in known]
    figures = ", ".join(f"{value / seconds:.2f}" for value in (written, *used))
    yield f"{when}: writes a second, cores of {' and '.join(known)}", figures
