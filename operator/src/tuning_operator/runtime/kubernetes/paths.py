"""Where the API server keeps each kind of object that this operator uses."""

from __future__ import annotations

from tuning_operator.api import names

_GROUPS = {names.TRIAL_PLURAL: f"/apis/{names.API_VERSION}", "pods": "/api/v1", "jobs": "/apis/batch/v1"}


def custom(namespace: str | None, plural: str, name: str | None = None) -> str:
    """Return the path of this operator's own resources, or of one of them; without a namespace, of all namespaces."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{names.API_VERSION}{scope}/{plural}" + (f"/{name}" if name else "")


def watched(plural: str, namespace: str | None) -> str:
    """Return the path of the TuningTrials, Pods or batch Jobs of a namespace, or of all."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{_GROUPS[plural]}{scope}/{plural}"


def attempt(kind: str, namespace: str, name: str | None = None) -> str:
    """Return the path of a namespace's Pods or batch Jobs, or of one of them."""
    return watched({"Pod": "pods", "Job": "jobs"}[kind], namespace) + (f"/{name}" if name else "")


def namespace_of(path: str) -> str:
    """Return the namespace that a path leads into; empty for what concerns all of them."""
    return path.partition("/namespaces/")[2].partition("/")[0]
