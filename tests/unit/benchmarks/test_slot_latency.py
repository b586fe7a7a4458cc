from __future__ import annotations

from benchmarks.slot_latency import moments, waits


def test_a_wait_is_from_an_end_to_the_beginning_in_the_same_slot() -> None:
    begins, ends = [0.0, 0.5, 11.0, 10.25, 21.0], [20.0, 9.0, 10.5]
    assert waits(ends, begins, 2) == [1.25, 0.5, 1.0]
    assert waits([], begins, 2) == []


def test_trainings_say_when_they_started_and_reported() -> None:
    logs = ["started 1.5\nepoch 1\nreported 9.25\n", "", "started 10.0\n"]
    assert moments("started", logs) == [1.5, 10.0]
    assert moments("reported", logs) == [9.25]
