"""What tests of a trial's lifecycle share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.builders import NOW, curve, trial
from tuning_operator.core.lifecycle.advance import advance
from tuning_operator.core.lifecycle.facts import TrialFacts
from tuning_operator.core.model.attempt import History, Reading
from tuning_operator.core.model.curves import Curve, Measurement
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.trial import TrialStatus


GRACE = timedelta(minutes=15)
EARLY = StopDecision("BelowMedian", "0.1 is below 0.2", epoch=3, value=0.1, threshold=0.2)
LAST = {"loss": Measurement(2, 0.7), "validation:accuracy": Measurement(2, 0.2)}
COMPLETE = History(curve(0.1, 0.2), complete=True, metrics=LAST)
THINNED = History(Curve.of([(2, 0.2)]), complete=False, metrics=LAST)


def step(before: Trial, found: Attempt | None, reading: Reading | None = None, **facts: Any) -> TrialStatus:
    return advance(before, TrialFacts(found, reading, NOW, GRACE, **facts))


def seen(phase: TrialPhase, **status: Any) -> Trial:
    """A trial whose first Pod is recorded."""
    return trial(1, phase, **({"attempt_uid": "pod-uid-1-1"} | status))
