"""The API server accepts the examples as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.api

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted(control_plane: ControlPlane, path: Path) -> None:
    documents = yaml.safe_load_all(path.read_text())
    jobs = [document for document in documents if document["kind"] == "HyperparameterTuningJob"]
    assert jobs
    for job in jobs:
        job["metadata"].pop("namespace", None)
        control_plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f=-", stdin=json.dumps(job))
