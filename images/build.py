"""Builds the images with buildah, each only when what it is made of has changed; run it as `make images`.

An image's name ends in a hash of its inputs, so that buildah's storage itself says what is up to date; `:dev` names
the newest. Everywhere else the Dockerfiles are built as README.md says.
"""

# ruff: noqa: INP001, S603, S607 - a script that starts the system's buildah

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "localhost/tuning-operator"
LABEL = "dev.tuning-operator.image"
# Where the build finds the certificates that the machine trusts, if it has its own.
CERTIFICATES = "/run/build-ca.crt"
# The layout of Debian's own slim images: no manual pages, no translations.
BOOTSTRAP = (
    *("mmdebstrap", "--quiet", "--variant=minbase"),
    *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
    *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright"),
    "trixie",
)


@dataclass(frozen=True)
class Recipe:
    """How an image is made.

    Attributes:
        dockerfile: path in the repository.
        inputs: files and folders, besides the Dockerfile, whose content the image depends on.
        parent: image that it is built on; its name is given as the build argument BASE or, if it has torch, TORCH.
        arguments: further build arguments that the Dockerfile takes.
    """

    dockerfile: str
    inputs: tuple[str, ...]
    parent: str
    arguments: tuple[str, ...] = ()


# Folders beside sources that no image takes: it makes its own.
_MADE = {"__pycache__", "static"}
# In the order in which they are built.
RECIPES = {
    "torch": Recipe(
        "images/torch/Dockerfile",
        tuple(f"images/torch/{file}" for file in ("install.sh", "tools.sh", "requirements.lock", "tools.lock")),
        parent="base",
        arguments=("TORCH_INDEX_URL",),
    ),
    "torch-cpu": Recipe(
        "images/torch-cpu/Dockerfile",
        ("images/torch-cpu/install.sh", "images/torch/tools.sh", "images/torch/tools.lock"),
        parent="base",
    ),
    "operator": Recipe(
        "images/operator/Dockerfile",
        ("LICENSE", "images/add.sh", "operator/pyproject.toml", "operator/requirements.lock", "operator/src"),
        parent="torch-cpu",
    ),
    "trainer": Recipe(
        "images/trainer/Dockerfile",
        (
            *("LICENSE", "images/add.sh", "trainer/pyproject.toml", "trainer/README.md"),
            *("trainer/requirements.lock", "trainer/src"),
        ),
        parent="torch",
        arguments=("TORCH_INDEX_URL",),
    ),
    "sidecar": Recipe(
        "images/sidecar/Dockerfile",
        (
            "LICENSE",
            "images/sidecar/requirements.lock",
            "images/torch/tools.lock",
            "trainer/pyproject.toml",
            "trainer/README.md",
            "trainer/src",
        ),
        parent="base",
    ),
    "console": Recipe(
        "images/console/Dockerfile",
        (
            *("LICENSE", "images/add.sh", "images/torch/tools.sh", "images/torch/tools.lock"),
            *(f"console/{file}" for file in ("pyproject.toml", "README.md", "requirements.lock")),
            *("console/src/tuning_console", "console/web/src"),
            *(f"console/web/{file}" for file in (".npmrc", "index.html", "package-lock.json", "package.json")),
            *("console/web/tsconfig.json", "console/web/vite.config.ts"),
        ),
        parent="base",
    ),
    "prometheus": Recipe("images/prometheus/Dockerfile", (), parent="base"),
    "lightning": Recipe(
        "images/lightning/Dockerfile", ("images/add.sh", "images/lightning/requirements.lock"), parent="torch"
    ),
}
# Built only when they are named.
FOR_TESTS = {"lightning"}


