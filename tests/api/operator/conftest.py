"""The operator in its own namespace, with a played kubelet and a real Prometheus."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cluster.api import Api
from cluster.operators import Cluster, operator_process, start_operator
from cluster.played_kubelet import Kubelet, Training
from cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cluster.controlplane import ControlPlane
    from cluster.process import Process
    from cluster.zygote import Zygote

pytest.register_assert_rewrite("tests.api.operator.shown")


@dataclass
class Lab:
    """Everything a test of the running operator needs."""

    cluster: Cluster
    kubelet: Kubelet
    prometheus: Prometheus
    operator: Process
    namespace: str


@pytest.fixture
def start_lab(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, zygote: Zygote
) -> Iterator[Callable[..., Lab]]:
    """Start operator, kubelet and Prometheus with a training; the operator can be left out at first."""
    with contextlib.ExitStack() as stack:

        def start(
            train: Callable[[Mapping[str, Any], str], Training],
            *flags: str,
            job: str = "job",
            trials: int = 12,
            attempts: int = 2,
            scrape_interval: float = 0.5,
            run_operator: bool = True,
        ) -> Lab:
            kubelet = stack.enter_context(Kubelet(Api(control_plane.kubeconfig), namespace, train))
            # All Pods that there may be are targets from the beginning: Prometheus takes seconds to see new ones.
            names = [
                f"{job}-{trial:04d}-{attempt}" for trial in range(1, trials + 1) for attempt in range(1, attempts + 1)
            ]
            targets = [kubelet.target(name) for name in names]
            prometheus = stack.enter_context(
                Prometheus(tmp_path / "prometheus", targets, scrape_interval=scrape_interval)
            )
            log = tmp_path / "operator.log"
            make = start_operator if run_operator else operator_process
            operator = make(control_plane.kubeconfig, [namespace], prometheus.url, log, *flags, zygote=zygote)
            stack.callback(operator.stop)
            return Lab(Cluster(control_plane.kubeconfig, namespace), kubelet, prometheus, operator, namespace)

        yield start
