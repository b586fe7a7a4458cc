"""What the suggester learns about a job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.builders import curve, ended, job, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.trial import Trial, TrialPhase


@pytest.mark.parametrize(
    ("known", "informs"),
    [
        (trial(1, TrialPhase.STOPPED), False),  # before its first epoch
        (trial(1, TrialPhase.STOPPED, curve=curve(0.3)), True),
        (trial(1, TrialPhase.FAILED), True),
        (ended(1, 0.5), True),
        (ended(1, float("nan")), True),
        (ended(1, 0.5, phase=TrialPhase.EARLY_STOPPED), True),
    ],
)
def test_a_trial_that_never_trained_says_nothing_of_its_parameters(known: Trial, informs: bool) -> None:
    asked = decide(snapshot(job(), [known])).suggest
    assert asked
    assert asked.observations == (Observation.of(known),)
    assert asked.observations[0].informs == informs
    assert asked.space.key(known.parameters) in asked.seen()


def test_all_free_slots_are_filled_by_one_request() -> None:
    """A model is fitted once for all of them."""
    first = decide(snapshot(job(trials=150, parallel=100), [])).suggest
    assert first
    assert first.numbers == tuple(range(1, 101))
    added = [trial(number, TrialPhase.RUNNING, attempt_uid=f"pod-uid-{number}-1") for number in range(1, 61)]
    pods = [running_pod(number) for number in range(1, 61)]
    second = decide(snapshot(job(trials=150, parallel=100), added, pods)).suggest
    assert second
    assert second.numbers == tuple(range(61, 101))
    assert second.pending == tuple(each.parameters for each in added)
    few = decide(snapshot(job(trials=62, parallel=62), added, pods)).suggest
    assert few
    assert few == replace(second, numbers=(61, 62))
