"""Writes docs/crd-reference.md from crds/*.yaml, so that the reference says what the API server enforces.

`make docs` runs it; a unit test fails when the page is out of date.
"""  # noqa: INP001 - a script beside the pages that it writes

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Schema = Mapping[str, Any]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "crd-reference.md"
_REASONS = re.compile("(?:[:;]|, (?:because|since|or there|or the)) ")
INTRODUCTION = """\
# CRD reference

<!-- Generated from crds/*.yaml by docs/generate_crd_reference.py: do not edit; run `make docs`. -->

Both resources are namespaced, of version `tuning-operator.dev/v1alpha1`, and have a `status` subresource.
`kubectl explain tuningjob.spec` shows the same texts. Objectives and amounts in `status` are strings with decimals.

The API server refuses a value of the wrong type, and what fails a check below; its message also says what to write
instead. A **duration** is at least 1s, in numbers with units h, m, s or ms: 6h, 1h30m or 90s.
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
    names, version = body["spec"]["names"], body["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n"
    yield f"{_prose(schema['description'])}\n"
    yield f"- Names for kubectl: {_codes([names['plural'], names['singular'], *names['shortNames']])}"
    yield f"- Category: {_codes(names['categories'])}"
    yield f"- Field selector: {_codes(field['jsonPath'].lstrip('.') for field in version['selectableFields'])}"
    yield from _columns(version["additionalPrinterColumns"])
    rules = list(_rules(schema))
    yield from _checks(rule for rule in rules if not rule[0].startswith("spec"))
    yield ""
    within = [(path.removeprefix("spec."), message) for path, message in rules if path.startswith("spec.")]
    yield from _spec(schema["properties"]["spec"], within)
    yield from _status(schema["properties"]["status"])


def _columns(columns: list[Any]) -> Iterator[str]:
    """Render what `kubectl get` shows."""
    for wide, title in ((False, "Columns of `kubectl get`"), (True, "With `-o wide` also")):
        shown = [column for column in columns if bool(column.get("priority")) == wide]
        listed = (f"{column['name'].upper()} (`{column['jsonPath'].lstrip('.')}`)" for column in shown)
        yield f"- {title}: {', '.join(listed)}"


def _spec(schema: Schema, rules: list[tuple[str, str]]) -> Iterator[str]:
    """Render a spec: a table of its fields, and one for each object in it, however deep that is."""
    objects = {name: below for name, field in schema["properties"].items() if (below := _object(field))}
    yield f"### `spec`\n\n{_prose(schema['description'])}\n"
    yield "| Field | Type | Description |\n|---|---|---|"
    for name, field in schema["properties"].items():
        if name not in objects:
            yield f"| `{name}` | {_type(field)}{_default(schema, name)} | {_cell(_description(field))} |"
    if objects:
        links = (f"[`{name}`](#spec{name.lower()})" for name in objects)
        needed = [name for name in objects if name in schema["required"]]
        yield f"\nFurther fields are objects, or lists of them: {', '.join(links)}. Required: {_codes(needed)}."
    yield from _checks(rule for rule in rules if re.split(r"[.\[]", rule[0])[0] not in objects)
    yield ""
    for name, below in objects.items():
        whole = schema["properties"][name]
        within, kind = ("", "") if below is whole else ("[]", f"A {_type(whole)}. ")
        yield f"### `spec.{name}{within}`\n\n{kind}{_prose(whole['description'])}\n"
        yield "| Field | Type | Description |\n|---|---|---|"
        for path, parent, leaf, note in _fields(below):
            field = parent["properties"][leaf]
            yield f"| `{path}` | {_type(field)}{_default(parent, leaf)} | {_cell(_description(field) + note)} |"
        start = re.compile(rf"{name}(\[\])?(\.|$)")
        yield from _checks((start.sub("", path) or name, message) for path, message in rules if start.match(path))
        yield ""


def _status(schema: Schema) -> Iterator[str]:
    """Render a status, which people only read: one table, without types, bounds and defaults."""
    yield f"### `status`\n\n{_prose(schema['description'])}\n"
    yield "| Field | Description |\n|---|---|"
    for path, parent, name, note in _fields(schema):
        if not path.startswith("conditions[]."):  # they have the fields of all conditions in Kubernetes
            yield f"| `{path}` | {_cell(_description(parent['properties'][name]) + note)} |"
    yield ""


def _fields(
    schema: Schema, path: str = "", shown: dict[str, str] | None = None
) -> Iterator[tuple[str, Schema, str, str]]:
    """Return the fields of an object and of those in it: path, the object that has it, name, a note.

    Of two objects with the same fields, the second has a note in their place. Fields that are passed on to the Pod as
    they are have no type, and are left out.
    """
    shown = {} if shown is None else shown
    for name, field in schema["properties"].items():
        if "type" in field:
            below = _object(field)
            here = f"{path}{name}{'[]' if below and below is not field else ''}"
            twin = shown.setdefault(_look(below), here) if below else here
            yield here, schema, name, "" if twin == here else f" Fields as in `{twin}`."
            if below and twin == here:
                yield from _fields(below, f"{here}.", shown)


def _look(schema: Schema) -> str:
    """Return what a page shows of an object's fields, to compare objects."""
    fields = ((name, field) for name, field in schema["properties"].items() if "type" in field)
    return str([(name, _type(field), _description(field)) for name, field in fields])


