"""What the operator's tests and the demo rely on, tried in real Pods."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cluster import kubeconfig, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

KUBECTL = Path(__file__).parents[2] / "cluster" / "kubectl"
IMAGE = "localhost/tuning-operator/operator:dev"  # any with Python

LOOK_AROUND = """
import pathlib, shutil, socket, ssl, urllib.error, urllib.request
print("dns", socket.gethostbyname("kubernetes.default.svc"), flush=True)
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
trust = ssl.create_default_context(cafile=account / "ca.crt")
url = "https://kubernetes.default.svc/api/v1/namespaces/default/pods"
bearer = {"Authorization": "Bearer " + (account / "token").read_text()}
try:
    urllib.request.urlopen(urllib.request.Request(url, headers=bearer), context=trust)
except urllib.error.HTTPError as error:
    print("api", error.code, "serviceaccount" in error.read().decode(), flush=True)
pathlib.Path("/scratch/file").write_text("x")
print("map", pathlib.Path("/map/key").read_text(), flush=True)
print("shm", shutil.disk_usage("/dev/shm").total, flush=True)
import http.server
http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
ASK_THE_NEIGHBOUR = "import urllib.request; print(urllib.request.urlopen('http://neighbour', timeout=5).status)"


@pytest.fixture
def namespace() -> Iterator[str]:
    kubeconfig.require_test_context(paths.kubeconfig())
    name = f"cluster-test-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=30s")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run([KUBECTL, *arguments], input=stdin, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pod(name: str, code: str, **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": IMAGE, "imagePullPolicy": "Never", "command": ["python", "-c", code]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [main | container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def create(namespace: str, *objects: dict[str, Any]) -> None:
    content = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("create", f"--namespace={namespace}", "-f=-", stdin=json.dumps(content))


def test_a_pod_finds_names_the_api_its_volumes_and_its_neighbours(namespace: str) -> None:
    inside = f"--namespace={namespace}"
    first = pod("neighbour", LOOK_AROUND)
    first["spec"]["volumes"] = [
        {"name": "map", "configMap": {"name": "map"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    first["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "map", "mountPath": "/map"},
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "neighbour"},
        "spec": {"selector": {"app": "neighbour"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"key": "value"}}
    create(namespace, settings, service, first)
    kubectl("wait", inside, "--for=condition=Ready", "pod/neighbour", "--timeout=60s")
    asking = (
        f"import time\nfor _ in range(100):\n  try:\n    {ASK_THE_NEIGHBOUR}; break\n  except OSError: time.sleep(0.1)"
    )
    create(namespace, pod("asking", asking))
    kubectl("wait", inside, "--for=jsonpath={.status.phase}=Succeeded", "pod/asking", "--timeout=60s")
    assert kubectl("logs", inside, "asking").split() == ["200"]
    address = kubectl("get", "service", "kubernetes", "-o=jsonpath={.spec.clusterIP}")
    assert kubectl("logs", inside, "neighbour").splitlines()[:4] == [
        f"dns {address}",
        "api 403 True",
        "map value",
        f"shm {64 << 20}",
    ]
    assert kubectl("exec", inside, "neighbour", "--", "cat", "/scratch/file") == "x"


def test_gpus_are_counted(namespace: str) -> None:
    inside = f"--namespace={namespace}"
    gpus = [{"resources": {"limits": {"nvidia.com/gpu": count}}} for count in ("1", "2")]
    create(namespace, pod("modest", "import time; time.sleep(600)", **gpus[0]))
    kubectl("wait", inside, "--for=condition=Ready", "pod/modest", "--timeout=60s")
    create(namespace, pod("greedy", "pass", **gpus[1]))
    kubectl("wait", inside, "--for=condition=PodScheduled=False", "pod/greedy", "--timeout=30s")
    why = kubectl("get", "pod", inside, "greedy", "-o=jsonpath={.status.conditions[?(@.type=='PodScheduled')].message}")
    assert "Insufficient nvidia.com/gpu" in why
    kubectl("delete", inside, "pod/modest")
    kubectl("wait", inside, "--for=jsonpath={.status.phase}=Succeeded", "pod/greedy", "--timeout=60s")
