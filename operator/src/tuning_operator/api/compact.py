"""Reduces objects to what is read of them: thousands are kept, and a curve as JSON takes ten times the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "ownerReferences",
)
_POD_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses")
_CONTAINER = ("name", "livenessProbe", "startupProbe")


def compact(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without the API server's book-keeping."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata}


def compact_trial(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a TuningTrial whose curve is two arrays; one that is not understood stays as it is."""
    reduced = compact(body)
    status = reduced.get("status") or {}
    curve = status.get("curve") or {}
    try:
        numbers = {name: np.array([float(item) for item in curve[name]]) for name in ("epochs", "values")}
    except (KeyError, TypeError, ValueError, OverflowError):
        return reduced
    return {**reduced, "status": {**status, "curve": {**curve, **numbers}}}


def compact_pod(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a Pod tells whose it is and how it fares; what it runs is left out."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    containers = [{name: item[name] for name in _CONTAINER if name in item} for item in spec["containers"]]
    return {
        "metadata": {name: metadata[name] for name in _METADATA if name in metadata},
        "spec": {"containers": containers} | ({"nodeName": spec["nodeName"]} if "nodeName" in spec else {}),
        "status": {name: status[name] for name in _POD_STATUS if name in status},
    }
