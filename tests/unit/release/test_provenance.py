"""Provenance says what was built, from what, and whether that was committed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from release.provenance import Origin, statement

ORIGIN = Origin(
    "1.2.3", "a" * 40, {"b.lock": "2", "a.lock": "1"}, "https://example.com/builder", datetime(2026, 12, 1, tzinfo=UTC)
)
ENDED = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)


def test_subjects_sources_and_times_are_named() -> None:
    said = json.loads(statement(ORIGIN, {"operator": "d" * 64}, ENDED))
    build, run = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert said["subject"] == [{"name": "operator", "digest": {"sha256": "d" * 64}}]
    assert build["externalParameters"] == {"version": "1.2.3"}
    assert build["resolvedDependencies"] == [
        {"uri": "git+tuning-operator", "digest": {"gitCommit": "a" * 40}},
        {"uri": "a.lock", "digest": {"sha256": "1"}},
        {"uri": "b.lock", "digest": {"sha256": "2"}},
    ]
    assert run["builder"] == {"id": "https://example.com/builder"}
    assert run["metadata"] == {"startedOn": "2026-12-01T00:00:00Z", "finishedOn": "2026-12-01T00:05:00Z"}


@pytest.mark.parametrize(("suffix", "changed"), [("", False), ("-dirty", True)])
def test_uncommitted_changes_are_owned_up_to(suffix: str, changed: bool) -> None:
    origin = replace(ORIGIN, revision="a" * 40 + suffix)
    build = json.loads(statement(origin, {}, ENDED))["predicate"]["buildDefinition"]
    assert build["internalParameters"] == {"uncommittedChanges": changed}
    assert build["resolvedDependencies"][0]["digest"] == {"gitCommit": "a" * 40}
