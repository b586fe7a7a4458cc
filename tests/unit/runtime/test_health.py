from __future__ import annotations

import pytest

from tuning_operator.runtime.health import Heartbeats


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_part_that_makes_no_progress_is_named() -> None:
    clock = Clock()
    beats = Heartbeats(10, clock)
    assert beats.stuck() == []
    beats.beat("resync")
    clock.now = 10
    assert beats.stuck() == []
    clock.now = 11
    assert beats.stuck() == ["resync: no progress for 11 s"]
    beats.beat("resync")
    assert beats.stuck() == []


def test_idling_is_no_standstill_but_endless_work_is() -> None:
    clock = Clock()
    beats = Heartbeats(10, clock)
    with beats.working("worker 0"):
        clock.now = 11
        assert beats.stuck() == ["worker 0: no progress for 11 s"]
    clock.now = 100
    assert beats.stuck() == []


def test_work_that_fails_is_over() -> None:
    clock = Clock()
    beats = Heartbeats(10, clock)
    with pytest.raises(RuntimeError), beats.working("worker 0"):
        raise RuntimeError
    clock.now = 100
    assert beats.stuck() == []
