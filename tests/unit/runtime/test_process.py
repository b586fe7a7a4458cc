"""The operator's process against an API server that does not serve its resources."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_SECONDS = 120


async def run_operator(*flags: str, **environment: str) -> tuple[int | None, str]:
    """Run the operator to its end; returns its exit code and what it wrote to stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tuning_operator", "--namespaces=tuning", "--prometheus-url=http://127.0.0.1:1"),
        *flags,
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    return process.returncode, errors.decode()


async def test_it_ends_and_says_what_is_missing(tmp_path: Path) -> None:
    """kopf alone would run on and never hear of resources that are served later."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/apis":
            return web.json_response({"groups": []})
        if request.path == "/api/v1":
            return web.json_response({"resources": [{"name": "pods"}]})
        if request.path.startswith("/apis/"):
            return web.json_response({"kind": "Status", "code": 404, "message": "page not found"}, status=404)
        return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        access = {"cluster": "here", "user": "me"}
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "here", "cluster": {"server": str(server.make_url("/")).rstrip("/")}}],
                    "users": [{"name": "me", "user": {"token": "secret"}}],
                    "contexts": [{"name": "here", "context": access}],
                    "current-context": "here",
                }
            )
        )
        code, errors = await run_operator(
            "--metrics-port=0", f"--health-port={unused_port()}", "--log-format=plain", KUBECONFIG=str(kubeconfig)
        )
    assert code == 1
    assert "the API server does not serve tuningjobs, tuningtrials: apply the CRDs" in errors
    assert "Traceback" not in errors


async def test_it_does_not_load_the_half_of_the_client_that_it_does_not_use() -> None:
    program = "import sys, tuning_operator.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    loaded = set(output.decode().split())
    assert loaded >= {"kopf", "kubernetes"}
    assert not loaded & {"requests", "oauthlib", "google", "websocket"}


@pytest.mark.parametrize("flag", ["--metrics-port", "--health-port"])
async def test_a_port_that_is_taken_ends_it_with_one_line(flag: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        ports = {"--metrics-port": 0, "--health-port": unused_port()} | {flag: port}
        code, errors = await run_operator(*(f"{name}={number}" for name, number in ports.items()))
    assert code == 1
    said = f"tuning-operator: {flag}: cannot listen on port {port}: Address already in use; choose another port\n"
    assert errors == said