def _object(field: Schema) -> Schema | None:
    """Return the object that a field holds, alone or in a list."""
    return next((part for part in (field, field.get("items", {})) if "properties" in part), None)


def _rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Return where each rule of an object and of all in it holds, and its message."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (path + rule.get("fieldPath", "")).lstrip("."), rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _checks(rules: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Render rules without their advice, and without what stands in the table: what is immutable or a duration."""
    said: dict[str, list[str]] = {}
    for path, message in rules:
        if not message.startswith(("is immutable", "must be a duration")):
            said.setdefault(_REASONS.split(message)[0], []).append(path)
    if said:
        yield "\nChecks:\n"
    for message, paths in said.items():
        yield f"- {_codes(paths)} {_prose(message)}"


def _type(field: Schema) -> str:
    """The type of a field and its bounds, in words."""
    kind = _kind(field)
    if kind == "enum":
        return kind
    for part, what in (("items", "Items"), ("additionalProperties", "Properties")):
        if part in field:
            each = _type(field[part]).partition(", ")[2]
            unit = " items" if part == "items" else " keys"
            return f"{kind}{f' ({each} each)' if each else ''}{_bounds(field, what, unit)}"
    if kind == "string":
        return f"string{_bounds(field, 'Length', ' characters')}"
    return f"{kind}{_bounds(field, 'imum')}"


def _kind(field: Schema) -> str:
    """The type of a field in a word or two."""
    if "items" in field:
        return f"list of {_kind(field['items'])}s"
    if "additionalProperties" in field:
        return f"map of {_kind(field['additionalProperties'])}s"
    if "enum" in field:
        described = all(word in field["description"] for word in field["enum"])
        return "enum" if described else " or ".join(f"`{word}`" for word in field["enum"])
    if any(rule["message"].startswith("must be a duration") for rule in field.get("x-kubernetes-validations", ())):
        return "duration"
    return "time" if field.get("format") == "date-time" else str(field["type"])


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


def _default(parent: Schema, name: str) -> str:
    """Return what follows a field's type: whether it is required, or else its default."""
    field = parent["properties"][name]
    if "default" in field:
        return f"; default `{_value(field['default'])}`"
    return "; **required**" if name in parent.get("required", ()) else ""


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _description(field: Schema) -> str:
    """Return what a field means, without the default, which stands beside its type."""
    text = str(field["description"]).strip()
    if "default" in field:
        text = (
            text.replace(f"Default: {_value(field['default'])}.", "")
            .replace(" (default)", "")
            .replace("(default; ", "(")
        )
    return re.sub("  +", " ", text).strip()


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
