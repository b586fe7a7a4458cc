"""Builds the Kubernetes components, kubectl and helm from Go modules, once for each state of the sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cluster import paths

if TYPE_CHECKING:
    from pathlib import Path

_COMPONENTS = (
    "coredns", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet",
)  # fmt: skip
_CLIENTS = ("helm", "kubectl")
_KEPT_BUILDS = 3  # checkouts in different states can take turns without building
# A checkout of another user would fail at asking git for its state.
_GO_FLAGS = ("-trimpath", "-buildvcs=false")
_GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}


def build() -> Path:
    """Build the present sources unless that is done, and let `paths.binaries()` lead there; gives the folder."""
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _compile(folder)
        _point_current_at(folder)
    return folder


def is_built() -> bool:
    """Whether the present sources are built."""
    return _folder().exists()


def sources_hash() -> str:
    """Names the present state of the Go sources and of the flags they are built with."""
    digest = hashlib.sha256(repr((_GO_FLAGS, _GO_ENVIRONMENT, _COMPONENTS, _CLIENTS)).encode())
    for path in sorted(path for path in paths.SOURCES.rglob("*") if path.is_file()):
        digest.update(path.relative_to(paths.SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _folder() -> Path:
    return paths.cache() / "bin" / sources_hash()


def _compile(folder: Path) -> None:
    if shutil.which("go") is None:
        raise SystemExit("building the test cluster needs Go 1.26 or newer (https://go.dev/dl), and there is no `go`")
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    started = time.monotonic()
    print("Building Kubernetes from its Go modules, once: up to 10 minutes on two cores.", flush=True)
    _go_build(fresh, _packages())
    for program, names in (("components", _COMPONENTS), ("clients", _CLIENTS)):
        for name in names:
            (fresh / name).symlink_to(program)
    fresh.rename(folder)
    shutil.rmtree(_compilers_cache())
    print(f"Built {folder} in {time.monotonic() - started:.0f} s.", flush=True)


def _go_build(output: Path, total: int) -> None:
    """Run `go build`, whose -v names each package when it is compiled, and show how far it is."""
    command = ["go", "build", "-v", *_GO_FLAGS, f"-ldflags={_linker_flags()}", "-o", f"{output}/", "./..."]
    problems: list[str] = []
    with subprocess.Popen(command, cwd=paths.SOURCES, env=_environment(), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        done = 0
        for line in running.stderr:
            if re.fullmatch(r"[\w./~-]+\n", line):
                done += 1
                _show_progress(done, total)
            else:
                problems.append(line)
    if sys.stdout.isatty():
        print()
    if running.returncode:
        raise SystemExit("".join(problems[-40:]) + f"`go build` in {paths.SOURCES} failed")


def _show_progress(done: int, total: int) -> None:
    """Overwrite one line on a terminal; elsewhere a line now and then."""
    if sys.stdout.isatty():
        print(f"\r  compiled {done} of about {total} packages", end="", flush=True)
    elif done % 250 == 0:
        print(f"  compiled {done} of about {total} packages", flush=True)


def _packages() -> int:
    """How many packages a build from nothing compiles."""
    command = ["go", "list", "-deps", "./..."]
    listed = subprocess.run(
        command, cwd=paths.SOURCES, env=_environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if listed.returncode:
        raise SystemExit(f"`{' '.join(command)}` in {paths.SOURCES} failed: is the Go module proxy reachable?")
    return len(listed.stdout.splitlines())


def _linker_flags() -> str:
    """Without symbols, and with the versions that the programs report: charts check the server's."""
    requirements = dict(re.findall(r"^\t(\S+) (v\S+)", (paths.SOURCES / "go.mod").read_text(), re.MULTILINE))
    kubernetes, helm = requirements["k8s.io/kubernetes"], requirements["helm.sh/helm/v4"]
    major, minor = kubernetes.removeprefix("v").split(".")[:2]
    values = {"helm.sh/helm/v4/internal/version.version": helm}
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values |= {
            f"{package}.gitVersion": kubernetes,
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
        }
        values[f"{package}.gitTreeState"] = "clean"
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def _environment() -> dict[str, str]:
    return {**os.environ, **_GO_ENVIRONMENT, "GOCACHE": str(_compilers_cache())}


def _compilers_cache() -> Path:
    """4 GiB that let an interrupted build resume; removed after a build, since the next one is far off."""
    return paths.cache() / "go-build"


def _point_current_at(folder: Path) -> None:
    """Turn the link to this build, and remove builds that were last used long ago."""
    current = paths.binaries()
    if not current.is_symlink() or current.resolve() != folder:
        link = current.with_name("current.new")
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
        link.replace(current)
    os.utime(folder)
    builds = [path for path in folder.parent.iterdir() if path.is_dir() and not path.is_symlink()]
    for old in sorted(builds, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT_BUILDS:]:
        shutil.rmtree(old)
