"""Programs that fail, hang or are missing are one kind of error, with a sentence that says which."""

from __future__ import annotations

import re

import pytest

from cluster import tools


def test_the_output_is_returned() -> None:
    assert tools.call("cat", stdin="hello") == "hello"


def test_a_failure_has_the_programs_words() -> None:
    with pytest.raises(tools.CommandError, match=r"sh -c .* failed:\nno such volume"):
        tools.call("sh", "-c", "echo no such volume >&2; exit 3")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(tools.CommandError, match="no-such-program is not installed"):
        tools.call("no-such-program")


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "LIMIT_SECONDS", 0.1)
    with pytest.raises(tools.CommandError, match=re.escape("sleep 1000 has not ended within 0.1 s")):
        tools.call("sleep", "1000")