class Builder:
    """One pass over the recipes."""

    def __init__(self, cache: Path, arguments: dict[str, str]) -> None:
        """Look up what there is.

        Args:
            cache: folder for the logs of builds.
            arguments: BASE, an image to build on instead of one made here; TORCH_INDEX_URL.
        """
        self._cache, self._arguments = cache, arguments
        self._names: dict[str, str] = {}
        self._present = set(buildah("images", "--format", "{{.Name}}:{{.Tag}}").split())

    def build(self, name: str) -> str:
        """See to it that an image and those that it is built on are there; returns its name, with the hash."""
        if name not in self._names:
            self._names[name] = self._make_base() if name == "base" else self._make(name, RECIPES[name])
        return self._names[name]

    def _make_base(self) -> str:
        if self._arguments["BASE"]:
            return self._arguments["BASE"]
        name = f"{PREFIX}/base:{digest(*BOOTSTRAP)}"
        if name not in self._present:
            with tempfile.TemporaryDirectory(dir=self._cache) as folder:
                archive = f"{folder}/base.tar"
                self._run("base", [*BOOTSTRAP, archive])
                container = buildah("from", "scratch").strip()
                buildah("add", "--quiet", container, archive, "/")
                buildah("config", "--cmd", "/bin/bash", container)
                buildah("commit", "--quiet", "--rm", container, name)
            self._drop("base", [], name)
        return name

    def _make(self, name: str, recipe: Recipe) -> str:
        options = {argument: self._arguments[argument] for argument in recipe.arguments}
        options["BASE" if recipe.parent == "base" else "TORCH"] = self.build(recipe.parent)
        image = f"{PREFIX}/{name}:{digest(*options.values(), *contents(recipe.dockerfile, *recipe.inputs))}"
        if image not in self._present:
            build = [
                "buildah",
                "bud",
                "--isolation=chroot",
                "--layers",
                f"--file={recipe.dockerfile}",
                f"--tag={image}",
            ]
            build += [f"--build-arg={key}={value}" for key, value in options.items()]
            stages = buildah("images", "--quiet", "--filter=dangling=true", f"--filter=label={LABEL}={name}").split()
            self._run(name, [*build, *certificates(), "."])
            buildah("tag", image, f"{PREFIX}/{name}:dev")
            self._drop(name, stages, image)
        else:
            buildah("tag", image, f"{PREFIX}/{name}:dev")
        return image

    def _run(self, name: str, command: list[str]) -> None:
        """Run a long command; its output is shown only when it fails."""
        began, log = time.monotonic(), self._cache / f"{name}.log"
        say(f"building {name} (log: {log})")
        with log.open("w") as output:
            done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            sys.exit("\n".join([*log.read_text().splitlines()[-30:], f"building {name} failed: see {log}"]))
        say(f"built {name} in {time.monotonic() - began:.0f} s")

    def _drop(self, name: str, stages: list[str], current: str) -> None:
        """Remove what older inputs gave. The newest build's stages stay: the next one starts from them.

        Args:
            name: of the image.
            stages: ids of what earlier builds left behind.
            current: the newest image.
        """
        old = [image for image in self._present if image.startswith(f"{PREFIX}/{name}:") and not image.endswith(":dev")]
        for image in {*old, *stages} - {current}:
            # One that another image is built on stays for as long as that does.
            subprocess.run(["buildah", "rmi", image], capture_output=True, check=False)


def contents(*paths: str) -> list[str]:
    """Names and contents of files, and of all files in folders, but for what builds leave beside their sources."""
    files = [
        file
        for path in paths
        for file in ([ROOT / path] if (ROOT / path).is_file() else sorted((ROOT / path).rglob("*")))
    ]
    return [
        f"{file.relative_to(ROOT)} {digest(file.read_bytes().hex())}"
        for file in files
        if file.is_file() and not _MADE & set(file.parts)
    ]


def digest(*texts: str) -> str:
    """A short hash of texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def certificates() -> list[str]:
    """Options that let a build trust what this machine trusts: nothing else does behind a proxy that signs for all."""
    file = os.environ.get("SSL_CERT_FILE", "")
    if not Path(file).is_file():
        return []
    arguments = [f"--build-arg={name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    return [f"--volume={file}:{CERTIFICATES}:ro", *arguments]


def buildah(*arguments: str) -> str:
    """Run buildah and return its output; its own words are the error message."""
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"buildah {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def wait_for(lock: IO[str]) -> None:
    """Take the lock that lets one build run at a time: two would build the same twice."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another build of the images is running: waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Build the images that are asked for, by default all."""
    parser = argparse.ArgumentParser(description="Builds the images with buildah.")
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help=f"of {', '.join(RECIPES)}; default: all but {', '.join(FOR_TESTS)}"
    )
    names = parser.parse_args().images or [name for name in RECIPES if name not in FOR_TESTS]
    if unknown := set(names) - set(RECIPES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    cache = Path(os.environ.get("TUNING_OPERATOR_CACHE") or Path.home() / ".cache" / "tuning-operator") / "images"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        wait_for(lock)
        builder = Builder(cache, {name: os.environ.get(name, "") for name in ("BASE", "TORCH_INDEX_URL")})
        for name in names:
            builder.build(name)


if __name__ == "__main__":
    main()
