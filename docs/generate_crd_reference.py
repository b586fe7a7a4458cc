"""Writes docs/crd-reference.md from crds/*.yaml, so that the reference says what the API server enforces.

`make docs` runs it; a unit test fails when the page is out of date.
"""  # noqa: INP001 - a script beside the pages that it writes

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Schema = Mapping[str, Any]
    Checks = Mapping[str, list[str]]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "crd-reference.md"
_REASONS = re.compile("(?:[:;]|, (?:because|since|which|or there|or the)) ")
_VERBS = re.compile("(?:must (?:be|have)|needs|requires) (?:an? )?")
_DASH = "\N{EN DASH}"
INTRODUCTION = """\
# CRD reference

<!-- Generated from crds/*.yaml by docs/generate_crd_reference.py: do not edit; run `make docs`. -->

Both resources are namespaced, of version `tuning-operator.dev/v1alpha1`, with a `status` subresource.
`kubectl explain tuningjob.spec` shows the same texts; refusals also say what to write instead.

A **duration** is at least 1s, in numbers with units h, m, s or ms: 6h, 1h30m or 90s. Objectives and amounts in
`status` are strings with decimals.
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
    checks = _checks(schema)
    yield from (f"- `metadata.name` {_prose(check)}" for check in checks["metadata.name"])
    yield ""
    yield from _spec(schema["properties"]["spec"], checks)
    status = schema["properties"]["status"]
    yield f"### `status`\n\n{_prose(status['description'])}\n"
    yield from _fields(status, {}, is_typed=False)
    yield ""


def _columns(columns: list[Any]) -> Iterator[str]:
    """Render what `kubectl get` shows."""
    for wide, title in ((False, "`kubectl get`"), (True, "With `-o wide`")):
        shown = [column for column in columns if bool(column.get("priority")) == wide]
        listed = (f"{column['name'].upper()} (`{column['jsonPath'].lstrip('.')}`)" for column in shown)
        yield f"- {title}: {', '.join(listed)}"


def _spec(schema: Schema, checks: Checks) -> Iterator[str]:
    """Render a spec: a list of its fields, and one for each object in it, however deep that is."""
    objects = {name: below for name, field in schema["properties"].items() if (below := _object(field))}
    plain = {name: field for name, field in schema["properties"].items() if name not in objects}
    yield f"### `spec`\n\n{_prose(schema['description'])}\n"
    yield from _fields({**schema, "properties": plain}, checks, "spec.")
    if objects:
        links = (f"[`{name}`](#spec{name.lower()})" for name in objects)
        needed = [name for name in objects if name in schema["required"]]
        yield f"\nObjects, or lists of them: {', '.join(links)}. Required: {_codes(needed)}."
    yield ""
    for name, below in objects.items():
        whole = schema["properties"][name]
        within, kind = ("", "") if below is whole else ("[]", f"A {_type(whole)}. ")
        yield f"### `spec.{name}{within}`\n\n{kind}{_prose(_sentences(whole, checks[f'spec.{name}']))}\n"
        yield from _fields(below, checks, f"spec.{name}.")
        yield ""


def _fields(
    schema: Schema,
    checks: Checks,
    path: str = "",
    shown: dict[str, str] | None = None,
    *,
    is_typed: bool = True,
) -> Iterator[str]:
    """Render the fields of an object as a list, and in it those of the objects in it.

    Of two objects with the same fields, the second has a note in their place. Fields that are passed on to the Pod as
    they are have no type, and are left out; so are those of conditions, which all conditions in Kubernetes have.
    """
    shown = {} if shown is None else shown
    for name, field in schema["properties"].items():
        if "type" not in field:
            continue
        below, here = _object(field), path + name
        twin = shown.setdefault(_look(below), name) if below else name
        note = "" if twin == name else f" Fields as in `{twin}`."
        kind = f" ({'; '.join(facts)})" if is_typed and (facts := list(_facts(schema, name))) else ""
        each = "[]" if below and below is not field else ""
        yield f"- `{name}{each}`{kind}: {_prose(_sentences(field, checks.get(here, ()))).replace(chr(10), ' ')}{note}"
        if below and not note and name != "conditions":
            for line in _fields(below, checks, f"{here}.", shown, is_typed=is_typed):
                yield f"    {line}"


def _look(field: Schema) -> str:
    """Return what a page shows of an object's fields, to compare objects."""
    fields = ((name, field) for name, field in field["properties"].items() if "type" in field)
    return str([(name, _type(field), _description(field)) for name, field in fields])


