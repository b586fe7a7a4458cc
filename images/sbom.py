"""Writes what an image holds as a CycloneDX bill of materials: Debian's and Python's packages with their licences.

Reads the image's files and runs nothing in it. `python images/sbom.py IMAGE FILE`, as root: buildah opens the image.
"""

# ruff: noqa: INP001, S603, S607 - a script that starts the system's buildah

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from email import message_from_string
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id
from license_expression import ExpressionError, get_spdx_licensing
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cyclonedx.model.license import License

SPDX = get_spdx_licensing()
PROPRIETARY = re.compile(r"proprietary|nvidia", re.IGNORECASE)
TEXT_CHARACTERS = 64
"""Longer than any licence's name: what is longer is its text."""


def components(root: Path) -> Iterator[Component]:
    """Find the packages that are installed below a folder."""
    status = root / "var/lib/dpkg/status"
    for stanza in status.read_text().split("\n\n") if status.is_file() else ():
        package = message_from_string(stanza)
        if package["Status"] == "install ok installed":
            version, architecture = package["Version"], package["Architecture"]
            url = PackageURL("deb", "debian", package["Package"], version, {"arch": architecture})
            yield component(package["Package"], version, url, debian_licenses(root, package["Package"]))
    folders = {str(metadata.parent) for metadata in root.glob("opt/**/*.dist-info")}
    for found in distributions(path=sorted(folders)):
        # What is linked to from Debian's packages is listed with them.
        if found.metadata["Name"]:
            url = PackageURL("pypi", None, found.metadata["Name"].lower(), found.version)
            yield component(found.metadata["Name"], found.version, url, python_licenses(found))


def component(name: str, version: str, url: PackageURL, licenses: Iterable[str]) -> Component:
    """Describe a package."""
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=str(url),
        licenses=[license_of(text) for text in sorted(set(licenses))],
    )


def license_of(text: str) -> License:
    """Name a licence by its SPDX identifier where it has one."""
    return DisjunctiveLicense(id=text) if is_supported_id(text) else DisjunctiveLicense(name=text)


def debian_licenses(root: Path, package: str) -> list[str]:
    """Read the short names in a package's copyright file; older files have none, only text."""
    documentation = root / "usr/share/doc"
    folder = documentation / package
    if folder.is_symlink():  # to that of the package that it belongs with
        folder = documentation / folder.readlink().name
    file = folder / "copyright"
    text = file.read_text(errors="replace") if file.is_file() else ""
    names = re.findall(r"^License: *(\S.*?) *$", text, re.MULTILINE)
    return names or [f"see /{file.relative_to(root)}"]


def python_licenses(package: Distribution) -> Iterator[str]:
    """Read a distribution's licence: the expression of new metadata, else the classifiers, else a short name."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        yield from spdx_names(metadata["License-Expression"])
        return
    classified = [
        classifier.rpartition(" :: ")[2]
        for classifier in metadata.get_all("Classifier") or ()
        if classifier.startswith("License :: ") and not classifier.endswith("OSI Approved")
    ]
    named = metadata["License"].strip() if "License" in metadata else ""
    yield from classified or [named if 0 < len(named) <= TEXT_CHARACTERS else "not declared"]


def spdx_names(expression: str) -> list[str]:
    """Take an expression apart: all its licences are listed, whichever its operators let one choose."""
    try:
        return [str(name) for name in SPDX.license_symbols(expression)]
    except ExpressionError:
        return [expression]


def proprietary(found: Iterable[Component]) -> list[str]:
    """Name the packages that are no free software."""
    return sorted(
        each.name
        for each in found
        if PROPRIETARY.search(each.name) or any(PROPRIETARY.search(known.name or "") for known in each.licenses)
    )


def bill(image: str, made: datetime, found: Iterable[Component]) -> str:
    """Write the bill of materials; the same image gives the same bill."""
    whole = Component(name=image, type=ComponentType.CONTAINER, bom_ref=image)
    listed = sorted(found, key=lambda each: str(each.purl))
    contents = " ".join(str(each.purl) for each in listed)
    bom = Bom(
        components=listed,
        serial_number=uuid5(NAMESPACE_URL, f"{image} {contents}"),
        metadata=BomMetaData(component=whole, timestamp=made),
    )
    bom.register_dependency(whole, listed)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def main() -> None:
    """Write the bill of one image."""
    image, target = sys.argv[1:]
    container = buildah("from", "--pull-never", image)
    try:
        found = list(components(Path(buildah("mount", container))))
    finally:
        buildah("rm", container)
    made = datetime.fromisoformat(json.loads(buildah("inspect", "--type=image", image))["OCIv1"]["created"])
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(bill(image, made, found))
    print(f"{target}: {len(found)} packages, of which proprietary: {', '.join(proprietary(found)) or 'none'}")  # noqa: T201


def buildah(*arguments: str) -> str:
    """Run buildah and return its output."""
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
