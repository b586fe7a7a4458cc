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
