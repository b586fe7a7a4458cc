"""Installs what the cluster, the images and the tests need of the operating system, where it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# What must be there, and the Debian package that brings it. A program that came another way (Docker's
# containerd.io, a Prometheus from its release page) serves as well.
_NEEDED = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "openssl": "openssl",
    "gcc": "gcc",
    "/usr/include/stdlib.h": "libc6-dev",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "prometheus": "prometheus",
    "/usr/share/datasets/fashion-mnist": "dataset-fashion-mnist",
}
# For the console's pages and the tests that open a browser.
CONSOLE = {"node": "nodejs", "npm": "npm", "chromium": "chromium"}
OLDEST_NODE = 20
# Administrators' programs, which a user's PATH may lack.
PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str) -> str | None:
    """Absolute path of a program, also one for administrators; None when there is none."""
    return shutil.which(name, path=PATH)


def missing(needed: Mapping[str, str]) -> list[str]:
    """The Debian packages that would bring what is missing, sorted."""
    return sorted(
        {
            package
            for need, package in needed.items()
            if not (Path(need).exists() if need.startswith("/") else program(need))
        }
    )


def ensure(needed: Mapping[str, str] = _NEEDED) -> None:
    """Install what is missing, or end with one line that says what it is."""
    wanted = missing(needed)
    if not wanted:
        return
    apt = program("apt-get")
    if apt is None or os.geteuid() != 0:
        raise SystemExit(f"missing; install it as root: apt-get install --no-install-recommends {' '.join(wanted)}")
    print(f"Installing {', '.join(wanted)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": PATH}
    subprocess.run([apt, "update", "-qq"], env=environment, check=False)  # an old index may still do
    options = ["install", "-qq", "--yes", "--no-install-recommends"]
    done = subprocess.run([apt, *options, *wanted], env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode or (wanted := missing(needed)):
        raise SystemExit(f"apt-get could not install {' '.join(wanted)}: see its words above")


def check_node(version: str) -> None:
    """End with one line when Node.js is too old for the console's pages, as Debian bookworm's own is."""
    major = version.strip().removeprefix("v").partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_NODE:
        raise SystemExit(
            f"the console's pages need Node.js {OLDEST_NODE} or later, and `node --version` says {version.strip()}:"
            " install a newer one from nodejs.org before the one of Debian bookworm"
        )


def ensure_console() -> None:
    """The same for the console's pages and their tests."""
    ensure(CONSOLE)
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    check_node(found.stdout)
