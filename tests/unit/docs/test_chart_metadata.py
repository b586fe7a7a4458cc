"""What the chart says of itself to Artifact Hub."""

from __future__ import annotations

from typing import Any

import yaml

from tests.unit.docs.pages import ROOT


def test_the_resources_are_those_that_the_chart_installs() -> None:
    chart: dict[str, Any] = yaml.safe_load((ROOT / "charts" / "tuning-operator" / "Chart.yaml").read_text())
    announced = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    definitions = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    assert [(item["kind"], item["name"], item["version"]) for item in announced] == [
        (
            definition["spec"]["names"]["kind"],
            definition["metadata"]["name"],
            next(version["name"] for version in definition["spec"]["versions"] if version["storage"]),
        )
        for definition in definitions
    ]


def test_annotations_have_values_that_artifact_hub_knows() -> None:
    chart: dict[str, Any] = yaml.safe_load((ROOT / "charts" / "tuning-operator" / "Chart.yaml").read_text())
    annotations = chart["annotations"]
    assert set(annotations) <= {f"artifacthub.io/{name}" for name in KNOWN}
    assert all(isinstance(text, str) for text in annotations.values())
    for name, values in KNOWN.items():
        assert not values or annotations[f"artifacthub.io/{name}"] in values
    for item in yaml.safe_load(annotations["artifacthub.io/crds"]):
        assert set(item) == {"kind", "version", "name", "displayName", "description"}
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "Version 2.0" in licence


# https://artifacthub.io/docs/topics/annotations/helm/
KNOWN: dict[str, set[str]] = {
    "license": {"Apache-2.0"},
    "category": {
        *("ai-machine-learning", "database", "integration-delivery", "monitoring-logging", "networking", "security"),
        *("storage", "streaming-messaging"),
    },
    "operator": {"true", "false"},
    "operatorCapabilities": {
        *("Basic Install", "Seamless Upgrades", "Full Lifecycle", "Deep Insights", "Auto Pilot"),
    },
    "crds": set(),
}
