"""The Helm chart as tests use it: rendered with some values, without a cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cluster import paths
from cluster.process import environment as clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

CHART = Path(__file__).parents[2] / "charts" / "tuning-operator"
PROMETHEUS = {"prometheus": {"url": "http://prometheus.monitoring:9090"}}
NAMESPACE = "tuning-system"

Object = dict[str, Any]


class HelmError(RuntimeError):
    """Helm refused; the message has its words."""


def helm(*words: str | Path, kubeconfig: Path = Path("/dev/null")) -> str:
    """Run helm and give its output."""
    done = subprocess.run(
        [paths.binary("helm"), *words],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment({"KUBECONFIG": str(kubeconfig)}),
    )
    if done.returncode:
        raise HelmError(f"helm {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def values_flags(values: Mapping[str, Any]) -> list[str]:
    """Flags that set top-level values of the chart to any structure."""
    return [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]


def render(values: Mapping[str, Any] | None = None, chart: Path = CHART, *flags: str) -> list[Object]:
    """What the chart creates, in order of kind and name; raises `HelmError` with Helm's words."""
    namespace = f"--namespace={NAMESPACE}"
    text = helm("template", "tuning-operator", chart, namespace, *values_flags(PROMETHEUS | dict(values or {})), *flags)
    return sorted((body for body in yaml.safe_load_all(text) if body), key=_kind_and_name)


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [body for body in objects if body["kind"] == kind]


def operator_container(objects: list[Object]) -> Object:
    """The one container of the one Deployment."""
    (deployment,) = of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(objects: list[Object]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in operator_container(objects)["env"]}


def _kind_and_name(body: Object) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]
