"""Bills of materials: what is installed below a folder is listed, each package with its licences."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from images.sbom import bill, components, proprietary

if TYPE_CHECKING:
    from pathlib import Path

MADE = datetime(2026, 12, 1, tzinfo=UTC)
STATUS = """Package: libone
Status: install ok installed
Version: 1.2-3
Architecture: amd64

Package: libtwo
Status: install ok installed
Version: 1:2
Architecture: all

Package: removed
Status: deinstall ok config-files
Version: 1
Architecture: amd64
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image's files: two Debian packages, the second documented by the first, and no Python package yet."""
    write(tmp_path / "var/lib/dpkg/status", STATUS)
    write(tmp_path / "usr/share/doc/libone/copyright", "Files: *\nLicense: GPL-2+\n\nFiles: x\nLicense: MIT\n text\n")
    (tmp_path / "usr/share/doc/libtwo").symlink_to("libone")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def python_package(root: Path, name: str, *fields: str) -> None:
    folder = root / f"opt/venv/lib/python3.13/site-packages/{name}-1.0.dist-info"
    write(folder / "METADATA", "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields, ""]))


def listed(root: Path) -> dict[str, Any]:
    """The bill's components by their package URL."""
    document = json.loads(bill("image", MADE, components(root)))
    return {
        each["purl"]: sorted(next(iter(known["license"].values())) for known in each["licenses"])
        for each in document["components"]
    }


def test_debian_packages_are_listed_with_the_licences_of_their_copyright_files(root: Path) -> None:
    assert listed(root) == {
        "pkg:deb/debian/libone@1.2-3?arch=amd64": ["GPL-2+", "MIT"],
        "pkg:deb/debian/libtwo@1:2?arch=all": ["GPL-2+", "MIT"],
    }


def test_a_copyright_file_without_names_is_pointed_to(root: Path) -> None:
    write(root / "usr/share/doc/libone/copyright", "All rights and permissions are as follows.\n")
    assert listed(root)["pkg:deb/debian/libone@1.2-3?arch=amd64"] == ["see /usr/share/doc/libone/copyright"]


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        (["License-Expression: Apache-2.0 OR MIT"], ["Apache-2.0", "MIT"]),
        (["License: whatever", "Classifier: License :: OSI Approved :: BSD License"], ["BSD License"]),
        (["License: BSD-3-Clause"], ["BSD-3-Clause"]),
        (["License: " + "Permission is hereby granted " * 9], ["not declared"]),
        ([], ["not declared"]),
    ],
)
def test_python_packages_are_listed_with_their_licences(root: Path, fields: list[str], licenses: list[str]) -> None:
    python_package(root, "package", *fields)
    assert listed(root)["pkg:pypi/package@1.0"] == licenses


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("nvidia-cublas", []),
        ("other", ["License-Expression: LicenseRef-NVIDIA-Proprietary"]),
        ("other", ["Classifier: License :: Other/Proprietary License"]),
    ],
)
def test_what_is_no_free_software_is_named(root: Path, name: str, fields: list[str]) -> None:
    assert proprietary(components(root)) == []
    python_package(root, name, *fields)
    assert proprietary(components(root)) == [name]


def test_the_same_image_gives_the_same_bill(root: Path) -> None:
    python_package(root, "package")
    assert bill("image", MADE, components(root)) == bill("image", MADE, reversed(list(components(root))))
