"""Makes a release and pushes it: `make release VERSION=1.2.3 REGISTRY=registry.example.com/tuning-operator`.

The files are in dist/release. The images must have been built (`make images-build`), and the registry know you
(`docker login`). Publishing the distributions and creating a tag are left to whoever runs this.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from release import build
from release.project import IMAGES, ROOT, Project, ReleaseError, require_registry
from release.provenance import Origin, statement
from release.push import BILL, PROVENANCE, Registry

MACHINE = "https://tuning-operator.dev/release/by-hand"


def main() -> int:
    """Make the release that the arguments name; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("version", help="such as 1.2.3; the whole tree must be of it")
    parser.add_argument("registry", help="such as registry.example.com/tuning-operator")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist" / "release", help="folder for the files (%(default)s)"
    )
    parser.add_argument("--images", nargs="+", choices=IMAGES, default=IMAGES, help="only these (all)")
    parser.add_argument("--helm", default="helm", help="the program (%(default)s)")
    parser.add_argument("--oras", default="oras", help="the program (%(default)s)")
    arguments = parser.parse_args()
    registry = Registry(arguments.registry, arguments.helm, arguments.oras)
    try:
        release(Project(), arguments.version, registry, arguments.images, arguments.out)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def release(project: Project, version: str, registry: Registry, images: tuple[str, ...], out: Path) -> None:
    """Check, build, push, attach, and sum up."""
    project.require_version(version)
    require_registry(registry.name)
    notes = project.notes(version)
    origin = Origin(
        version,
        project.revision(),
        build.lock_digests(project),
        os.environ.get("GITHUB_WORKFLOW_REF") or MACHINE,
        datetime.now(UTC),
    )
    if origin.revision.endswith("-dirty"):
        say(f"WARNING: files differ from commit {origin.revision}; the provenance says so")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "NOTES.md").write_text(notes)
    build.distributions(project, out)
    build.first_job(project, registry.name, version, out)
    archive = build.chart(project, registry.name, version, registry.helm, out)
    for image in images:
        publish_image(project, image, origin, registry, out)
    registry.push_chart(archive)
    say(f"pushed the chart to oci://{registry.name}/charts/tuning-operator, version {version}")
    files = build.checksums(out)
    (out / "files.provenance.json").write_text(statement(origin, files, datetime.now(UTC)))
    build.checksums(out)
    say(f"{len(files) + 1} files in {out}, with their checksums")


def publish_image(project: Project, image: str, origin: Origin, registry: Registry, out: Path) -> None:
    """Push one image with its bill of materials and its provenance."""
    bill = build.bill_of_materials(project, image, out)
    digest = registry.push_image(image, origin.version)
    provenance = out / f"{image}.provenance.json"
    subject = {f"{registry.name}/{image}": digest.removeprefix("sha256:")}
    provenance.write_text(statement(origin, subject, datetime.now(UTC)))
    registry.attach(image, digest, bill, BILL)
    registry.attach(image, digest, provenance, PROVENANCE)
    say(f"pushed {registry.name}/{image}:{origin.version}, {digest}")


def say(text: str) -> None:
    """Print progress as it happens."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