def _object(field: Schema) -> Schema | None:
    """Return the object that a field holds, alone or in a list."""
    return next((part for part in (field, field.get("items", {})) if "properties" in part), None)


def _checks(schema: Schema) -> Checks:
    """Return what the rules of an object and of all in it say, without their advice, by the path of the field.

    Left out is what stands elsewhere on the page: what is immutable or a duration, or goes with a type of source.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path, message in _rules(schema):
        check = _REASONS.split(message)[0]
        if not message.startswith(("is immutable", "must be a duration", "requires type")) and check not in found[path]:
            found[path].append(check)
    return found


def _rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Return where each rule of an object and of all in it holds, and its message."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (path + rule.get("fieldPath", "")).lstrip("."), rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], path)


def _sentences(field: Schema, checks: Iterable[str]) -> str:
    """Return what a field means, its checks that the description does not make already, and its example."""
    meaning, example, value = _description(field).partition("Example:")
    new = [check for check in checks if _VERBS.sub("", check, count=1).lower() not in meaning.lower()]
    return " ".join([meaning.strip(), *map(_sentence, new), example + value]).strip()


def _sentence(check: str) -> str:
    """Return a check as a sentence of its own; names of fields keep their case."""
    first, rest = check.split(" ", 1)
    return f"{first.capitalize() if first.islower() and first.isalpha() else first} {rest}."


def _facts(parent: Schema, name: str) -> Iterator[str]:
    """Return the type of a field, unless bounds or a default show it; whether it is required, or else its default."""
    field = parent["properties"][name]
    if (kind := _type(field)) and not (kind == "boolean" and "default" in field):
        yield kind.removeprefix("string, ")
    if "default" in field and not _object(field):
        yield f"default `{_value(field['default'])}`"
    elif name in parent.get("required", ()):
        yield "**required**"


def _type(field: Schema) -> str:
    """The type of a field and its bounds, in words; nothing if the description or what follows says it."""
    for part, what, whole in (("items", "Items", "list"), ("additionalProperties", "Properties", "map")):
        if part in field:
            kind, _, each = (_type(field[part]) or "object").partition(", ")
            return f"{whole} of {_bounds(field, what)} {kind}s{f', each {each}' if each else ''}"
    if "properties" in field:
        return ""
    if "enum" in field:
        is_described = all(word in field["description"] for word in field["enum"])
        return "" if is_described else " or ".join(f"`{word}`" for word in field["enum"])
    if any(rule["message"].startswith("must be a duration") for rule in field.get("x-kubernetes-validations", ())):
        return "duration"
    is_text = field["type"] == "string"
    bounds = _bounds(field, "Length" if is_text else "imum")
    return f"{field['type']}{f', {bounds}' if bounds else ''}{' characters' if is_text else ''}"


def _bounds(field: Schema, what: str) -> str:
    """`minItems` and `maxItems` in words, or whatever else `what` stands for."""
    low, high = field.get(f"min{what}"), field.get(f"max{what}")
    if field.get("exclusiveMinimum"):
        return f"above {low:,}, {'below' if field.get('exclusiveMaximum') else 'at most'} {high:,}"
    if low is None or high is None:
        return f"at least {low:,}" if low is not None else f"up to {high:,}" if high is not None else ""
    return f"{low:,}{' to ' if low < 0 else _DASH}{high:,}"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _description(field: Schema) -> str:
    """Return what a field means, without its default, which stands beside its type, and what the spec says of all."""
    text = str(field["description"]).replace("Immutable.", "").strip()
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


if __name__ == "__main__":
    main()
