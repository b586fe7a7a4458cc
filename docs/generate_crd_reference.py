"""Writes docs/crd-reference.md from crds/*.yaml, so that the reference says what the API server enforces.

`make docs` runs it; a unit test fails when the page is out of date.
"""  # noqa: INP001 - a script beside the pages that it writes

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "crd-reference.md"
INTRODUCTION = """\
# CRD reference

<!-- Generated from crds/*.yaml by docs/generate_crd_reference.py: do not edit; run `make docs`. -->

Both resources belong to the group `tuning-operator.dev`, are namespaced and have a `status` subresource. The API server
checks every rule on this page when you apply an object. `kubectl explain tuningjob.spec` shows the same texts.

"Checks" lists the messages with which the API server refuses a value, each after the field that it is about.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(render())


def render() -> str:
    """Return the page as it should be."""
    bodies = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    return "\n".join([INTRODUCTION, *(line for body in bodies for line in _resource(body))])


def _resource(body: Schema) -> Iterator[str]:
    """Render one CustomResourceDefinition."""
    spec = body["spec"]
    names, version = spec["names"], spec["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n"
    yield f"{_prose(schema['description'])}\n"
    yield "| | |\n|---|---|"
    yield f"| API version | `{spec['group']}/{version['name']}` |"
    yield f"| Names for kubectl | {_codes([names['plural'], names['singular'], *names['shortNames']])} |"
    yield f"| Categories | {_codes(names['categories'])} |"
    yield f"| Field selectors | {_codes(field['jsonPath'].lstrip('.') for field in version['selectableFields'])} |"
    yield from _checks("", schema)
    yield "\n### Columns of `kubectl get`\n"
    yield "| Column | Field | Meaning |\n|---|---|---|"
    for column in version["additionalPrinterColumns"]:
        wide = " (with `-o wide`)" if column.get("priority") else ""
        name = column["name"].upper()
        yield f"| {name}{wide} | `{column['jsonPath'].lstrip('.')}` | {_cell(column.get('description', ''))} |"
    yield ""
    for part in ("spec", "status"):
        yield from _object(part, schema["properties"][part], names["kind"])


def _object(path: str, schema: Schema, kind: str) -> Iterator[str]:
    """Render an object's fields as a table, then the objects in it."""
    described = {name: field for name, field in schema["properties"].items() if "type" in field}
    passed_on = [name for name in schema["properties"] if name not in described]
    yield f"### `{path}` of {kind}\n"
    yield f"{_prose(schema['description'])}\n"
    yield "| Field | Type | Default | Description |\n|---|---|---|---|"
    for name, field in described.items():
        default = "**required**" if name in schema.get("required", ()) else _default(field)
        yield f"| `{name}` | {_type(field)} | {default} | {_cell(field.get('description', ''))} |"
    if passed_on:
        yield f"\nPassed on to the Pod as they are: {_codes(passed_on)}."
    yield from _checks(path, schema)
    yield ""
    for name, field in described.items():
        if "properties" in field:
            yield from _object(f"{path}.{name}", field, kind)
        elif "properties" in field.get("items", {}):
            yield from _object(f"{path}.{name}[]", field["items"], kind)


def _checks(path: str, schema: Schema) -> Iterator[str]:
    """Render the messages of an object's own rules and of those of its fields that are no objects themselves."""
    rules = [(path, rule) for rule in schema.get("x-kubernetes-validations", ())]
    for name, field in schema.get("properties", {}).items():
        if "properties" not in field:
            rules += [(f"{path}.{name}", rule) for rule in field.get("x-kubernetes-validations", ())]
    if rules:
        yield "\nChecks:\n"
    for where, rule in rules:
        yield f"- `{(where + rule.get('fieldPath', '')).lstrip('.')}` {_prose(rule['message'])}"


def _type(field: Schema) -> str:
    """The type of a field and its bounds, in words."""
    kind = field["type"]
    if kind == "array":
        return f"list of {_element(field['items'])}{_bounds(field, 'Items', ' items')}"
    if "additionalProperties" in field:
        return f"map of {_element(field['additionalProperties'])}{_bounds(field, 'Properties', ' keys')}"
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    if field.get("format") == "date-time":
        return "time"
    if kind == "string":
        return f"string{_bounds(field, 'Length', ' characters')}"
    return f"{kind}{_bounds(field, 'imum')}"


def _element(field: Schema) -> str:
    kind, _, bounds = _type(field).partition(", ")
    return f"{kind}s ({bounds} each)" if bounds else f"{kind}s"


def _bounds(field: Schema, what: str, unit: str = "") -> str:
    """`minItems` and `maxItems` in words, or whatever else `what` stands for."""
    low, high = field.get(f"min{what}"), field.get(f"max{what}")
    if field.get("exclusiveMinimum") and field.get("exclusiveMaximum"):
        return f", above {low:,} and below {high:,}{unit}"
    if field.get("exclusiveMinimum"):
        return f", above {low:,}, at most {high:,}{unit}"
    if low is not None and high is not None:
        return f", {low:,} to {high:,}{unit}"
    if low is not None:
        return f", at least {low:,}{unit}"
    return "" if high is None else f", at most {high:,}{unit}"


def _default(field: Schema) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _codes(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _prose(text: str) -> str:
    """Text as Markdown: what looks like a tag outside of code is none."""
    parts = re.split(r"(`[^`]*`)", text.strip())
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;").replace("*", r"\*") for part in parts)


def _cell(text: str) -> str:
    return _prose(text).replace("|", r"\|").replace("\n", "<br>")


if __name__ == "__main__":
    main()
