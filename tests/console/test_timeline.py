"""The timeline in a real browser: waits, preemptions, retries, pauses and a suspension, each with its own times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.console import seed
from tests.console.conftest import NAMESPACE
from tests.console.made import METRIC, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.api import Api
    from tests.console.browser import Visitor

pytestmark = pytest.mark.browser

HOUR = timedelta(hours=1)
CURVE = {"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}
KNOWN = {"curve": CURVE, "epochs": 3, "objective": "0.3", "display": "0.3"}


def test_a_timeline_tells_waits_preemptions_retries_and_pauses_apart(
    visit: Callable[..., Visitor], token: str, api: Api
) -> None:
    """The API server says when trials were created: what happens is dated after now, and seen an hour later."""
    now = datetime.now(UTC).replace(microsecond=0)

    def at(minute: int) -> str:
        return (now + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")

    statuses: dict[str, dict[str, Any]] = {
        "waits": {"phase": "Pending"},
        "preempted": {
            **KNOWN,
            "phase": "Running",
            "attempt": 2,
            "disruptions": 1,
            "attemptTime": at(10),
            "startTime": at(20),
        },
        "retried": {
            **KNOWN,
            "phase": "Completed",
            "attempt": 2,
            "failures": 1,
            "attemptTime": at(10),
            "startTime": at(12),
            "completionTime": at(42),
            "trainingSeconds": 1800,
        },
        "paused": {
            **KNOWN,
            "phase": "Paused",
            "trainingSeconds": 900,
            "attempt": 1,
            "pauseDecision": {
                "reason": "OutOfReach",
                "epoch": 2,
                "value": "0.2",
                "message": "epoch 2: not yet promising",
            },
        },
        "resumed": {
            **KNOWN,
            "phase": "Running",
            "attempt": 2,
            "resumptions": 1,
            "trainingSeconds": 600,
            "attemptTime": at(30),
            "startTime": at(31),
        },
    }
    made = seed.make(Plan("rough", trials=len(statuses), running=1, early_stopped=0, failed=(), epochs=3))
    made.pods.clear()
    for trial, status in zip(made.trials, statuses.values(), strict=True):
        trial["status"] = status
    made.job["status"] |= {"phase": "Suspended", "startTime": at(0)}
    suspended = {"type": "Suspended", "status": "True", "reason": "SuspendedByUser", "message": "it is suspended"}
    made.job["status"]["conditions"].append({**suspended, "lastTransitionTime": at(50), "observedGeneration": 1})
    made.events = [event for event in made.events if event["reason"] == "TrialCreated"][:1]
    for event in made.events:
        event |= {"type": "Warning", "reason": "Disrupted", "message": "rough-0002: preempted by another Pod"}
        event["eventTime"] = at(10).replace("Z", ".000000Z")
    seed.put(api, NAMESPACE, made)

    visitor = visit()
    page = visitor.page
    page.clock.install(time=now + HOUR)
    visitor.sign_in(token)
    visitor.go("#/ns/research/jobs/rough/timeline")
    expect(page.get_by_role("img").or_(page.locator("svg.plot")).first).to_be_visible()
    expect(page.get_by_text("Disrupted", exact=True)).to_be_visible()
    told = page.locator(".lanes rect title").all_text_contents()
    spans = [title.removeprefix("rough-000") for title in told if title.startswith("rough-")]
    names = {str(number): name for number, name in enumerate(statuses, 1)}
    found: dict[str, list[str]] = {name: [] for name in statuses}
    for title in spans:
        found[names[title[0]]].append(title[2:])
    assert [title.partition(":")[0] for title in found["waits"]] == ["waits for its Pod"]
    assert found["preempted"][:2] == ["earlier attempts (now number 2): 10 min 0 s", "waits for its Pod: 10 min 0 s"]
    assert found["preempted"][2].startswith("Running, trained 40 min")
    assert found["retried"][0] == "earlier attempts (now number 2): 10 min 0 s"
    assert found["retried"][2] == "Completed, trained 30 min 0 s: 30 min 0 s"
    assert found["paused"][0] == "trained until it was paused: 15 min 0 s"
    assert found["paused"][1].startswith("paused: 45 min")
    assert found["resumed"][:2] == [
        "trained until it was paused: 10 min 0 s",
        "paused, then resumed (now number 2): 20 min 0 s",
    ]
    assert page.locator(".lanes path title").all_text_contents() == ["Disrupted: rough-0002: preempted by another Pod"]
    expect(page.locator(".lanes text", has_text="suspended")).to_be_visible()
    visitor.go("#/ns/research/trials/rough-0004")
    expect(page.get_by_text("not yet promising").first).to_be_visible()
    visitor.go("#/ns/research/jobs/rough/trials")
    expect(page.get_by_role("row", name="rough-0004")).to_contain_text("Paused")
    expect(page.get_by_role("button", name=METRIC)).to_be_visible()
