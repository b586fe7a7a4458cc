from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from cluster.controlplane import ControlPlane, KubectlError
from cluster.kubeconfig import require_test_context
from cluster.prometheus import Prometheus, Target
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.api

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("control-plane")
    manifest = folder / "widgets.yaml"
    manifest.write_text(WIDGETS)
    with ControlPlane(folder / "state", manifests=[manifest], users={"alice": ["readers"]}, audit=True) as running:
        yield running


def test_two_run_side_by_side_and_share_nothing(control_plane: ControlPlane, tmp_path: Path) -> None:
    control_plane.create_namespace("only-here")
    with ControlPlane(tmp_path / "other", controller_manager=False) as other:
        assert other.url != control_plane.url
        assert "only-here" not in other.kubectl("get", "namespaces", "--output=name")
        pid = other.apiserver.pid
    assert not other.apiserver.alive
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "only-here" in control_plane.kubectl("get", "namespaces", "--output=name")


@pytest.mark.parametrize("hard", [False, True])
def test_objects_and_address_outlive_a_restart_of_the_api_server(control_plane: ControlPlane, *, hard: bool) -> None:
    name = control_plane.create_namespace(f"before-restart-{hard}".lower())
    url = control_plane.url
    control_plane.apiserver.stop(hard=hard)
    with pytest.raises(KubectlError):
        control_plane.kubectl("get", "namespace", name)
    control_plane.apiserver.start()
    assert control_plane.url == url
    assert name in control_plane.kubectl("get", "namespace", name)


def test_kubeconfigs_carry_the_test_context_and_their_users_rights(control_plane: ControlPlane) -> None:
    require_test_context(control_plane.kubeconfig)
    namespace = control_plane.create_namespace("rights")
    account = control_plane.kubeconfig_for_service_account(namespace, "default")
    alice = control_plane.kubeconfig_for_user("alice")
    for config, user in ((account, f"system:serviceaccount:{namespace}:default"), (alice, "alice")):
        require_test_context(config)
        assert user in control_plane.kubectl("auth", "whoami", config=config)
        with pytest.raises(KubectlError, match=r"(?i)forbidden"):
            control_plane.kubectl("get", "configmaps", config=config)
    control_plane.kubectl("create", "configmap", "seen", "-n", namespace)
    control_plane.kubectl("create", "rolebinding", "readers", "--clusterrole=view", "--group=readers", "-n", namespace)
    control_plane.kubectl("wait", "--for=create", "configmap/seen", "-n", namespace, "--timeout=10s", config=alice)


def test_an_owner_that_goes_takes_its_pods_along(control_plane: ControlPlane) -> None:
    namespace = control_plane.create_namespace("garbage")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "owner", "namespace": namespace}}
    made = json.loads(control_plane.kubectl("create", "-o=json", "-f=-", stdin=json.dumps(widget)))
    owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "owner", "uid": made["metadata"]["uid"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "owned", "namespace": namespace, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    control_plane.kubectl("create", "-f=-", stdin=json.dumps(pod))
    control_plane.kubectl("delete", "widget", "owner", "-n", namespace)
    control_plane.kubectl("wait", "--for=delete", "pod/owned", "-n", namespace, "--timeout=20s")


def test_the_audit_log_names_who_did_what(control_plane: ControlPlane) -> None:
    control_plane.create_namespace("audited")
    assert control_plane.audit_log is not None
    entries = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
    created = [e for e in entries if e["verb"] == "create" and e["objectRef"].get("name") == "audited"]
    assert [entry["user"]["username"] for entry in created] == ["admin"]


def test_prometheus_keeps_its_data_and_labels_over_restarts(tmp_path: Path) -> None:
    with Prometheus(tmp_path / "prometheus", scrape_interval=0.5) as prometheus:
        address = prometheus.url.removeprefix("http://")
        prometheus.set_targets([Target(address, {"namespace": "team", "pod": "trial-0001-1"})])
        query = 'count_over_time(up{namespace="team",pod="trial-0001-1"}[1h])'
        before = wait_until(lambda: prometheus.value(query), "it was scraped")
        prometheus.set_targets([])
        for hard in (False, True):
            url = prometheus.url
            prometheus.restart(hard=hard)
            assert prometheus.url == url
            assert wait_until(lambda: prometheus.value(query), "it has data") >= before
