"""The whole cluster with images, chart and Prometheus; an operator for all tests, and a namespace for each."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cluster import release
from cluster.jobs import NAMESPACES, OPERATOR_NAMESPACE, Namespace, Operator
from cluster.recorder import Recorder
from cluster.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def tools(pytestconfig: pytest.Config) -> Tools:
    """The cluster, started and filled if need be; its progress is shown, since that may take minutes."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with capture.global_and_fixture_disabled():
        subprocess.run(["make", "-s", "cluster", "images-lightning"], cwd=release.ROOT, env=quiet, check=True)
    return Tools.for_test_cluster()


@pytest.fixture(scope="session")
def operator(tools: Tools) -> Iterator[Operator]:
    # Each kubectl takes a quarter of a second: one for all.
    remove = ("delete", "namespace", OPERATOR_NAMESPACE, *NAMESPACES, "--ignore-not-found")
    tools.kubectl(*remove, "--wait")
    release.install_prometheus(tools, scrape_interval="1s")
    quick = {"settings.pollInterval": "1"}
    installed = release.Release(tools, OPERATOR_NAMESPACE, NAMESPACES, name="tuning-operator-e2e", values=quick)
    installed.install()
    yield Operator(installed)
    installed.uninstall()
    tools.kubectl(*remove, "--wait=false")


@pytest.fixture(scope="session")
def new_namespace(tools: Tools, operator: Operator) -> Callable[[], Namespace]:
    """Gives one of the namespaces that the operator looks after, each once."""
    assert operator
    unused = iter(NAMESPACES)
    return lambda: Namespace(tools, next(unused))


@pytest.fixture
def namespace(new_namespace: Callable[[], Namespace]) -> Namespace:
    return new_namespace()


@pytest.fixture(scope="session")
def recorder(operator: Operator) -> Iterator[Recorder]:
    """Sees every change of every trial and Pod from here on."""
    with Recorder(operator.release.tools.kubeconfig) as running:
        yield running


@pytest.fixture(autouse=True)
def the_operator_has_the_rights_that_it_uses(operator: Operator) -> Iterator[None]:
    """Nothing that it does may be forbidden, whatever the test."""
    yield
    refused = [line for line in operator.logs().splitlines() if "orbidden" in line or " 403" in line]
    assert refused == []
