"""A Prometheus with the certificate of a private CA that asks for a token and a tenant."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cluster.certificates import Authority
from tests.unit.docs.pages import ROOT
from tests.unit.runtime.fakes import answer
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.client import Prometheus
from tuning_operator.runtime.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN, NEXT_TOKEN = "c2VjcmV0.first-_~+/=", "c2VjcmV0.next"
SCRIPT = ROOT / "charts" / "tuning-operator" / "files" / "check_release.py"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.asynccontextmanager
async def strict_server(authority: Authority) -> AsyncIterator[tuple[list[str], dict[str, str]]]:
    """A server that answers a tenant with the last of some tokens, and the variables that the chart sets for it."""
    tokens = [TOKEN]

    async def query(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {tokens[-1]}":
            return web.Response(status=401, text=f"not for you: {given}")
        if request.headers.get("X-Scope-OrgID") != "team":
            return web.Response(status=400, text="no org id")
        return web.json_response(answer())

    pair = authority.sign("server", addresses=("DNS:localhost", "IP:127.0.0.1"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    app = web.Application()
    app.router.add_post("/api/v1/query", query)
    server = TestServer(app)
    await server.start_server(ssl=context)
    token = authority.certificate.with_name("token")
    token.write_text(f"{TOKEN}\n")
    try:
        yield (
            tokens,
            {
                "TUNING_OPERATOR_NAMESPACES": "ns",
                "TUNING_OPERATOR_PROMETHEUS_URL": str(server.make_url("/")),
                "TUNING_OPERATOR_PROMETHEUS_CA_FILE": str(authority.certificate),
                "TUNING_OPERATOR_PROMETHEUS_TOKEN_FILE": str(token),
                "TUNING_OPERATOR_PROMETHEUS_HEADER": "X-Scope-OrgID=team",
            },
        )
    finally:
        await server.close()


async def refusal(environment: dict[str, str]) -> str:
    """Return the error for an answer, or an empty text if it is valid."""
    client = Prometheus.configured(parse_settings([], environment))
    try:
        await client.curves("ns", {"job-0001-1": "accuracy"}, {"job-0001-1": 300_000})
    except PrometheusError as error:
        return str(error)
    finally:
        await client.close()
    return ""


async def test_it_is_asked_as_it_wants_to_be(authority: Authority) -> None:
    async with strict_server(authority) as (_, environment):
        assert await refusal(environment) == ""
        without = {name: environment | {f"TUNING_OPERATOR_PROMETHEUS_{name}": ""} for name in ("CA_FILE", "HEADER")}
        assert "certificate verify failed" in await refusal(without["CA_FILE"])
        assert (await refusal(without["HEADER"])).endswith("answered HTTP 400: no org id")


async def test_a_token_that_is_replaced_is_read_anew_and_none_is_told(authority: Authority) -> None:
    async with strict_server(authority) as (tokens, environment):
        client = Prometheus.configured(parse_settings([], environment))
        await client.check()
        tokens.append(NEXT_TOKEN)
        with pytest.raises(PrometheusError, match=r"HTTP 401: not for you: Bearer \(token\)$"):
            await client.check()
        authority.certificate.with_name("token").write_text(NEXT_TOKEN)
        await client.check()
        await client.close()


@pytest.mark.parametrize("content", ["", "two words", "two\nlines", "sécret", b"\xff"])
async def test_a_file_without_a_token_is_named(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    client = Prometheus("http://127.0.0.1:1", token_file=str(file))
    with pytest.raises(PrometheusError) as caught:
        await client.check()
    assert str(caught.value) == f"--prometheus-token-file {file} must contain one word, the token"
    file.unlink()
    with pytest.raises(PrometheusError, match="token cannot be read: No such file or directory"):
        await client.check()
    await client.close()


async def test_helm_test_asks_in_the_same_way(authority: Authority) -> None:
    async with strict_server(authority) as (_, environment):
        script = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT, env=os.environ | environment | {"HEALTH_URL": "data:,well"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await script.communicate()
    assert said.decode().splitlines() == ["operator: well", "Prometheus: it answers queries"]
