from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cluster.release import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = {"browser": "console-test", "e2e": "e2e"}
"""What runs the tests with a marker, where some of them open a browser."""
OPENS_A_BROWSER = [
    path
    for path in sorted(ROOT.glob("tests/**/test_*.py"))
    if re.search(r"^from tests\.console\.browser ", path.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("path", OPENS_A_BROWSER, ids=lambda path: path.stem)
def test_a_target_whose_tests_open_a_browser_installs_one(path: Path) -> None:
    (marker,) = set(re.findall(r"pytest\.mark\.(browser|e2e|api|slow|faults)\b", path.read_text()))
    make = shutil.which("make")
    assert make
    planned = subprocess.run([make, "-n", TARGETS[marker]], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "cluster packages --console" in planned.stdout
