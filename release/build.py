"""Makes the files of a release: distributions, chart, the first job, notes, bills of materials, checksums."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from release.project import DISTRIBUTIONS, IMAGES, ReleaseError

if TYPE_CHECKING:
    from release.project import Project

LOCAL = "localhost/tuning-operator"
CHECKSUMS = "SHA256SUMS"
VALUES = {
    "repository: localhost/tuning-operator/operator": "repository: {registry}/operator",
    "repository: localhost/tuning-operator/console": "repository: {registry}/console",
    'sidecarImage: ""': "sidecarImage: {registry}/sidecar:{version}",
}
"""What the chart's values say of images, here and in a release."""


def distributions(project: Project, out: Path) -> None:
    """Build wheels and sdists with the locked hatchling; the same commit gives the same files.

    Raises:
        ReleaseError: The console's pages are not built.
    """
    if not (project.root / "console" / "src" / "tuning_console" / "static" / "index.html").is_file():
        raise ReleaseError("the console has no pages: run `make console`")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(project.committed())}
    uv = str(Path(sys.executable).parent / "uv")
    for folder in DISTRIBUTIONS:
        options = ("--quiet", "--no-build-isolation", f"--python={sys.executable}", f"--out-dir={out}")
        run(uv, "build", *options, str(project.root / folder), environment=environment)
    (out / ".gitignore").unlink(missing_ok=True)


def chart(project: Project, registry: str, version: str, helm: str, out: Path) -> Path:
    """Package the chart so that it takes the release's images; returns the archive."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "tuning-operator"
        shutil.copytree(project.root / "charts" / "tuning-operator", copy)
        values = copy / "values.yaml"
        text = values.read_text()
        for here, there in VALUES.items():
            if text.count(here) != 1:
                raise ReleaseError(f"the chart's values.yaml does not have {here!r} once")
            text = text.replace(here, there.format(registry=registry, version=version))
        values.write_text(text)
        run(helm, "package", str(copy), "--version", version, "--app-version", version, "--destination", str(out))
    return out / f"tuning-operator-{version}.tgz"


def first_job(project: Project, registry: str, version: str, out: Path) -> None:
    """Write the quick start's job with the release's images."""
    text = (project.root / "examples" / "quickstart.yaml").read_text()
    for image in IMAGES:
        text = text.replace(f"{LOCAL}/{image}:dev", f"{registry}/{image}:{version}")
    (out / "quickstart.yaml").write_text(text)


def bill_of_materials(project: Project, image: str, out: Path) -> Path:
    """List what an image holds."""
    target = out / f"{image}.cdx.json"
    run(sys.executable, str(project.root / "images" / "sbom.py"), f"{LOCAL}/{image}:dev", str(target))
    return target


def lock_digests(project: Project) -> dict[str, str]:
    """Return the sha256 of all lock files, which name everything that was installed from an index."""
    return {path: sha256(project.root / path) for path in project.locks()}


def checksums(out: Path) -> dict[str, str]:
    """Return the sha256 of every file, and write them for `sha256sum --check`."""
    files = sorted(path for path in out.iterdir() if path.name != CHECKSUMS)
    found = {path.name: sha256(path) for path in files}
    (out / CHECKSUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in found.items()))
    return found


def sha256(path: Path) -> str:
    """Return a file's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str, environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    """Run a program and return its output; raises `ReleaseError` with its words."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
