"""Where the API server keeps each kind of object that this operator uses.

Users write some names, such as those of owners and parents: none leads to another place.
"""

from __future__ import annotations

from urllib.parse import quote

from tuning_operator.api import names

_GROUPS = {names.TRIAL_PLURAL: f"/apis/{names.API_VERSION}", "pods": "/api/v1", "jobs": "/apis/batch/v1"}


def custom(namespace: str | None, plural: str, name: str | None = None) -> str:
    """Return the path of this operator's own resources, or of one of them; without a namespace, of all namespaces."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{names.API_VERSION}{scope}/{plural}" + _named(name)


def watched(plural: str, namespace: str | None) -> str:
    """Return the path of the TuningTrials, Pods or batch Jobs of a namespace, or of all."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{_GROUPS[plural]}{scope}/{plural}"


def attempt(kind: str, namespace: str, name: str | None = None) -> str:
    """Return the path of a namespace's Pods or batch Jobs, or of one of them."""
    return watched({"Pod": "pods", "Job": "jobs"}[kind], namespace) + _named(name)


def services(namespace: str, name: str | None = None) -> str:
    """Return the path of a namespace's Services, or of one of them."""
    return f"/api/v1/namespaces/{namespace}/services" + _named(name)


def namespace_of(path: str) -> str:
    """Return the namespace that a path leads into; empty for what concerns all of them."""
    return path.partition("/namespaces/")[2].partition("/")[0]


def _named(name: str | None) -> str:
    return "" if name is None else f"/{quote(name, safe='')}"
