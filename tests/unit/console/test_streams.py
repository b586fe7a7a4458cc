"""Live pages: snapshots, changes, ends, and what happens when nobody reads."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cluster.waiting import wait_until
from tests.unit.console.apiserver import job_object, trial_object
from tests.unit.console.conftest import QUICK, Lab, laboratory
from tuning_console.frames import Places

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = "/api/namespaces/team/jobs/fashion"
HOSTILE = "<img src=x onerror=alert(1)>\u202e\u0000\"'</script>"


async def until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    await asyncio.to_thread(wait_until, condition, what, seconds)


async def test_a_job_comes_with_its_trials_and_then_with_what_changes(lab: Lab) -> None:
    lab.server.trials = [trial_object(number, ["0.1", "0.2"]) for number in range(1, 61)]
    async with lab.stream(JOB) as frames:
        first = await lab.until(frames, "ready")
        assert first[0]["job"]["name"] == "fashion"
        assert "template" not in first[0]["job"]["spec"]
        rows = [row for frame in first for row in frame.get("trials", ())]
        assert [row["number"] for row in rows] == list(range(1, 61))
        assert rows[0]["curve"] == {"epochs": [1, 2], "values": [0.1, 0.2]}
        assert first[-1]["ready"] == {"job": "5", "trials": "100"}
        lab.server.change("tuningtrials", "MODIFIED", trial_object(1, ["0.1", "0.2", "0.3"], version=101))
        (*_, frame) = await lab.until(frames, "trials")
        assert frame["trials"][0]["tail"] == {"epochs": [3], "values": [0.3]}
        assert "curve" not in frame["trials"][0]
        assert frame["at"] == {"trials": "101"}
        lab.server.change("tuningjobs", "MODIFIED", job_object(phase="Completed"))
        (*_, frame) = await lab.until(frames, "job")
        assert frame["job"]["status"]["phase"] == "Completed"


async def test_a_curve_that_is_not_the_same_any_more_is_sent_whole(lab: Lab) -> None:
    lab.server.trials = [trial_object(1, ["0.1", "0.2"])]
    async with lab.stream(JOB) as frames:
        await lab.until(frames, "ready")
        shorter = trial_object(1, ["0.9"], version=101)
        long = trial_object(1, [str(index) for index in range(1_000)], version=102)
        for body, points in ((shorter, 1), (long, 400)):
            lab.server.change("tuningtrials", "MODIFIED", body)
            (*_, frame) = await lab.until(frames, "trials")
            assert 0 < len(frame["trials"][0]["curve"]["epochs"]) <= points


async def test_a_stream_goes_on_where_the_browser_is(lab: Lab) -> None:
    lab.server.trials = [trial_object(1, ["0.1"])]
    async with lab.stream(f"{JOB}?job=7&trials=70") as frames:
        lab.server.change("tuningtrials", "MODIFIED", trial_object(1, ["0.1", "0.2"], version=101))
        found = await lab.until(frames, "trials")
        assert found[-1]["trials"][0]["curve"]["epochs"] == [1, 2]
        assert not any("ready" in frame for frame in found)
    watched = {path.rpartition("/")[2]: query for _, path, query, _ in lab.server.requests if "watch" in query}
    assert watched["tuningtrials"]["resourceVersion"] == "70"
    assert watched["tuningjobs"]["resourceVersion"] == "7"


async def test_trials_of_an_earlier_job_of_the_name_are_left_out(lab: Lab) -> None:
    stranger = trial_object(9, ["0.5"])
    stranger["metadata"]["ownerReferences"] = [{"uid": "earlier"}]
    lab.server.trials = [stranger]
    async with lab.stream(JOB) as frames:
        first = await lab.until(frames, "ready")
        lab.server.change("tuningtrials", "MODIFIED", stranger)
        lab.server.change("tuningtrials", "ADDED", trial_object(1, ["0.1"], version=102))
        later = await lab.until(frames, "trials")
    assert [row["number"] for frame in first + later for row in frame.get("trials", ())] == [1]


async def test_jobs_come_and_go(lab: Lab) -> None:
    async with lab.stream("/api/jobs") as frames:
        await lab.until(frames, "ready")
        lab.server.change("tuningjobs", "ADDED", job_object("second"))
        assert (await lab.until(frames, "jobs"))[-1]["jobs"][0]["name"] == "second"
        lab.server.change("tuningjobs", "DELETED", job_object("second"))
        assert (await lab.until(frames, "gone"))[-1]["gone"] == "uid-second"


async def test_a_token_that_is_revoked_ends_the_stream(lab: Lab) -> None:
    async with lab.stream(JOB) as frames:
        await lab.until(frames, "ready")
        lab.server.tokens.discard("good")
        end = (await lab.until(frames, "end"))[-1]["end"]
    assert end == {"reason": "refused", "message": "Unauthorized", "status": 401, "source": "apiserver"}
    await until(lambda: lab.server.watchers == 0, "the watches end with it")


@pytest.mark.parametrize("resource", ["fashion", "tuningtrials"])
async def test_each_right_that_a_job_needs_is_looked_at_again(lab: Lab, resource: str) -> None:
    async with lab.stream(JOB) as frames:
        await lab.until(frames, "ready")
        lab.server.hidden.add(resource)
        assert (await lab.until(frames, "end"))[-1]["end"]["message"] == f"{resource} is forbidden"


async def test_a_right_that_is_taken_away_ends_the_stream(lab: Lab) -> None:
    async with lab.stream("/api/jobs") as frames:
        await lab.until(frames, "ready")
        lab.server.forbidden.add("good")
        assert (await lab.until(frames, "end"))[-1]["end"]["status"] == 403


async def test_a_stream_ends_by_itself_and_says_so() -> None:
    async with laboratory(limits=replace(QUICK, life=0.3)) as lab, lab.stream(JOB) as frames:
        assert (await lab.until(frames, "end"))[-1]["end"]["reason"] == "limit"


async def test_a_version_that_is_too_old_is_read_again(lab: Lab) -> None:
    lab.server.expired = True
    async with lab.stream(f"{JOB}?job=1&trials=1") as frames:
        assert (await lab.until(frames, "end"))[-1]["end"]["reason"] == "expired"


async def test_a_quiet_stream_shows_that_it_lives(lab: Lab) -> None:
    async with lab.stream(JOB) as frames:
        await lab.until(frames, "beat")


async def test_a_browser_that_goes_away_ends_its_watches(lab: Lab) -> None:
    async with lab.stream(JOB) as frames:
        await lab.until(frames, "ready")
        await until(lambda: lab.server.watchers == 2, "there are watches")
    await until(lambda: lab.server.watchers == 0, "there are none")


async def test_a_client_that_never_reads_is_dropped_and_takes_no_memory(lab: Lab) -> None:
    host, port = lab.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET {JOB} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer good\r\n\r\n".encode())
    await until(lambda: lab.server.watchers == 2, "the stream has begun")
    body = trial_object(1, ["0.123456"] * 300, message="x" * 1000)
    tracemalloc.start()
    try:
        for version in range(5_000):
            body["metadata"]["resourceVersion"] = str(version)
            lab.server.changes.append(
                ("tuningtrials", {"type": "MODIFIED", "object": body | {"spec": {"number": version}}})
            )
        await until(lambda: lab.server.watchers == 0, "it is dropped", seconds=30)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        writer.transport.abort()
    assert peak < 40_000_000
    del reader


async def test_streams_are_bounded_for_each_token_and_in_all() -> None:
    async with laboratory(places=Places(total=3, each=2)) as lab:
        async with lab.stream(JOB), lab.stream(JOB):
            assert (await lab.get(JOB))[0] == 429
            async with lab.stream(JOB, "other"):
                lab.server.tokens.add("third")
                assert (await lab.get(JOB, "third"))[0] == 429

        await until(lambda: not lab.console.places.taken, "the places are free again")
        async with lab.stream(JOB):
            pass


async def test_whatever_a_user_or_a_training_wrote_comes_as_text(lab: Lab) -> None:
    lab.server.jobs["fashion"]["status"]["message"] = HOSTILE
    lab.server.trials = [
        trial_object(1, ["<b>", "NaN", "+Inf"], message=HOSTILE, metrics=[{"name": HOSTILE, "epoch": 1, "value": "x"}])
    ]
    async with lab.stream(JOB) as frames:
        first = await lab.until(frames, "ready")
    assert first[0]["job"]["status"]["message"] == HOSTILE
    (row,) = first[1]["trials"]
    assert row["message"] == HOSTILE
    assert row["metrics"] == {HOSTILE: "NaN"}
    assert row["curve"]["values"] == ["NaN", "NaN", "+Inf"]


@pytest.mark.parametrize("packed", [True, False])
async def test_a_stream_is_the_same_packed_and_plain(lab: Lab, packed: bool) -> None:
    lab.server.trials = [trial_object(1, ["0.5"])]
    headers = {"Authorization": "Bearer good", "Accept-Encoding": "gzip" if packed else "identity"}
    async with lab.http.get(lab.url + JOB, headers=headers) as answer:
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
        line = await answer.content.readline()
    assert json.loads(line)["job"]["name"] == "fashion"


async def test_an_api_server_that_is_away_is_said_to_be() -> None:
    async with laboratory(api="http://127.0.0.1:9") as lab:
        status, body = await lab.get(JOB)
    assert status == 502
    assert "does not answer" in body["error"]["message"]


async def test_events_come_with_the_newest_first(lab: Lab) -> None:
    lab.server.events = [
        {"metadata": {"creationTimestamp": f"2026-03-01T10:{minute:02d}:00Z"}, "reason": str(minute)}
        for minute in (5, 59, 1)
    ] * 30
    _, body = await lab.get("/api/namespaces/team/jobs/fashion/events")
    assert [event["reason"] for event in body["events"]] == ["59"] * 30 + ["5"] * 30 + ["1"] * 30
    assert len([query for _, _, query, _ in lab.server.requests if "continue" in query]) > 0


async def test_the_events_of_a_trial_are_those_of_its_job_that_name_it(lab: Lab) -> None:
    lab.server.events = [
        {"metadata": {"creationTimestamp": "2026-03-01T10:00:00Z"}, "reason": name, "related": {"name": name}}
        for name in ("fashion-0001", "fashion-0002")
    ]
    _, body = await lab.get("/api/namespaces/team/trials/fashion-0001/events")
    assert [event["reason"] for event in body["events"]] == ["fashion-0001"]
    query: dict[str, Any] = lab.server.requests[-1][2]
    assert query["fieldSelector"] == "involvedObject.kind=HyperparameterTuningJob,involvedObject.name=fashion"


async def test_the_log_is_bounded_where_it_is_read(lab: Lab) -> None:
    lab.server.log = "\x1b[31m<script>"
    status, text = await lab.get("/api/namespaces/team/pods/fashion-0001-1/log?container=training")
    assert (status, text) == (200, lab.server.log)
    query: dict[str, Any] = lab.server.requests[-1][2]
    assert {"tailLines", "limitBytes", "container"} <= query.keys()


async def test_a_trial_comes_with_its_job_and_its_manifest(lab: Lab) -> None:
    lab.server.trials = [trial_object(1, ["0.5"], stopDecision={"reason": "BelowMedian", "epoch": 1, "value": "0.5"})]
    status, body = await lab.get("/api/namespaces/team/trials/fashion-0001")
    assert status == 200
    assert body["trial"]["decision"] == {"reason": "BelowMedian", "epoch": 1, "value": 0.5}
    assert body["job"]["name"] == "fashion"
    assert "managedFields" not in body["manifest"]["metadata"]


@pytest.mark.parametrize(("phase", "shown"), [("Paused", True), ("Running", False)])
async def test_a_trial_shows_why_it_is_paused_until_it_is_resumed(lab: Lab, phase: str, shown: bool) -> None:
    decision = {"reason": "OutOfReach", "epoch": 1, "value": "0.5"}
    lab.server.trials = [trial_object(1, ["0.5"], phase=phase, pauseDecision=decision)]
    _, body = await lab.get("/api/namespaces/team/trials/fashion-0001")
    assert ("decision" in body["trial"]) == shown
