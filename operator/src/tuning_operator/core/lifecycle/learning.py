"""Adds what an attempt has measured to what is known of its trial."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tuning_operator.core.lifecycle.facts import TrialFacts
    from tuning_operator.core.model.trial import TrialStatus


def learn(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Add the newly seen epochs to the curve: what is known stays, whatever comes later.

    A Pod that has not been seen yet has measured nothing: what Prometheus has of it is of an earlier Pod of its name.
    """
    status = _with_repetitions(status, facts)
    curve = status.curve
    if facts.reading and (facts.attempt or status.attempt_uid):
        curve = curve.merge(facts.reading.curve)
    metrics = status.metrics
    if facts.attempt and facts.attempt.history:
        curve = curve.merge(facts.attempt.history.curve)
        metrics = facts.attempt.history.metrics
    if curve is status.curve and metrics == status.metrics:
        return status
    return replace(status, curve=curve, metrics=metrics)


def _with_repetitions(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Count what a resumed training trains again, once it has reported for the first time.

    It may have resumed from an older checkpoint than that of its last known epoch, or from none.
    """
    history = facts.attempt.history if facts.attempt else None
    seen = facts.reading.curve if facts.reading and (facts.attempt or status.attempt_uid) else None
    latest = (seen.latest if seen else None) or (history.curve.latest if history else None)
    if status.resume_epoch is None or latest is None:
        return status
    again = int(np.count_nonzero((status.curve.epochs > latest.epoch) & (status.curve.epochs <= status.resume_epoch)))
    return replace(status, resume_epoch=None, repeated_epochs=status.repeated_epochs + again)
