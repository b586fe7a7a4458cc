"""The table of frameworks claims what tests show: each yes leads to such a test, each version is the tested one."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from tests.unit.docs.pages import ROOT, table

PAGE = ROOT / "docs" / "frameworks.md"
ROWS = {row[0]: row for row in table(PAGE.read_text())}
PACKAGES = {
    "PyTorch Lightning, `lightning` or `pytorch_lightning": "lightning",
    "Hugging Face Transformers": "transformers",
    "Keras 3": "keras",
    "XGBoost": "xgboost",
    "LightGBM": "lightgbm",
    "Accelerate": "accelerate",
    "scikit-learn, estimators with `set_callbacks": "scikit-learn",
}
LINK = re.compile(r"\[[\w.]+\]\((?:\.\./)?([\w./-]+)\)")


def names_of_tests(cell: str) -> list[str]:
    found = LINK.search(cell)
    assert found, cell
    tree = ast.parse((ROOT / found[1]).read_text())
    return [item.name for item in tree.body if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")]


def test_every_framework_has_a_row_and_every_recipe_a_framework() -> None:
    others = {"anything that writes TensorBoard's event files"}
    assert set(ROWS) == {*PACKAGES, *others}
    recipes = {LINK.findall(row[5])[0] for row in ROWS.values()}
    written = {f"examples/frameworks/{path.name}" for path in (ROOT / "examples" / "frameworks").glob("*.yaml")}
    assert recipes == {*written, "examples/tensorboard.yaml"}


@pytest.mark.parametrize("framework", ROWS)
def test_a_yes_names_a_test_that_there_is(framework: str) -> None:
    *_, epochs, resumed, _ = ROWS[framework]
    assert epochs.startswith("[yes]")
    assert any("every" in name for name in names_of_tests(epochs))
    if not resumed.startswith("no:"):
        assert resumed.startswith("[yes]")
        assert any("resumes" in name for name in names_of_tests(resumed))


@pytest.mark.parametrize("framework", PACKAGES)
def test_versions_and_changed_lines_are_those_of_lock_file_and_recipe(framework: str) -> None:
    _, version, lines, _, _, recipe = ROWS[framework]
    lock = (ROOT / "trainer" / "adapters.lock").read_text()
    locked = re.search(rf"^{PACKAGES[framework]}==(\d+\.\d+)", lock, re.MULTILINE)
    assert locked
    assert version == locked[1]
    (path,) = LINK.findall(recipe)
    script = next(yaml.safe_load_all((ROOT / path).read_text()))["data"]["train.py"]
    ours = [line for line in script.splitlines() if "Tuning" in line or "tuning_trainer" in line]
    changed = [line for line in ours if not line.startswith(("from ", "import "))]
    assert lines == (f"{len(changed)}, and an import" if ours else "0")
