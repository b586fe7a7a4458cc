"""The scripts of examples/frameworks, as they stand in their manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

FOLDER = Path(__file__).parents[2] / "examples" / "frameworks"
SETTINGS = {"learning_rate": "0.1", "max_depth": "3", "C": "1.0"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_script_of_a_recipe_reports_every_epoch(train: Callable[..., Outcome], path: Path) -> None:
    documents: dict[str, Any] = {document["kind"]: document for document in yaml.safe_load_all(path.read_text())}
    spec = documents["HyperparameterTuningJob"]["spec"]
    objective = spec["objective"]["metric"]
    (script,) = documents["ConfigMap"]["data"].values()
    parameters = {f"HP_{item['name']}": SETTINGS[item["name"]] for item in spec["parameters"]}
    outcome = train(script, objective, EPOCHS="3", **parameters)
    assert outcome.code == 0, outcome.errors
    assert outcome.epochs(objective) == [1, 2, 3]
    assert "tuning:" not in outcome.errors
