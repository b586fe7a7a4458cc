"""Pushes images, what is attached to them, and the chart to a registry."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from release.build import LOCAL, run
from release.project import is_loopback

BILL = "application/vnd.cyclonedx+json"
PROVENANCE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Registry:
    """Where a release goes.

    Attributes:
        name: host and path; a host on this machine is asked without TLS.
        helm: the program.
        oras: the program.
    """

    name: str
    helm: str
    oras: str

    def push_image(self, image: str, version: str) -> str:
        """Push an image; returns its digest, `sha256:…`."""
        verify = ["--tls-verify=false"] if is_loopback(self.name) else []
        with tempfile.NamedTemporaryFile() as digest:
            target = f"docker://{self.name}/{image}:{version}"
            run("buildah", "push", *verify, f"--digestfile={digest.name}", f"{LOCAL}/{image}:dev", target)
            return Path(digest.name).read_text().strip()

    def attach(self, image: str, digest: str, file: Path, kind: str) -> None:
        """Attach a file to an image, as an artifact that refers to it."""
        run(
            self.oras,
            "attach",
            *self._plain(),
            f"--artifact-type={kind}",
            f"{self.name}/{image}@{digest}",
            f"{file.name}:{kind}",
            folder=file.parent,
        )

    def push_chart(self, archive: Path) -> None:
        """Push the packaged chart."""
        run(self.helm, "push", *self._plain(), str(archive), f"oci://{self.name}/charts")

    def _plain(self) -> list[str]:
        return ["--plain-http"] if is_loopback(self.name) else []
