"""AWS's notebook, as adapted in examples/, shortened: cell by cell against the cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.release import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

NOTEBOOK = ROOT / "examples" / "early-stopping.ipynb"
SHORTER = {
    "max_jobs=20": "max_jobs=2",
    "epochs=10": "epochs=2",
    "num_training_samples=6000": "num_training_samples=600",
}


def code() -> list[str]:
    """The notebook's code cells."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_runs(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = yaml.safe_load(namespace.tools.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = namespace.name
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("NO_PROXY", "*")
    assert all(any(words in cell for cell in code()) for words in SHORTER)
    seen: dict[str, Any] = {}
    for number, cell in enumerate(code(), start=1):
        shortened = cell
        for words, fewer in SHORTER.items():
            shortened = shortened.replace(words, fewer)
        exec(compile(shortened, f"{NOTEBOOK.name}, code cell {number}", "exec"), seen)
    for name in ("tuner_metrics", "tuner_metrics_es"):
        frame = seen[name].dataframe()
        assert frame.TrainingJobStatus.tolist() == ["Completed", "Completed"]
        assert frame.FinalObjectiveValue.between(0, 1).all()
    assert seen["tuner_es"].describe()["HyperParameterTuningJobConfig"]["TrainingJobEarlyStoppingType"] == "Auto"
    assert seen["total_time"] > 0
