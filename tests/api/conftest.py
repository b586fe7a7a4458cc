"""A control plane with the project's resources defined, for all tests of this folder, and a namespace for each."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes import client, config

from cluster.controlplane import ControlPlane
from cluster.waiting import wait_until
from cluster.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator

CRDS = Path(__file__).parents[2] / "crds"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane") / "state", manifests=[CRDS]) as running:
        wait_until(
            lambda: _knows_the_resources(running), "the API server names and documents the resources", seconds=30
        )
        yield running


def _knows_the_resources(server: ControlPlane) -> bool:
    """Whether discovery and documentation have caught up with the definitions; kubectl's cache of them is renewed."""
    listed = server.kubectl("api-resources", "--api-group=tuning-operator.dev", "--output=name").split()
    document = "/openapi/v3/apis/tuning-operator.dev/v1alpha1"
    if len(listed) < len(list(CRDS.glob("*.yaml"))) or document not in server.kubectl("get", "--raw=/openapi/v3"):
        return False
    documented = server.kubectl("get", f"--raw={document}")
    return all(kind in documented for kind in ("HyperparameterTuningJob", "TuningTrial"))


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    with contextlib.closing(Zygote()) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    return control_plane.create_namespace(f"test-{next(_numbers)}")


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(kubeconfig)) as api_client:
        yield api_client
