from __future__ import annotations

from typing import Any

from tuning_operator.api.once import Once


def body(uid: str, version: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version}}


def test_each_version_of_an_object_is_read_once_and_forgotten_when_it_is_gone() -> None:
    once: Once[str] = Once()
    read: list[str] = []

    def look(*found: tuple[str, str]) -> list[str]:
        def make(uid: str, version: str) -> str:
            read.append(uid + version)
            return uid + version

        once.keep({uid for uid, _ in found})
        return [once.of(body(*each), lambda each=each: make(*each)) for each in found]  # type: ignore[misc]

    assert look(("a", "1"), ("b", "1")) == ["a1", "b1"]
    assert look(("a", "1"), ("b", "2")) == ["a1", "b2"]
    assert read == ["a1", "b1", "b2"]
    assert (look(("b", "2")), len(once)) == (["b2"], 1)
    assert look(("a", "1"), ("c", "")) == ["a1", "c"]
    assert look(("c", "")) == ["c"]
    assert read[3:] == ["a1", "c", "c"], "what has no version is read each time"
