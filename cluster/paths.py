"""Where the test cluster keeps its files: all of them outside the checkout, under one cache folder."""

from __future__ import annotations

import os
from pathlib import Path

SOURCES = Path(__file__).parent / "src"


def cache() -> Path:
    """The project's cache folder, shared by all checkouts of this user."""
    return Path(os.environ.get("TUNING_OPERATOR_CACHE") or Path.home() / ".cache" / "tuning-operator").resolve()


def binaries() -> Path:
    """A link to the folder with the newest build of the Kubernetes components, kubectl and helm."""
    return cache() / "bin" / "current"


def binary(name: str) -> Path:
    """The component, kubectl or helm of the newest build; raises `FileNotFoundError` when there is none."""
    path = binaries().resolve() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make cluster-build` once")
    return path


def state() -> Path:
    """Everything that the full cluster writes."""
    return cache() / "cluster"


def kubeconfig() -> Path:
    """The administrator's kubeconfig of the full cluster."""
    return state() / "kubeconfig"
