"""What another rule would have done: by the operator's own rules, in a process that is bounded and ends."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.console.apiserver import job_object, trial_object
from tuning_console import replay, replays

if TYPE_CHECKING:
    from tests.unit.console.conftest import Lab

MEDIAN = {"type": "Median", "median": {"minCompletedTrials": 3, "minProgress": 0}}
FOREVER = (sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(60)")
DIES = (sys.executable, "-c", "import os; os._exit(9)")


def path(rule: object, version: str = "5") -> str:
    query = urllib.parse.urlencode({"rule": rule if isinstance(rule, str) else json.dumps(rule), "version": version})
    return f"/api/namespaces/team/jobs/fashion/what-if?{query}"


def complete(job: dict[str, Any]) -> dict[str, Any]:
    """The job with all that the API server makes sure of."""
    job["spec"] |= {
        "strategy": "Random",
        "parameters": [{"name": "learning_rate", "continuous": {"min": 0.001, "max": 0.1, "scale": "Log"}}],
    }
    return job


def ended(number: int, best: float) -> dict[str, Any]:
    values = [str(best * epoch / 10) for epoch in range(1, 11)]
    start, end = (f"2026-03-01T{10 + number}:{minute}:00Z" for minute in ("00", "10"))
    times: dict[str, Any] = {"startTime": start, "completionTime": end, "trainingSeconds": 600}
    return trial_object(number, values, phase="Completed", objective=values[-1], **times)


@pytest.fixture
def job(lab: Lab) -> Lab:
    lab.server.jobs["fashion"] = complete(job_object())
    lab.server.trials = [ended(number, best) for number, best in enumerate((0.9, 0.8, 0.85, 0.3), 1)]
    # The process has a low priority: beside other tests it may take long.
    lab.console.replays.seconds = 300
    return lab


async def test_the_operators_rule_says_what_it_would_have_stopped(job: Lab) -> None:
    status, result = await job.get(path(MEDIAN))
    assert status == 200, result
    assert [trial["name"] for trial in result["trials"] if trial["stop"]] == ["fashion-0004"]
    assert (result["winnerLost"], result["best"]["name"]) == (False, "fashion-0001")
    assert {token for *_, token in job.server.requests} == {"good"}


async def test_what_was_replayed_is_remembered_for_its_token_alone(job: Lab) -> None:
    first = await job.get(path(MEDIAN))
    job.console.replays.command = DIES
    assert await job.get(path(MEDIAN)) == first
    assert (await job.get(path(MEDIAN), "other"))[0] == 422
    job.server.tokens.discard("good")
    assert (await job.get(path(MEDIAN)))[0] == 401


async def test_trials_of_an_earlier_job_of_the_name_are_left_out(job: Lab) -> None:
    job.server.trials[0]["metadata"]["ownerReferences"] = [{"uid": "uid-of-an-earlier-one"}]
    _, result = await job.get(path(MEDIAN))
    assert [trial["number"] for trial in result["trials"]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "the query has no rule"),
        ("[1]", "the query has no rule"),
        ("[" * 2_500, "the query has no rule"),
        ({"type": "Best"}, "type: Input should be"),
        ({"type": "Median", "median": {"nonsense": 1}}, "median.nonsense: is not a field of the rule"),
        (
            {"type": "Hyperband", "minResource": 1, "maxResource": "many"},
            "maxResource: Input should be a valid integer",
        ),
    ],
)
async def test_a_rule_that_is_not_understood_is_refused_in_words(job: Lab, rule: object, words: str) -> None:
    status, body = await job.get(path(rule))
    assert status == 422
    assert words in body["error"]["message"]


async def test_a_replay_ends_at_its_time_limit(job: Lab) -> None:
    job.console.replays.command, job.console.replays.seconds = FOREVER, 0.2
    status, body = await job.get(path(MEDIAN))
    assert status == 504
    assert "took more than 0.2 s" in body["error"]["message"]
    job.console.replays.command, job.console.replays.seconds = replays.Replays().command, 300
    assert (await job.get(path(MEDIAN)))[0] == 200


async def test_a_replay_that_dies_is_told(job: Lab) -> None:
    job.console.replays.command = DIES
    status, body = await job.get(path(MEDIAN))
    assert (status, "the replay failed" in body["error"]["message"]) == (422, True)


async def test_one_caller_has_one_replay_and_eight_wait_at_most(job: Lab) -> None:
    job.console.replays.command = FOREVER
    job.server.tokens |= {f"user{number}" for number in range(9)}
    waiting = [asyncio.create_task(job.get(path(MEDIAN), f"user{number}")) for number in range(8)]
    async with asyncio.timeout(20):
        while job.console.replays.waiting < 8:  # noqa: ASYNC110 - nothing tells when they have come
            await asyncio.sleep(0.01)
        status, body = await job.get(path(MEDIAN), "user0")
        assert (status, "another replay of yours" in body["error"]["message"]) == (429, True)
        status, body = await job.get(path(MEDIAN), "user8")
        assert (status, "8 replays wait" in body["error"]["message"]) == (429, True)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # Browsers that went away hold no place.
        while job.console.replays.waiting:  # noqa: ASYNC110 - nothing tells when they have gone
            await asyncio.sleep(0.01)


async def test_trials_beyond_all_bounds_are_not_replayed(job: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MAX_ANSWER", 500)
    status, body = await job.get(path(MEDIAN))
    assert (status, "kubectl tuning what-if" in body["error"]["message"]) == (422, True)


def test_a_console_without_the_rules_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tuning_operator.api.what_if", None)
    answers = io.StringIO()
    replay.answer(io.StringIO("{}\n{}\n"), answers)
    said = json.loads(answers.getvalue())
    assert said["installed"] is False
    assert "pip install 'tuning-console[what-if]'" in said["error"]
