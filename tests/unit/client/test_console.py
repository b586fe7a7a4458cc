"""`tuning-client console` without the console."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tuning_client.__main__ import main

if TYPE_CHECKING:
    import pytest


def test_what_is_not_installed_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tuning_console", None)
    monkeypatch.delitem(sys.modules, "tuning_console.local", raising=False)
    assert main(["console"]) == 1
    assert "pip install 'tuning-client[console]'" in capsys.readouterr().err
