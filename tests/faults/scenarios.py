"""Everything that is made to go wrong: the whole sweep, and the subset of it that runs with all other tests."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

from tests.faults import distortions
from tests.faults.distortions import Distorted, StaleLists, Watches
from tests.faults.faults import Chaos, Kill, Moment, Outage, Quiet, Trouble
from tests.faults.lab import Run, Scenario
from tests.faults.proxy import LostError
from tests.faults.script import bayesian, some_jobs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.faults.proxy import Answer

VERBS = ("get", "list", "watch", "create", "patch", "delete")
WRITES = ("create", "patch", "delete")
CODES = (404, 409, 410, 429, 500, 503, 504)
SOON = ("--resync-interval=5",)
"""An event that was missed is made good by the resync."""


def reference() -> Scenario:
    """A run without faults, in which two trainings are known from Prometheus alone."""
    return Scenario("no faults", "none", script=some_jobs(messages=False))


def kill(writes: Collection[int], moment: Moment, **more: Any) -> Scenario:
    """SIGKILL at some writes."""
    which = " and ".join(map(str, writes))
    return _scenario(
        f"SIGKILL at write {which}, {moment}", f"SIGKILL {moment}", lambda run: Kill(writes, moment, run.kill), **more
    )


def trouble(verb: str, **how: Any) -> Scenario:
    """Requests of a verb are refused, or get no answer."""
    code, hang, effect = how.get("code"), how.get("hang"), how.get("effect")
    kind = f"HTTP {code}" if code else "time-out" if hang else "ambiguous reply" if effect else "lost request"
    name = f"{kind} on {verb}{', which took effect' if effect else ''}"
    return _scenario(name, kind, lambda _: Trouble([verb], **how))


def api_down(seconds: float, after: int = 40) -> Scenario:
    """The API server cannot be reached."""
    kind = "API server down"

    def fault(run: Run) -> Quiet:
        return Outage(kind, seconds, after, run.close_api, run.open_api, lambda call: call.is_write)

    return _scenario(f"{kind} for {seconds:g} s", kind, fault)


def watches(kind: str, distort: Any, times: int | None = None) -> Scenario:
    """Events are bent."""
    return _scenario(kind, kind, lambda _: Watches(kind, distort, times), flags=SOON)


def metrics(kind: str, distort: Any, seconds: float = 4.0) -> Scenario:
    """Prometheus answers otherwise than it should."""
    return _scenario(
        f"Prometheus {kind}", f"Prometheus {kind}", metrics=lambda _: Distorted(f"Prometheus {kind}", distort, seconds)
    )


def metrics_down(seconds: float) -> Scenario:
    """Prometheus cannot be reached."""
    kind = "Prometheus down"

    def fault(run: Run) -> Quiet:
        return Outage(kind, seconds, 5, run.close_metrics, run.open_metrics, lambda _: True)

    return _scenario(f"{kind} for {seconds:g} s", kind, metrics=fault)


def metrics_lost() -> Scenario:
    """Prometheus dies and comes back without its data."""
    kind = "Prometheus restarted without its data"

    def fault(run: Run) -> Quiet:
        async def go() -> None:
            await asyncio.to_thread(run.prometheus.stop, hard=True)
            shutil.rmtree(run.directory / "prometheus" / "data")

        async def come() -> None:
            run.prometheus.process.launch()
            await asyncio.to_thread(run.prometheus.process.wait_ready)

        return Outage(kind, 1.0, 8, go, come, lambda _: True)

    # What Prometheus alone knew is lost for good: here every training leaves a termination message.
    return _scenario(kind, kind, metrics=fault, script=some_jobs(), own_prometheus=True)


def two_operators() -> Scenario:
    """A second operator that should not be there."""
    return _scenario("two operators at once", "two operators", operators=2)


def chaos(seed: int, **more: Any) -> Scenario:
    """Everything at once."""
    return _scenario(f"chaos {seed}", "chaos", lambda run: Chaos(seed, 6.0, 0.1, run.kill), **more)


def subset() -> Iterator[Scenario]:
    """One or two of each kind that take seconds."""
    yield kill([9], Moment.BEFORE)
    yield kill([20, 55], Moment.AFTER)
    yield kill([33, 80], Moment.REPLIED)
    yield trouble("create", effect=True)
    yield trouble("patch", effect=True)
    yield trouble("delete", code=409)
    yield trouble("create", code=409)
    yield trouble("get", code=404)
    yield trouble("list", code=410)
    yield trouble("watch", code=410)
    yield _unserved()
    yield watches("silent watch", distortions.silent)
    yield watches("DELETED swallowed", distortions.without_deleted)
    yield _stale("pods")
    yield api_down(5)
    yield metrics_down(4)
    yield metrics("with warnings", distortions.with_warnings)
    yield two_operators()
    yield chaos(1)


def sweep(writes: int) -> Iterator[Scenario]:
    """All of them.

    Args:
        writes: How many writes a run without faults takes.
    """
    yield from (api_down(120), metrics_down(60), *_timeouts())
    yield metrics("hanging", _hang, 20.0)
    for moment in Moment:
        yield kill([7, 19], moment, script=bayesian(), is_heavy=True)
    yield chaos(0, script=bayesian(), is_heavy=True)
    yield from _watch_faults()
    yield from map(_stale, ("pods", "tuningtrials", "tuningjobs"))
    yield from _metrics_faults()
    yield from (two_operators(), two_operators(), api_down(20), api_down(5, after=2))
    for verb in VERBS:
        yield trouble(verb)
        yield from (trouble(verb, code=code) for code in CODES)
    for verb in WRITES:
        yield trouble(verb, effect=True)
        yield from (trouble(verb, code=code, effect=True) for code in (500, 504))
    yield from (trouble("discover", code=503), _unserved())
    yield from (chaos(seed) for seed in range(2, 22))
    for write in range(1, writes + 1):
        yield from (kill([write], moment) for moment in Moment)


def _scenario(name: str, kind: str, api: Any = lambda _: Quiet(), **more: Any) -> Scenario:
    return Scenario(name, kind, api, **{"script": some_jobs(messages=False), **more})


def _unserved() -> Scenario:
    """Some of the APIs come later than the operator, which lists them with its first two requests."""
    return trouble("discover", code=404, skip=2)


def _timeouts() -> Iterator[Scenario]:
    for verb in VERBS:
        yield trouble(verb, hang=True, times=2)
    for verb in WRITES:
        yield trouble(verb, hang=True, effect=True, times=2)


def _watch_faults() -> Iterator[Scenario]:
    yield watches("silent watch", distortions.silent)
    yield watches("DELETED swallowed", distortions.without_deleted)
    yield watches("duplicated events", distortions.twice)
    yield watches("reordered events", distortions.reordered)
    yield watches("410 in a watch", distortions.expired, times=6)
    yield watches("500 in a watch", distortions.failing, times=3)


def _metrics_faults() -> Iterator[Scenario]:
    yield from (metrics_down(4), metrics_lost())
    yield metrics("with warnings", distortions.with_warnings)
    yield metrics("partial", distortions.is_partial)
    yield metrics("cut off", distortions.cut_off)
    yield metrics("unavailable", distortions.unavailable)
    yield metrics("slow", distortions.slow, 8.0)


def _stale(resource: str) -> Scenario:
    often = ("--resync-interval=1",)  # a job is listed at its first pass, and then only at a resync
    return _scenario(
        f"stale lists of {resource}", "stale list", lambda _: StaleLists(resource, seconds=10), flags=often
    )


async def _hang(_answer: Answer) -> Answer:
    await asyncio.sleep(20.0)
    raise LostError
