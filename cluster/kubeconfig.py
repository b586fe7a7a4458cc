"""Kubeconfigs for test clusters, all with one context name, and the guard that keeps tests off others."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.certificates import Pair

CONTEXT = "tuning-operator-test"


class WrongContextError(RuntimeError):
    """The kubeconfig is not one of a test cluster of this project."""


def token_user(token: str) -> dict[str, Any]:
    """A user who shows a bearer token."""
    return {"token": token}


def certificate_user(pair: Pair) -> dict[str, Any]:
    """A user who shows a client certificate."""
    return {
        "client-certificate-data": base64.b64encode(pair.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(pair.key.read_bytes()).decode(),
    }


def write(path: Path, *, url: str, authority: Path, user: dict[str, Any], namespace: str = "default") -> Path:
    """Write a kubeconfig, complete in itself and readable by its owner alone.

    Args:
        path: the file.
        url: the API server's.
        authority: PEM certificate that signed the API server's.
        user: from `token_user` or `certificate_user`.
        namespace: the context's default.
    """
    authority_data = base64.b64encode(authority.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": url, "certificate-authority-data": authority_data}}],
        "users": [{"name": CONTEXT, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}}],
        "current-context": CONTEXT,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML, and the standard library can write and read it
    return path


def copy(source: Path, path: Path, *, url: str) -> Path:
    """Write a kubeconfig like another one that leads to the same API server by another way, such as a proxy."""
    config = json.loads(source.read_text())
    config["clusters"][0]["cluster"]["server"] = url
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))
    return path


def require_test_context(kubeconfig: Path) -> None:
    """Refuse any kubeconfig but those that `write` made; tests call it before they touch a cluster.

    Raises:
        WrongContextError: naming the file and the context found.
    """
    try:
        config = json.loads(kubeconfig.read_text())
        current = config["current-context"]
    except FileNotFoundError:
        raise WrongContextError(f"{kubeconfig} does not exist: start the test cluster with `make cluster`") from None
    except (ValueError, KeyError, TypeError):
        raise WrongContextError(
            f"{kubeconfig} is not a kubeconfig that the test cluster wrote; tests run against no other cluster"
        ) from None
    if current != CONTEXT:
        raise WrongContextError(
            f"{kubeconfig} points at the context {current!r}; tests run only against {CONTEXT!r} (`make cluster`)"
        )
