"""Manifests held against the schema of the CRD, without an API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def as_stored(job: dict[str, Any]) -> dict[str, Any]:
    """A manifest with what the API server adds."""
    return {**job, "metadata": {"namespace": "here", "uid": "1", **job["metadata"]}}


def job_schema() -> dict[str, Any]:
    body = yaml.safe_load((ROOT / "crds" / "tuningjobs.yaml").read_text())
    schema: dict[str, Any] = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def misspelt(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """Fields that the definition does not know or misses, and words that it does not take."""
    if isinstance(value, dict) and "properties" in schema and where != ".metadata":
        yield from (f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            if name in schema["properties"]:
                yield from misspelt(item, schema["properties"][name], f"{where}.{name}")
            elif not schema.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{where}.{name} is unknown"
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            yield from misspelt(item, schema["items"], f"{where}[]")
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}"
