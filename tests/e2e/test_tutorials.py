"""Tutorials followed literally: a script of one's own to its best value, and those of frameworks unchanged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import LIGHTNING_IMAGE, OPERATOR_IMAGE, ROOT, TRAINER_IMAGE
from tests.unit.docs.tutorials import TUTORIALS, Reader

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

TYPING_SECONDS = 180
"""What a reader takes to copy two files and seven commands."""


def test_a_script_of_ones_own_has_its_best_value_in_ten_minutes(namespace: Namespace, tmp_path: Path) -> None:
    page = TUTORIALS / "own-script.md"
    images = {
        f"registry.example.com/tuning-operator/{name}:0.1.0": f"localhost/tuning-operator/{name}:dev"
        for name in ("sidecar", "trainer")
    }
    reader = Reader(tmp_path, namespace.tools.kubeconfig, namespace.name, ROOT / "cluster", images)
    reader.save(page)
    began = time.monotonic()
    *_, variables = reader.follow(page).values()
    seconds = time.monotonic() - began
    assert seconds + TYPING_SECONDS < 600
    best = dict(line.split("=", 1) for line in variables.splitlines())
    status = yaml.safe_load(namespace.kubectl("get", "tuningjob", "my-script", "-o", "yaml"))["status"]
    assert status["phase"] == "Completed"
    assert best["HP_learning_rate"] == status["bestTrial"]["parameters"]["learning_rate"]
    assert float(status["bestTrial"]["objective"]) < 0.05, "the noise has a variance of 0.01"


RECIPES = {
    "## PyTorch Lightning": ("frameworks/lightning", "registry.example.com/team/lightning:1", LIGHTNING_IMAGE),
    "## scikit-learn": ("frameworks/sklearn", "registry.example.com/team/sklearn:1", f"{OPERATOR_IMAGE}:dev"),
    "## Anything that writes TensorBoard's event files": ("tensorboard", TRAINER_IMAGE, LIGHTNING_IMAGE),
}
"""Headings of the page with a recipe each, its image, and one here that has what the script imports, and no trainer."""


def test_scripts_of_three_frameworks_report_every_epoch_from_images_of_their_own(
    namespace: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "examples" / "frameworks").mkdir(parents=True)
    reader = Reader(tmp_path, namespace.tools.kubeconfig, namespace.name, ROOT / "cluster")
    for heading, (recipe, image, ours) in RECIPES.items():
        text = (ROOT / "examples" / f"{recipe}.yaml").read_text()
        assert image in text
        assert "maxTrials: 20" in text
        shorter = text.replace(image, ours).replace("maxTrials: 20", "maxTrials: 2").replace('cpu: "1"', "cpu: 100m")
        (tmp_path / "examples" / f"{recipe}.yaml").write_text(shorter)
        written = reader.follow(TUTORIALS / "frameworks.md", heading)
        trials = namespace.trials([*written][-1].split()[-1])
        assert [trial["status"]["phase"] for trial in trials] == ["Completed"] * 2
        for trial in trials:
            epochs = trial["status"]["curve"]["epochs"]
            assert epochs == list(range(1, len(epochs) + 1))
            assert 1 < len(epochs) <= 100 if "sklearn" in recipe else len(epochs) == 10
