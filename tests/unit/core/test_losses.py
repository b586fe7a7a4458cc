from __future__ import annotations

import pytest

from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.sources import Gauges, LogFile, Selector
from tuning_operator.core.report.losses import losses

LOG, GAUGES, CONTRACT = LogFile("/logs/t.log"), Gauges(Selector("v"), Selector("e")), None


@pytest.mark.parametrize(
    ("source", "epochs", "lost"),
    [
        (CONTRACT, [], None),
        (CONTRACT, [1, 2, 3], None),
        (CONTRACT, [0, 1, 2], None),
        (CONTRACT, [5, 10, 15], None),  # at a step
        (CONTRACT, [3], (2, 1)),
        (CONTRACT, [3, 4], (2, 1)),
        (CONTRACT, [1, 2, 4], (1, 3)),
        (CONTRACT, [1, 4, 6], (3, 2)),
        (CONTRACT, [0, 2], (1, 1)),
        (CONTRACT, [1, 3, 5], (2, 2)),
        (CONTRACT, [0, 1, 3], (1, 2)),
        (CONTRACT, [10, 15, 25], (2, 5)),
        (GAUGES, [2, 4, 6], (3, 1)),  # a gauge counts one by one
        (GAUGES, [1, 2, 3], None),
        (LOG, [5], None),
        (LOG, [5, 10, 15, 20], None),
        (LOG, [1, 3, 5], None),
        (LOG, [5, 6, 7], None),  # resumed
        (LOG, [5, 6, 8], (1, 7)),
        (LOG, [0.5, 1, 1.5, 2], None),
        (LOG, [0.5, 1, 2, 2.5], (1, 1.5)),
        (LOG, [0.13, 0.27, 0.4, 0.53], None),  # rounded
        (LOG, [0.1, 0.2, 0.3, 0.6], (2, 0.4)),
        (LOG, [1, 2, 5, 10, 20, 50], None),  # a rhythm that no step describes
    ],
)
def test_what_the_training_never_meant_to_report_is_not_lost(
    source: Gauges | LogFile | None, epochs: list[float], lost: tuple[int, float] | None
) -> None:
    assert losses(Curve.of((epoch, 0.5) for epoch in epochs), source) == lost


def test_of_a_thinned_curve_nothing_can_be_told() -> None:
    curve = Curve.of([(1, 0.1), (9, 0.2)])
    assert losses(curve, CONTRACT)
    assert losses(Curve(curve.epochs, curve.values, left_out=7), CONTRACT) is None
