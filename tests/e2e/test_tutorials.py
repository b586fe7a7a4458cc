"""Tutorials followed literally: a script of one's own to its best value, and those of frameworks unchanged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.release import LIGHTNING_IMAGE, OPERATOR_IMAGE, ROOT
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


IMAGES = {"lightning": LIGHTNING_IMAGE, "sklearn": f"{OPERATOR_IMAGE}:dev"}
"""Images with the frameworks, and without a word of the tuner's."""


def test_a_script_of_lightning_s_or_scikit_learn_s_reports_every_epoch_from_an_image_of_its_own(
    namespace: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "examples" / "frameworks").mkdir(parents=True)
    reader = Reader(tmp_path, namespace.tools.kubeconfig, namespace.name, ROOT / "cluster")
    for framework, heading in (("lightning", "## PyTorch Lightning"), ("sklearn", "## scikit-learn")):
        recipe = f"examples/frameworks/{framework}.yaml"
        text = (ROOT / recipe).read_text()
        for words, ours in (
            (f"registry.example.com/team/{framework}:1", IMAGES[framework]),
            ("maxTrials: 20", "maxTrials: 2"),
            ('requests: {cpu: "1"', "requests: {cpu: 100m"),
        ):
            assert words in text
            text = text.replace(words, ours)
        (tmp_path / recipe).write_text(text)
        reader.follow(TUTORIALS / "frameworks.md", heading)
        trials = namespace.trials(framework)
        assert [trial["status"]["phase"] for trial in trials] == ["Completed"] * 2
        for trial in trials:
            epochs = trial["status"]["curve"]["epochs"]
            assert epochs == list(range(1, len(epochs) + 1))
            assert len(epochs) == 10 if framework == "lightning" else 1 < len(epochs) <= 100
