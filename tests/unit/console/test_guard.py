"""What no request gets past: foreign pages, foreign hosts, bodies, long headers; and the headers on every answer."""

from __future__ import annotations

import re

import pytest

from tests.unit.console.conftest import Lab, laboratory
from tuning_console.access import LocalAccess

STREAM = "/api/namespaces/team/jobs/fashion"


@pytest.mark.parametrize("path", ["/api/session", "/api/jobs", STREAM, f"{STREAM}/best"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_foreign_pages_stream_is_refused(lab: Lab, path: str, headers: dict[str, str]) -> None:
    status, body = await lab.get(path, **headers)
    assert (status, body["error"]["source"]) == (403, "console")
    assert lab.server.requests == []


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
async def test_the_consoles_own_pages_are_answered(lab: Lab, headers: dict[str, str]) -> None:
    assert (await lab.get("/api/session", **headers))[0] == 200
    assert (await lab.get("/api/session", Origin=lab.url))[0] == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/session", "/api/jobs", "/nothing", "/api/nothing"])
async def test_every_answer_keeps_pages_to_themselves(lab: Lab, path: str) -> None:
    async with lab.http.get(lab.url + path, headers={"Authorization": "Bearer good"}) as answer:
        policy = dict(re.findall(r"([a-z-]+) ([^;]+)", answer.headers["Content-Security-Policy"]))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert policy["frame-ancestors"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert "Server" not in answer.headers
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


async def test_a_body_is_refused(lab: Lab) -> None:
    async with lab.http.request("GET", lab.url + "/api/session", data=b"x" * 100_000) as answer:
        assert answer.status in (400, 413)


async def test_a_header_has_a_bound(lab: Lab) -> None:
    assert (await lab.get("/api/session", "x" * 16_000))[0] == 200
    assert (await lab.get("/api/session", "x" * 40_000))[0] == 400


async def headers_of_kubeconfig() -> dict[str, str]:
    return {"Authorization": "Bearer good"}


async def test_on_a_laptop_the_secret_works_once_and_gives_a_session() -> None:
    access = LocalAccess(headers_of_kubeconfig, {"namespace": "team"})
    async with laboratory(access) as lab:
        access.port = int(lab.url.rpartition(":")[2])
        secret = access.secret
        assert secret is not None
        for token in (None, "", "g\N{LATIN SMALL LETTER U WITH DIAERESIS}ess"):
            status, body = await lab.get(f"{STREAM}/best", token)
            assert (status, "tuning-client console" in body["error"]["message"]) == (401, True)
        assert (await lab.get(f"{STREAM}/best", secret))[0] == 401
        assert (await lab.get("/api/session", "guess"))[0] == 401
        status, body = await lab.get("/api/session", secret)
        assert (status, body["mode"], body["namespace"]) == (200, "local", "team")
        assert (await lab.get("/api/session", secret))[0] == 401
        assert (await lab.get("/api/session", body["session"]))[0] == 200
        assert lab.server.requests == []
        assert (await lab.get(f"{STREAM}/best", body["session"]))[0] == 200
        assert {token for *_, token in lab.server.requests} == {"good"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1.evil.example", "localhost:1", "[::1]"])
async def test_on_a_laptop_a_foreign_name_of_the_machine_is_refused(host: str) -> None:
    access = LocalAccess(headers_of_kubeconfig, {})
    async with laboratory(access) as lab:
        access.port = int(lab.url.rpartition(":")[2])
        for path in ("/", "/api/session", STREAM):
            assert (await lab.get(path, access.secret, Host=host))[0] == 421
        assert (await lab.get("/", None, Host=f"localhost:{access.port}"))[0] == 200
        assert access.secret is not None


async def test_a_long_answer_is_packed_and_a_short_one_is_not(lab: Lab) -> None:
    lab.server.log = "a line\n" * 1_000
    for path, packed in (("/api/session", None), ("/api/namespaces/team/pods/fashion-0001-1/log", "gzip")):
        headers = {"Authorization": "Bearer good", "Accept-Encoding": "gzip"}
        async with lab.http.get(lab.url + path, headers=headers) as answer:
            assert answer.headers.get("Content-Encoding") == packed
            assert await answer.text() == (lab.server.log if packed else '{"mode": "token", "namespaces": ["team"]}')
