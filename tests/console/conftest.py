"""A real API server with made-up jobs, the console before it, and chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.api import Api
from cluster.controlplane import ControlPlane
from tests.console import seed
from tests.console.browser import Visitor, chromium, start_console, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
NAMESPACE = "research"
SCREENS = ROOT / "dist" / "console-screens"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("control-plane") / "state"
    with ControlPlane(folder, manifests=[ROOT / "crds"], users={"stranger": ()}) as running:
        running.create_namespace(NAMESPACE)
        for plan in seed.GALLERY:
            seed.put(Api(running.kubeconfig), NAMESPACE, seed.make(plan))
        yield running


@pytest.fixture(scope="session")
def api(server: ControlPlane) -> Api:
    return Api(server.kubeconfig)


@pytest.fixture(scope="session")
def token(server: ControlPlane) -> str:
    return token_of(server.kubeconfig)


@pytest.fixture(scope="session")
def console(server: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url = start_console(server.kubeconfig, tmp_path_factory.mktemp("console"))
    try:
        yield url
    finally:
        process.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, console: str) -> Iterator[Callable[..., Visitor]]:
    """Somebody new in front of the console; at the end nothing may have been asked elsewhere or gone wrong."""
    visitors: list[Visitor] = []

    def arrive(theme: str = "light", url: str = console) -> Visitor:
        visitors.append(Visitor(browser, url, theme))
        return visitors[-1]

    yield arrive
    for visitor in visitors:
        visitor.close()
