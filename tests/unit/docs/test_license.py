"""The licence is in every package: each folder that becomes one has its own copy, since links do not survive."""

from __future__ import annotations

import tomllib

import pytest

from tests.unit.docs.pages import ROOT

PACKAGES = ("operator", "trainer", "client", "console", "charts/tuning-operator")


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_package_has_the_licence(folder: str) -> None:
    copy = ROOT / folder / "LICENSE"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("image", ["operator", "trainer", "sidecar", "console"])
def test_an_image_has_the_licence(image: str) -> None:
    assert "COPY LICENSE /licenses/tuning-operator/" in (ROOT / "images" / image / "Dockerfile").read_text()


@pytest.mark.parametrize("folder", PACKAGES[:4])
def test_a_distribution_names_the_licence(folder: str) -> None:
    assert tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
