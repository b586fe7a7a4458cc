"""TensorBoard's event files: their frames, their scalars, and which epoch each is."""

from __future__ import annotations

import contextlib
import math
import os
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trainer.eventlog import append, event, field, frame, simple, tensor, varint
from tuning_trainer.follow.eventfiles import EventFiles
from tuning_trainer.follow.events import Scalar, scalars
from tuning_trainer.follow.records import MAX_RECORD, Records, masked_crc
from tuning_trainer.follow.steps import MAX_OTHERS, MAX_WAITING, Steps
from tuning_trainer.history import MAX_EPOCH, History

if TYPE_CHECKING:
    from pathlib import Path

NAME = "events.out.tfevents.1.host"


@pytest.mark.parametrize(
    ("data", "crc"),
    # RFC 3720, appendix B.4, then rotated and moved as TFRecord has it.
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_checksums_are_those_of_the_standard(data: bytes, crc: int) -> None:
    assert masked_crc(data) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_record_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    whole = frame(b"one") + frame(b"two")
    path = tmp_path / NAME
    records, seen = Records(path), []
    path.touch()
    for byte in whole:
        append(path, bytes([byte]))
        seen += list(records.new())
    assert (seen, records.problem) == ([b"one", b"two"], "")


def test_room_that_is_not_written_to_yet_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(frame(b"one") + bytes(40))
    records = Records(path)
    assert list(records.new()) == [b"one"]
    path.write_bytes(frame(b"one") + frame(b"two"))
    assert (list(records.new()), records.problem) == ([b"two"], "")


def test_a_wrong_checksum_of_a_record_loses_that_one_and_of_a_length_the_rest(tmp_path: Path) -> None:
    good, bad_data, bad_length = frame(b"good"), bytearray(frame(b"data")), bytearray(frame(b"length"))
    bad_data[13] ^= 1
    bad_length[2] ^= 1
    path = tmp_path / NAME
    append(path, bytes(bad_data), good)
    records = Records(path)
    assert list(records.new()) == [b"good"]
    assert records.problem == f"{NAME} has a record with a wrong checksum at byte 0"
    append(path, bytes(bad_length), good)
    assert list(records.new()) == []
    assert records.problem == f"{NAME} is damaged at byte 40: what follows is not read"


@pytest.mark.parametrize("length", [1 << 40, (1 << 64) - 1])
def test_a_length_that_lies_takes_no_memory(tmp_path: Path, length: int) -> None:
    header = struct.pack("<Q", length)
    path = tmp_path / NAME
    append(path, header, struct.pack("<I", masked_crc(header)), bytes(100))
    records = Records(path)
    assert list(records.new()) == list(records.new()) == []


def test_a_large_record_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / NAME
    header = struct.pack("<Q", MAX_RECORD + 1)
    append(path, header, struct.pack("<I", masked_crc(header)), bytes(MAX_RECORD + 5), frame(b"next"))
    assert list(Records(path).new()) == [b"next"]


DIM = field(2, field(1, 1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (simple("a", 0.5), 0.5),
        (simple("a", -math.inf), -math.inf),
        (tensor("a", 1, field(4, struct.pack("<f", 0.5))), 0.5),
        (tensor("a", 1, field(4, struct.pack("<f", 0.5)), DIM), 0.5),
        (tensor("a", 1, field(5, struct.pack("<f", 0.5))), 0.5),
        (tensor("a", 1, varint(5 << 3 | 5) + struct.pack("<f", 0.5)), 0.5),
        (tensor("a", 1, b""), 0.0),
        (tensor("a", 2, field(6, struct.pack("<d", 0.1))), 0.1),
        (tensor("a", 3, field(7, varint(-2))), -2.0),
        (tensor("a", 9, field(10, 7)), 7.0),
        (tensor("a", 9, field(4, struct.pack("<q", -7))), -7.0),
        (tensor("a", 19, field(13, varint(0x3800))), 0.5),
        (tensor("a", 14, field(13, varint(0x3F00))), 0.5),
        (tensor("a", 14, field(4, b"\x00\x3f")), 0.5),
    ],
)
def test_scalars_are_found_in_each_form(value: bytes, expected: float) -> None:
    assert list(scalars(event(3, value))) == [Scalar("a", 3, expected)]


@pytest.mark.parametrize(
    "value",
    [
        tensor("text", 7, field(8, b"words")),
        tensor("several", 1, field(4, struct.pack("<2f", 0.5, 0.5)), field(2, field(1, 2))),
        tensor("short", 1, field(4, b"\0")),
        tensor("unknown", 99, b""),
        field(1, b"image") + field(4, b"pixels"),
        simple("", 0.5),
    ],
)
def test_what_is_no_scalar_is_left_out(value: bytes) -> None:
    assert list(scalars(event(3, value, simple("b", 0.25)))) == [Scalar("b", 3, 0.25)]


def test_a_negative_step_is_none() -> None:
    assert list(scalars(event(-1, simple("a", 0.5)))) == []


def refuse_or_read(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(scalar.step >= 0 for scalar in scalars(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(data: bytes) -> None:
    refuse_or_read(data)


@given(st.integers(0, 60), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read(at: int, byte: int) -> None:
    good = event(3, simple("a", 0.5), tensor("b", 9, field(10, 7)))
    refuse_or_read(good[: at % len(good)] + bytes([byte]) + good[at % len(good) + 1 :])


def read(files: EventFiles) -> list[Scalar]:
    return list(files.new())


def test_folders_name_their_scalars_and_versions_do_not(tmp_path: Path) -> None:
    files = EventFiles(tmp_path / "logs")
    assert read(files) == []
    assert files.trouble == f"no event file appeared in {tmp_path}/logs: does the training write there?"
    for folder in ("validation", "train", "version_0", "."):
        append(tmp_path / "logs" / folder / NAME, frame(event(1, simple("loss", 0.5))))
    (tmp_path / "logs" / "checkpoint").write_text("not an event file")
    assert sorted(read(files)) == [
        ("loss", 1, 0.5),
        ("loss", 1, 0.5),
        ("train/loss", 1, 0.5),
        ("validation/loss", 1, 0.5),
    ]
    assert (files.trouble, read(files)) == ("", [])


def test_what_is_wrong_with_a_file_is_said_once_and_the_others_are_read(tmp_path: Path) -> None:
    append(tmp_path / NAME, frame(b"\x07"), frame(event(1, simple("loss", 0.5))))
    append(tmp_path / f"{NAME}.2", frame(event(2, simple("loss", 0.25))))
    files = EventFiles(tmp_path)
    assert read(files) == [("loss", 1, 0.5), ("loss", 2, 0.25)]
    assert list(files.problems()) == [f"{NAME} has a field of an unknown kind, 7"]
    assert list(files.problems()) == []


def test_a_pipe_and_a_loop_of_links_hold_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    (tmp_path / "here").symlink_to(tmp_path, target_is_directory=True)
    files = EventFiles(tmp_path)
    assert read(files) == []
    assert files.trouble.startswith("no event file appeared")


def curves(*taken: tuple[str, int, float], objective: str = "val") -> dict[float, dict[str, float]]:
    history = History()
    steps = Steps(history.place, objective, "v")
    for tag, step, value in taken:
        steps.take(Scalar(tag, step, value))
    steps.end()
    return dict(history)


def test_each_step_with_the_objective_is_an_epoch_of_what_came_before() -> None:
    assert curves(
        ("t", 50, 0.9), ("t", 100, 0.8), ("v", 100, 0.5), ("t", 150, 0.7), ("v", 200, 0.4), ("t", 250, 0.6)
    ) == {
        1: {"val": 0.5, "t": 0.8},
        2: {"val": 0.4, "t": 0.7},
    }


def test_a_file_that_comes_late_adds_to_the_epochs_of_its_steps() -> None:
    assert curves(("v", 1, 0.5), ("v", 2, 0.4), ("t", 1, 0.9), ("t", 2, 0.8), ("t", 3, 0.7)) == {
        1: {"val": 0.5, "t": 0.9},
        2: {"val": 0.4, "t": 0.8},
    }


def test_a_run_that_resumes_writes_steps_again_and_goes_on() -> None:
    assert curves(("v", 1, 0.5), ("v", 2, 0.4), ("v", 3, 0.3), ("v", 2, 9.0), ("v", 3, 9.0), ("v", 4, 0.2)) == {
        1: {"val": 0.5},
        2: {"val": 0.4},
        3: {"val": 0.3},
        4: {"val": 0.2},
    }


def test_another_tag_of_the_objectives_name_is_not_the_objective() -> None:
    assert curves(("val", 1, 9.0), ("v", 1, 0.5)) == {1: {"val": 0.5}}


def test_there_are_limits_to_what_is_kept() -> None:
    taken = [(f"t{number}", 1, 0.5) for number in range(2 * MAX_WAITING)]
    assert len(curves(*taken, ("v", 1, 0.5))[1]) <= 64
    history = History()
    steps = Steps(history.place, "val", "v")
    for step in range(MAX_EPOCH + 5):
        steps.take(Scalar("t", step, 0.5))
        steps.take(Scalar("v", step, float(step)))
    steps.end()
    kept = dict(history)
    assert (len(kept), kept[MAX_EPOCH]["val"]) == (MAX_EPOCH, MAX_EPOCH + 4)
    assert sum("t" in metrics for metrics in kept.values()) == MAX_OTHERS
    assert steps.notes.summary("")["problem"].startswith("6 values were left out")  # type: ignore[union-attr]


def test_a_tag_that_is_not_there_is_told_with_those_that_are() -> None:
    steps = Steps(History().place, "val", "epoch_loss")
    steps.take(Scalar("validation/epoch_loss", 1, 0.5))
    assert steps.notes.summary("")["problem"] == (
        "no val in 1 scalar: none has the tag epoch_loss; found instead: validation/epoch_loss"
    )
