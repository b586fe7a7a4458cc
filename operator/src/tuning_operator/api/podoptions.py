"""What the operator's settings say about the Pods of all jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDECAR_RESOURCES = '{"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "10m", "memory": "64Mi"}}'
"""Of a sidecar: a quota may ask for each of these."""


@dataclass(frozen=True, slots=True)
class PodOptions:
    """What the operator's settings say about Pods.

    Attributes:
        sidecar_image: What follows a training's log; empty where there is none.
        sidecar_resources: What the sidecar asks for.
        last_words: Whether texts from logs and termination messages are shown in statuses and Events.
        image_pull_grace: How long creating a container may fail before its trial fails.
    """

    sidecar_image: str = ""
    sidecar_resources: Mapping[str, Any] = field(default_factory=lambda: parse_resources(SIDECAR_RESOURCES))
    last_words: bool = True
    image_pull_grace: timedelta = timedelta(minutes=15)


def parse_resources(text: str) -> dict[str, Any]:
    """Parse what a container asks for, as JSON; what a quantity is, the API server knows.

    Raises:
        ValueError: It has another shape.
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not set(found) <= {"requests", "limits"}:
        raise ValueError('must be an object with "requests" and "limits"')
    for kind, quantities in found.items():
        if not isinstance(quantities, dict) or not all(isinstance(each, str) for each in quantities.values()):
            raise ValueError(f'"{kind}" must be an object of strings, such as {{"cpu": "10m"}}')
    return found
