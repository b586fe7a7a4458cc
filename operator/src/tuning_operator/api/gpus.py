"""How many GPUs a Pod of a template asks for, by the resources of its containers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_GPU = re.compile(r"[^/]+/gpu(\.shared)?|nvidia\.com/mig-.+|gpu\.intel\.com/(i915|xe)")
"""Resources of which one is a GPU, or a part of one that is handed out like a GPU."""


def gpus_of(template: Mapping[str, Any]) -> int | None:
    """Return the number of GPUs; None where it is unknown, since the Pod claims devices.

    As for Kubernetes, containers that run side by side add up, and those that run before them need at most the
    largest of them. What is not as in a Pod counts as nothing: the API server refuses it.
    """
    spec = _mapping(template.get("spec"))
    if spec.get("resourceClaims"):
        return None
    first = [_mapping(item) for item in _list(spec.get("initContainers"))]
    beside = sum(_of(item) for item in first if item.get("restartPolicy") == "Always")
    before = max((_of(item) for item in first if item.get("restartPolicy") != "Always"), default=0)
    return beside + max(before, sum(_of(_mapping(item)) for item in _list(spec.get("containers"))))


def _of(container: Mapping[str, Any]) -> int:
    resources = _mapping(container.get("resources"))
    asked = {**_mapping(resources.get("requests")), **_mapping(resources.get("limits"))}
    return sum(_whole(amount) for name, amount in asked.items() if _GPU.fullmatch(str(name)))


def _whole(amount: object) -> int:
    text = str(amount)
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
