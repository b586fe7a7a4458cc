"""The console reads, with the caller's own token alone, and shows refusals in the API server's words."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tuning_console
from tests.unit.console.apiserver import trial_object
from tuning_console import questions
from tuning_console.caches import Caches
from tuning_console.errors import ConsoleError
from tuning_console.upstream import Caller

if TYPE_CHECKING:
    from tests.unit.console.conftest import Lab
    from tuning_console.questions import Question

SOURCES = [path.read_text() for path in Path(tuning_console.__file__).parent.glob("*.py")]
NAMES = ["team", "fashion", "training"]
STREAMS = ["/api/jobs", "/api/namespaces/team/jobs", "/api/namespaces/team/jobs/fashion"]
ANSWERS = [
    "/api/namespaces/team/jobs/fashion/best",
    "/api/namespaces/team/jobs/fashion/events",
    "/api/namespaces/team/jobs/fashion/manifest",
    "/api/namespaces/team/trials/fashion-0001",
    "/api/namespaces/team/trials/fashion-0001/pods",
    "/api/namespaces/team/trials/fashion-0001/events",
    "/api/namespaces/team/pods/fashion-0001-1/log",
]
REPLAY = "/api/namespaces/team/jobs/fashion/what-if?rule={}"


def all_questions() -> list[Question]:
    """Every question that the module can make."""
    makers = [
        maker
        for _, maker in inspect.getmembers(questions, inspect.isfunction)
        if inspect.signature(maker).return_annotation == "Question"
    ]
    assert len(makers) >= 9
    return [maker(*NAMES[: len(inspect.signature(maker).parameters)]) for maker in makers]


def test_the_routes_are_these_and_answer_get_alone(lab: Lab) -> None:
    routes = {(route.method, route.resource.canonical) for route in lab.console.app().router.routes() if route.resource}
    assert {method for method, _ in routes} == {"GET"}
    assert sorted(path for _, path in routes if not path.startswith("/api/")) == ["/", "/healthz", "/{name}"]
    served = {re.sub(r"\{\w+\}", "x", path) for _, path in routes if path.startswith("/api/")}
    paths = [path.partition("?")[0] for path in [*STREAMS, *ANSWERS, REPLAY]]
    tried = {re.sub(r"team|fashion-0001-1|fashion-0001|fashion", "x", path) for path in paths}
    assert served == tried | {"/api/session"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/api/session", *STREAMS, *ANSWERS, REPLAY])
async def test_nothing_but_get_is_answered_or_passed_on(lab: Lab, method: str, path: str) -> None:
    async with lab.http.request(method, lab.url + path, headers={"Authorization": "Bearer good"}) as answer:
        assert answer.status == 405
    assert lab.server.requests == []


def test_the_console_asks_for_these_resources_and_only_to_read_them() -> None:
    asked = {(question.verb, re.sub(r"team|fashion|training", "x", question.path)) for question in all_questions()}
    group = "/apis/tuning-operator.dev/v1alpha1"
    assert asked == {
        ("list", f"{group}/namespaces/x/tuningjobs"),
        ("get", f"{group}/namespaces/x/tuningjobs/x"),
        ("list", f"{group}/namespaces/x/tuningtrials"),
        ("get", f"{group}/namespaces/x/tuningtrials/x"),
        ("list", "/api/v1/namespaces/x/pods"),
        ("log", "/api/v1/namespaces/x/pods/x/log"),
        ("list", "/api/v1/namespaces/x/events"),
    }
    assert questions.jobs("team").watched("1", 5).verb == "watch"


def test_one_place_sends_requests_and_it_sends_get() -> None:
    calls = [call for source in SOURCES for call in re.findall(r"_session\.(\w+)\(", source)]
    assert calls == ["get"]
    clients = [source for source in SOURCES if "ClientSession(" in source]
    assert len(clients) == 1
    writes = r"session\.(post|put|patch|delete|request|ws_connect|options|head)\("
    assert not any(re.search(writes, source) for source in SOURCES)


@pytest.mark.parametrize("path", STREAMS + ANSWERS)
async def test_a_request_carries_its_own_token_and_no_other(lab: Lab, path: str) -> None:
    lab.server.trials = [trial_object(1, ["0.5"])]
    async with lab.http.get(lab.url + path, headers={"Authorization": "Bearer other"}) as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
    assert {token for *_, token in lab.server.requests} == {"other"}
    assert {method for method, *_ in lab.server.requests} == {"GET"}


@pytest.mark.parametrize("path", ["/api/session", *STREAMS, *ANSWERS, REPLAY])
@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer a b", "Bearer \N{LATIN SMALL LETTER E WITH ACUTE}"])
async def test_without_a_token_nothing_is_asked(lab: Lab, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with lab.http.get(lab.url + path, headers=headers) as answer:
        assert answer.status == 401
    assert lab.server.requests == []


@pytest.mark.parametrize("path", [*STREAMS, *ANSWERS, REPLAY])
async def test_a_refusal_is_shown_in_the_api_servers_words(lab: Lab, path: str) -> None:
    lab.server.forbidden.add("good")
    status, body = await lab.get(path)
    assert (status, body["error"]["source"]) == (403, "apiserver")
    assert body["error"]["message"] == 'tuningjobs.tuning-operator.dev is forbidden: User "<b>x</b>" cannot list'
    status, body = await lab.get(path, "unknown")
    assert (status, body["error"]) == (401, {"status": 401, "message": "Unauthorized", "source": "apiserver"})


@pytest.mark.parametrize(
    "path",
    [
        "/api/namespaces/..%2F..%2Fapi/jobs",
        "/api/namespaces/team/jobs/a%2Fb",
        "/api/namespaces/team/jobs/UPPER",
        "/api/namespaces/team/jobs/a%3Fwatch=true",
        "/api/namespaces/team/trials/a,metadata.name=b/pods",
        "/api/namespaces/team/pods/a%00/log",
        "/api/namespaces/team/pods/a/log?container=..%2Fx",
    ],
)
async def test_no_name_leads_anywhere_else(lab: Lab, path: str) -> None:
    status, _ = await lab.get(path)
    assert status in (400, 404)
    assert lab.server.requests == []


async def test_what_one_token_was_shown_is_never_shown_to_another(lab: Lab) -> None:
    lab.server.trials = [trial_object(1, ["0.5"], phase="Completed", objective="0.5")]
    path = "/api/namespaces/team/jobs/fashion/best?version=5"
    for _ in range(2):
        assert (await lab.get(path, "good"))[1] == {"objectives": [0.5]}
    assert [path.rpartition("/")[2] for _, path, *_ in lab.server.requests] == ["tuningtrials", "fashion"]
    lab.server.tokens.discard("other")
    assert (await lab.get(path, "other"))[0] == 401
    assert [token for *_, token in lab.server.requests] == ["good", "good", "other"]


async def test_what_is_remembered_is_shown_to_no_token_that_was_revoked(lab: Lab) -> None:
    path = "/api/namespaces/team/jobs/fashion/best?version=5"
    assert (await lab.get(path))[0] == 200
    lab.server.tokens.clear()
    assert (await lab.get(path))[0] == 401


async def test_a_refused_token_leaves_nothing_behind(lab: Lab) -> None:
    await lab.get("/api/namespaces/team/jobs/fashion/best?version=5")
    assert len(lab.console.caches) == 1
    lab.server.tokens.clear()
    await lab.get("/api/namespaces/team/jobs/fashion/events")
    assert len(lab.console.caches) == 0


def test_caches_are_small_and_forget() -> None:
    now = [0.0]
    caches = Caches(lambda: now[0])
    for caller in range(300):
        for key in range(600):
            caches.put(str(caller), key, key)
    assert len(caches) == 200 * 500
    assert caches.get("299", 599) == 599
    assert caches.get("299", 0) is None
    assert caches.get("0", 599) is None
    now[0] = 301
    assert caches.get("299", 599) is None


def test_a_token_is_not_in_what_is_logged() -> None:
    assert "secret" not in repr(Caller("key", {"Authorization": "Bearer secret"}))


def test_a_name_is_checked_before_it_is_used() -> None:
    with pytest.raises(ConsoleError, match="not a Kubernetes name"):
        questions.checked("../secrets")
