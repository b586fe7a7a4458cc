"""The notebooks in examples/, shortened: cell by cell against the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.release import ROOT
from tests.unit.client.notebooks import code_of, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

SHORTER = {
    "early-stopping.ipynb": {
        "max_jobs=20": "max_jobs=2",
        "epochs=10": "epochs=2",
        "num_training_samples=6000": "num_training_samples=600",
    },
    # With this seed the second trial is better than the first, which early stopping may otherwise stop.
    "tune-a-function.ipynb": {"max_trials=12": "max_trials=2, seed=5", '"epochs": 10': '"epochs": 3'},
}


def run(notebook: str, namespace: Namespace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a notebook's code, cell by cell; returns what it has named."""
    config = yaml.safe_load(namespace.tools.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace.name
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("NO_PROXY", "*")
    cells = code_of(ROOT / "examples" / notebook)
    assert all(any(words in cell for cell in cells) for words in SHORTER[notebook])
    seen: dict[str, Any] = {}
    for number, cell in enumerate(cells, start=1):
        shortened = cell
        for words, fewer in SHORTER[notebook].items():
            shortened = shortened.replace(words, fewer)
        run_cell(shortened, f"{notebook}, code cell {number}", seen)
    return seen


def test_the_notebook_about_early_stopping_runs(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run("early-stopping.ipynb", namespace, tmp_path, monkeypatch)
    for name, ends in ("tuner_metrics", {"Completed"}), ("tuner_metrics_es", {"Completed", "Stopped"}):
        frame = seen[name].dataframe()
        assert len(frame) == 2
        assert "Completed" in set(frame.TrainingJobStatus) <= ends
        assert frame.FinalObjectiveValue.between(0, 1).all()
    assert seen["tuner_es"].describe()["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] == "Auto"
    assert seen["total_time"] > 0


def test_a_function_is_tuned_from_a_notebook(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run("tune-a-function.ipynb", namespace, tmp_path, monkeypatch)
    best = seen["job"].best()
    assert 0.5 < best.objective <= 1
    assert (best.epoch, set(best.parameters)) == (3, {"learning_rate", "momentum"})
    curves = [trial["status"]["curve"]["epochs"] for trial in namespace.trials(seen["job"].name)]
    assert curves == [[1, 2, 3]] * 2
