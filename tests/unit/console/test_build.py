"""What the pages are built from: locked with hashes, without a registry's address, and nothing built is kept."""

from __future__ import annotations

import json
import re
import subprocess

from tests.unit.docs.pages import ROOT

WEB = ROOT / "console" / "web"
LOCK = json.loads((WEB / "package-lock.json").read_text())


def test_every_package_is_locked_with_a_hash_and_without_an_address() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert len(packages) > 20
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert "resolved" not in (WEB / "package-lock.json").read_text()
    assert "omit-lockfile-registry-resolved=true" in (WEB / ".npmrc").read_text().splitlines()


def test_what_is_asked_for_is_what_is_locked() -> None:
    wanted = json.loads((WEB / "package.json").read_text())
    for kind in ("dependencies", "devDependencies"):
        assert LOCK["packages"][""][kind] == wanted[kind]
        for name, version in wanted[kind].items():
            assert LOCK["packages"][f"node_modules/{name}"]["version"] == version


def test_nothing_that_is_built_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "console"], cwd=ROOT, text=True, capture_output=True, check=True)
    made = re.compile(r"/(static|node_modules|dist)/|\.(js|css\.map|js\.map)$")
    assert [name for name in listed.stdout.splitlines() if made.search(name)] == []


def test_pages_name_no_other_site() -> None:
    sources = [path for path in WEB.rglob("*") if path.suffix in (".ts", ".tsx", ".css", ".html", ".svg")]
    own = [path for path in sources if "node_modules" not in path.parts]
    addresses = {found for path in own for found in re.findall(r"\w+://[^\s\"'`)]+", path.read_text())}
    assert addresses == {"http://www.w3.org/2000/svg"}
