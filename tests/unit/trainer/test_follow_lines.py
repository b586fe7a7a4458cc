"""Files that grow, come late, are started again, or cannot be read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.trainer.logs import Followed
from tuning_trainer.follow.lines import MAX_LINE, Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def texts(lines: Lines, *, last: bool = False) -> list[str]:
    return [piece.text for piece in lines.new(last=last)]


def test_a_file_is_followed_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = Lines(path)
    assert texts(lines) == []
    assert lines.trouble == f"the file {path} never appeared: does the training write to it?"
    with path.open("ab", buffering=0) as file:
        file.write(b"one\r\ntw")
        assert texts(lines) == ["one"]
        assert lines.trouble == ""
        file.write(b"o\rthr")
        assert texts(lines) == ["two"]
        file.write("eé".encode()[:-1])
        assert texts(lines) == []
    assert texts(lines, last=True) == ["thre\u00c3"]


@pytest.mark.parametrize(
    "restart",
    [
        lambda path: path.write_text("b\n"),
        lambda path: path.write_text("b\n" + "x" * 15 + "\n" + "y" * 100),
        lambda path: path.write_text("b\n" + "x" * 14 + "\n\n"),
        lambda path: (path.unlink(), path.write_text("b\nc and more than there was before\n")),
        lambda path: (path.with_name("new").write_text("b\n"), path.with_name("new").rename(path)),
        lambda path: (path.rename(path.with_name("log.1")), path.write_text("b\n")),
    ],
    ids=["truncated", "written over", "written over at the same length", "deleted", "replaced", "rotated"],
)
def test_a_file_that_is_started_again_is_read_from_its_beginning(
    tmp_path: Path, restart: Callable[[Path], object]
) -> None:
    path = tmp_path / "log"
    path.write_text("first\nand second\n")
    lines = Lines(path)
    assert texts(lines) == ["first", "and second"]
    restart(path)
    pieces = list(lines.new())
    assert (pieces[0].text, pieces[0].restarted) == ("b", True)
    assert not any(piece.restarted for piece in pieces[1:])


@pytest.mark.parametrize("in_place", [True, False])
def test_a_history_that_is_written_whole_each_epoch_is_counted_once(tmp_path: Path, in_place: bool) -> None:
    path, written = tmp_path / "log", tmp_path / "new"
    lines, followed, history = Lines(path), Followed(), ""
    for epoch in range(1, 5):
        history += f'{{"val_loss": {epoch}}}\n'
        if in_place and epoch == 3:
            path.write_text("")  # looked at in between
            assert list(lines.new()) == []
        written.write_text(history)
        path.write_text(history) if in_place else written.rename(path)
        for piece in lines.new():
            followed.follower.take(piece)
    assert followed.end() == [(epoch, epoch) for epoch in range(1, 5)]


def test_a_log_that_was_rotated_is_counted_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines, followed = Lines(path), Followed()
    for value in (3, 2, 1):
        path.write_text(f'{{"val_loss": {value}}}\n')
        for piece in lines.new():
            followed.follower.take(piece)
        path.rename(tmp_path / f"log.{value}")
    assert followed.end() == [(1, 3), (2, 2), (3, 1)]


def test_a_file_that_gives_way_to_another_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\n")
    lines = Lines(path)
    assert texts(lines) == ["one"]
    with path.open("a") as file:
        file.write("two\nthree")
    path.rename(tmp_path / "log.1")
    path.write_text("four\n")
    assert texts(lines) == ["two", "three", "four"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_known_by_their_marks(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log"
    data = "acc=0.5\nacc=0.75\n".encode(encoding)
    lines, found = Lines(path), []
    with path.open("ab", buffering=0) as file:
        for byte in data:
            file.write(bytes([byte]))
            found += texts(lines)
    assert found + texts(lines, last=True) == ["acc=0.5", "acc=0.75"]


def test_what_is_no_utf_8_is_latin_1(tmp_path: Path) -> None:
    path, followed = tmp_path / "log", Followed(regex="précision=([0-9.]+)")
    path.write_bytes("Époque précision=0.5\n".encode("latin-1") + "précision=0.75 é\n".encode())
    for piece in Lines(path).new():
        followed.follower.take(piece)
    assert followed.end() == [(1, 0.5), (2, 0.75)]


def preallocate(path: Path, size: int) -> None:
    path.write_bytes(b"\0" * size)


def punch(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


@pytest.mark.parametrize("prepare", [preallocate, punch])
@pytest.mark.parametrize("size", [64, 5000, 3 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_zeros_at_the_end_are_room_for_what_is_still_to_be_written(
    tmp_path: Path, prepare: Callable[[Path, int], None], size: int, encoding: str
) -> None:
    path = tmp_path / "log"
    prepare(path, size)
    lines, found, written = Lines(path), [], "one\ntwo\nthree".encode(encoding)
    assert texts(lines) == []
    for at in range(0, len(written), 5):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(written[at : at + 5])
        found += texts(lines)
    assert found + texts(lines, last=True) == ["one", "two", "three"]
    assert path.stat().st_size == max(size, len(written))


@pytest.mark.parametrize("looked", [True, False])
def test_a_copied_and_truncated_log_is_read_whether_its_writer_appends_or_not(tmp_path: Path, looked: bool) -> None:
    """One that does not leaves a hole of the old length, which is nothing that was written."""
    path, followed = tmp_path / "log", Followed()
    lines = Lines(path)

    def look() -> None:
        for piece in lines.new():
            followed.follower.take(piece)

    with path.open("wb", buffering=0) as writer:
        for value in range(1, 5):
            writer.write(b'{"val_loss": %d, "more": "%s"}\n' % (value, b"x" * 40_000))
            look()
            if value % 2 == 0:
                os.truncate(path, 0)
                if looked:
                    look()
    assert followed.end() == [(value, value) for value in range(1, 5)]


def test_a_hole_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.seek(1 << 40)
        file.write(b"one\n")
    lines = Lines(path)
    assert texts(lines) == ["one"]
    os.truncate(path, 1 << 41)
    assert texts(lines, last=True) == []


def test_a_line_without_end_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * MAX_LINE) + b"\nshort\n" + b"\r" * MAX_LINE + b"\r\n")
    assert [(len(piece.text), piece.is_cut) for piece in Lines(path).new()] == [(MAX_LINE, True), (5, False)]


def test_a_file_that_has_the_newest_epoch_alone_is_read_each_time(tmp_path: Path) -> None:
    path, followed = tmp_path / "log", Followed()
    lines = Lines(path)
    for epoch in (1, 2, 3):
        path.write_text(f'{{"epoch": {epoch}, "val_loss": {epoch}}}\n')
        for piece in lines.new():
            followed.follower.take(piece)
    assert followed.end() == [(epoch, epoch) for epoch in (1, 2, 3)]


def test_the_end_of_a_line_that_is_too_long_is_reported(tmp_path: Path) -> None:
    path, followed = tmp_path / "log", Followed()
    path.write_text('{"val_loss": 1, "x": "' + "x" * MAX_LINE + '"}\n{"val_loss": 2}\n')
    for piece in Lines(path).new(last=True):
        followed.follower.take(piece)
    assert followed.end() == [(1, 2)]
    assert "it is longer than 1,048,576 characters, and its end was not read" in followed.summary["problem"]


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("nobody")
def test_a_file_that_may_not_be_read_is_told_and_read_when_it_may(tmp_path: Path) -> None:
    path = tmp_path / "log"
    me = os.geteuid()
    os.seteuid(os.getuid())
    path.write_text("one\n")
    path.chmod(0)
    os.seteuid(me)
    lines = Lines(path)
    assert texts(lines) == []
    assert lines.trouble.startswith(f"the file {path} cannot be read (mode 0000, owner {os.getuid()}:{os.getgid()})")
    assert "fsGroup" in lines.trouble
    os.seteuid(os.getuid())
    path.chmod(0o644)
    os.seteuid(me)
    assert texts(lines) == ["one"]
    assert lines.trouble == ""


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "log")
    lines = Lines(tmp_path / "log")
    assert texts(lines, last=True) == []
    assert "is not a regular file" in lines.trouble
