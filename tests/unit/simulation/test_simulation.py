"""Random histories of a job: Pods meet with any fate, the operator crashes between any two requests, another operator
or a user comes in between, Prometheus is silent for a while. The promises are checked at every write (see
`promises.py`) and at the end.

`make simulation` runs a hundred times as many of them, new ones each time.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.unit.simulation.connection import Fault
from tests.unit.simulation.objects import FINAL, FINAL_JOB, new_job, phases, repetitions_of, searched
from tests.unit.simulation.operator import SimulatedOperator, new_runner
from tests.unit.simulation.world import World

EVERYDAY = ("start all", "report all", "report all", "report all", "report", "succeed", "succeed unscraped")
TROUBLE = ("fail", "delete", "disrupt", "lose node", "vanish", "reap", "unlabel")
fates = st.tuples(st.sampled_from(EVERYDAY * 2 + TROUBLE), st.integers(0, 3))
ROUND = st.tuples(st.lists(fates, min_size=1, max_size=5), st.booleans(), st.booleans())
limits = st.fixed_dictionaries(
    {"maxTrials": st.integers(2, 7), "maxParallelTrials": st.integers(1, 3)},
    optional={"maxFailedTrials": st.integers(2, 4)},
)
faults = st.builds(
    Fault,
    call=st.integers(1, 14),
    kind=st.sampled_from(("crash", "error", "fate", "edit", "rival")),
    late=st.booleans(),
    fate=fates,
)
patience = st.fixed_dictionaries(
    {
        "retry": st.fixed_dictionaries({"maxAttempts": st.integers(1, 3)}),
        "metrics": st.sampled_from(({}, {"startDeadline": "3s"}, {"startDeadline": "20s"})),
    }
)
criteria = st.fixed_dictionaries(
    {"runningTrials": st.sampled_from(("Finish", "Stop"))}, optional={"maxTrialsWithoutImprovement": st.just(3)}
)
CONFIRM = st.sampled_from((None, {"top": 1, "seeds": 3}, {"top": 2, "seeds": 2}))
edits = st.one_of(
    st.fixed_dictionaries({"limits": limits}),
    st.fixed_dictionaries({"suspend": st.booleans(), "suspendPolicy": st.sampled_from(("Drain", "Stop"))}),
    st.fixed_dictionaries({"target": st.sampled_from((None, 0.5, 0.9))}),
    patience,
    st.fixed_dictionaries({"completion": criteria, "podCleanup": st.sampled_from(("Keep", "Delete"))}),
    st.fixed_dictionaries({"confirm": CONFIRM}),
    st.fixed_dictionaries({"ttlSecondsAfterFinished": st.sampled_from((None, 0, 60))}),
)


class Simulation(RuleBasedStateMachine):
    """The steps of a history; `steps` counts passes and fates, over all of them."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.runner = new_runner()
        self.pauses = False
        self._begin(World({}, 0))

    def _begin(self, world: World) -> None:
        self.world = world
        self.operator, self.rival = (SimulatedOperator(world, self.runner) for _ in range(2))
        world.rival = self.rival.make_pass

    @initialize(
        seed=st.integers(0, 1000),
        bounds=limits,
        goal=st.sampled_from((None, None, 0.5, 0.9)),
        stopping=st.sampled_from(("Median", "Auto", "Off", "Pause", "Pause")),
        fields=patience,
        confirm=CONFIRM,
        dry_run=st.booleans(),
    )
    def apply(
        self,
        seed: int,
        bounds: dict[str, int],
        goal: float | None,
        stopping: str,
        fields: dict[str, Any],
        confirm: dict[str, int] | None,
        *,
        dry_run: bool,
    ) -> None:
        self._begin(World(new_job(seed, bounds, goal, stopping, dry_run=dry_run), seed))
        self.pauses = stopping == "Pause"
        self.world.edit(**fields, confirm=confirm)

    @rule(rounds=st.lists(ROUND, min_size=2, max_size=6))
    def live(self, rounds: list[tuple[list[tuple[str, int]], bool, bool]]) -> None:
        for several, scraped, polled in rounds:
            assert self.operator.reconcile()
            for fate in several:
                self.world.befall(*fate)
            Simulation.steps += 1 + len(several)
            if scraped:
                self.world.scrape()
            if polled:
                self.operator.poll()

    @rule(fault=faults, polled=st.booleans())
    def reconcile_with_a_fault(self, fault: Fault, polled: bool) -> None:
        if polled:
            self.operator.poll()
        if not self.operator.reconcile(fault):
            self._restart()
        Simulation.steps += 1

    @rule(polled=st.booleans(), passes=st.integers(1, 3))
    def live_beside_another_operator(self, polled: bool, passes: int) -> None:
        """As when a node is cut off: its operator continues for a while, with its own memory."""
        if polled:
            self.rival.poll()
        for _ in range(passes):
            assert self.rival.reconcile()
        Simulation.steps += passes

    @rule(ahead=st.booleans(), attempt=st.integers(1, 3), owned=st.booleans())
    def plant(self, ahead: bool, attempt: int, owned: bool) -> None:
        """Somebody who may create Pods takes a name, with the job's label and perhaps a trial as its owner."""
        self.world.plant(ahead, attempt, owned=owned)

    @precondition(lambda self: self.world.trials)
    @rule(index=st.integers(0, 6))
    def unlabel_a_trial(self, index: int) -> None:
        trials = list(self.world.trials.values())
        self.world.unlabel(trials[index % len(trials)])

    @rule(up=st.booleans())
    def lose_or_find_prometheus(self, up: bool) -> None:
        self.world.prometheus_is_up = up

    @rule(
        hearing=st.sampled_from(("all", "all", "late", "one", "never", "backwards", "gap")),
        live=st.sampled_from((True, True, True, False)),
        rival=st.booleans(),
    )
    def hear(self, hearing: str, live: bool, rival: bool) -> None:
        """Watches lag for any time, lose events, reorder them, or are cut off."""
        operator = self.rival if rival else self.operator
        operator.hearing, operator.is_live = hearing, live

    @rule(rival=st.booleans())
    def resync(self, rival: bool) -> None:
        (self.rival if rival else self.operator).resync()

    @rule(slowly=st.booleans())
    def suggest(self, slowly: bool) -> None:
        self.world.suggests_slowly = slowly

    @rule(edit=edits)
    def edit(self, edit: dict[str, Any]) -> None:
        self.world.edit(**edit)

    @precondition(lambda self: self.pauses)
    @rule(stopping=st.sampled_from(("Auto", "Off")), sure=st.sampled_from((False, False, True)))
    def switch_early_stopping(self, stopping: str, sure: bool) -> None:
        """Off, all that is paused is worth a slot."""
        if sure:
            self.world.edit(earlyStopping={"type": stopping, "dryRun": False, "pause": stopping == "Auto"})

    @precondition(lambda self: len(self.world.trials) > 2)
    @rule(sure=st.sampled_from((False, False, False, True)))
    def stop(self, sure: bool) -> None:
        if sure:
            self.world.edit(stop=True)

    def teardown(self) -> None:
        """Once the faults are over the job comes to its end, and then nothing is written any more."""
        try:
            if self.world.job and not self.world.deleted:
                self._finish()
        finally:
            self.runner.close()

    def _restart(self) -> None:
        self.operator = SimulatedOperator(self.world, self.runner)

    def _finish(self) -> None:
        self.world.prometheus_is_up = True
        self.world.edit(suspend=False, ttlSecondsAfterFinished=None)
        self.operator.hearing = "all"
        for _ in range(200):
            self.world.now += timedelta(seconds=30)
            self.operator.resync()
            for _ in range(3):
                assert self.operator.reconcile()
            if self.world.job["status"]["phase"] in FINAL_JOB and not self._holding():
                break
            for pod in list(self.world.pods.values()):
                if pod.deleted:
                    self.world.befall("reap", 0)
            self.world.collect_garbage()
            self.world.befall("start", 0)
            while self.world.befall("report", 0):
                pass
            self.world.scrape()
            self.operator.poll()
            assert self.operator.reconcile()
            self.world.befall("succeed", 0)
            self.operator.poll()
        else:
            raise AssertionError(f"the job does not end: {self.world.job['status']}, {self.world.trials}")
        self._check_the_end()

    def _holding(self) -> bool:
        return any(not (pod.ended or pod.deleted or pod.foreign) for pod in self.world.pods.values())

    def _check_the_end(self) -> None:
        status, trials = self.world.job["status"], list(self.world.trials.values())
        assert set(phases(trials)) <= FINAL
        counts = status["trialCounts"]
        assert sum(counts.values()) == len(trials)
        assert (counts["pending"], counts["running"]) == (0, 0)
        spec = self.world.job["spec"]
        if not (spec["stop"] or self._has_reached_target() or self._has_failed() or self._may_have_stalled()):
            assert len(searched(self.world.trials)) >= spec["limits"]["maxTrials"]
        self._check_confirmation(spec, status)
        if spec.get("podCleanup") == "Delete":
            own = (pod for pod in self.world.pods.values() if pod.labelled and not pod.foreign)
            assert all(pod.deleted for pod in own)
        for trial in trials:
            self._check_trial(trial["metadata"]["name"], trial["status"])
        before = self.world.writes
        self._restart()
        for _ in range(3):
            assert self.operator.reconcile()
            self.operator.poll()
        assert self.world.writes == before, "an ended job was written to"

    def _check_confirmation(self, spec: dict[str, Any], status: dict[str, Any]) -> None:
        """Nothing cuts it short here: each of the best settings has been trained with each seed."""
        if not spec.get("confirm") or status["phase"] != "Completed":
            return
        for setting in status["confirmation"]["settings"]:
            number = int(setting["trial"].rpartition("-")[2])
            repeated = repetitions_of(self.world.trials, number)
            assert len(repeated) >= spec["confirm"]["seeds"], "a setting was not confirmed"
            known = [
                each["status"].get("objective", "NaN") for each in repeated if each["status"]["phase"] == "Completed"
            ]
            assert setting["repetitions"] <= len([value for value in known if value != "NaN"])
        confirmed = [each for each in status["confirmation"]["settings"] if each["confirmed"]]
        if confirmed:
            best = max(confirmed, key=lambda each: float(each["mean"]))
            assert status["bestTrial"]["confirmation"]["mean"] == best["mean"]

    def _has_reached_target(self) -> bool:
        """Some trial's objective is as good as the target, or better."""
        trials = [trial["status"] for trial in searched(self.world.trials)]
        objectives = [float(status["objective"]) for status in trials if status["objectiveStatus"] == "Succeeded"]
        target = self.world.job["spec"]["objective"].get("target", math.inf)
        return any(objective >= target for objective in objectives)

    def _has_failed(self) -> bool:
        failed = phases(searched(self.world.trials)).count("Failed")
        return failed >= self.world.job["spec"]["limits"].get("maxFailedTrials", math.inf)

    def _may_have_stalled(self) -> bool:
        limit = self.world.job["spec"].get("completion", {}).get("maxTrialsWithoutImprovement", math.inf)
        found = phases(searched(self.world.trials))
        return found.count("Completed") + found.count("EarlyStopped") >= limit

    def _check_trial(self, name: str, status: dict[str, Any]) -> None:
        epochs = status["curve"]["epochs"]
        if status["phase"] == "Completed":
            reported = self.world.reported[f"{name}-{status['attempt']}"]
            assert epochs[:reported] == list(range(1, reported + 1)), "a completed trial lost an epoch"
            assert status["objectiveStatus"] == "Succeeded"
        if status.get("reason") == "NoMetrics":
            assert self.world.reported[f"{name}-{status['attempt']}"] == 0, "a trial's epochs were not waited for"
        assert (status["phase"] in {"EarlyStopped", "Stopped"}) == ("stopDecision" in status)
        dry_run = self.world.job["spec"]["earlyStopping"]["dryRun"]
        assert status["phase"] != "EarlyStopped" or not dry_run, "a dry run stopped a trial"
        assert "wouldStop" not in status or dry_run


QUICK = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_random_histories_keep_the_promises() -> None:
    run_state_machine_as_test(Simulation, settings=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("half", [1, 2])  # side by side, where tests run so
def test_many_random_histories_keep_the_promises(half: int) -> None:
    """Six hundred of them, each time the same; `--hypothesis-profile=long` for many more, and new ones."""
    many = settings(QUICK, max_examples=3 * settings().max_examples, derandomize=False)
    machine = seeded(half)(type("Half", (Simulation,), {})) if settings().derandomize else Simulation
    steps, began = Simulation.steps, time.monotonic()
    run_state_machine_as_test(machine, settings=many)
    steps, minutes = Simulation.steps - steps, (time.monotonic() - began) / 60
    print(f"\n{many.max_examples} histories of {steps} passes and fates: {steps / minutes:.0f} a minute")
