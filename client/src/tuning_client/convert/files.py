"""Documents of a file, as kubectl reads them, and manifests as a file that everybody reads in the same way."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tuning_client.convert.source import ConversionError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_TEXT = re.compile(r"\S")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./][A-Za-z0-9]+)*")
_OTHER_MEANING = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"))
"""Words that some reader of YAML takes for a boolean, nothing, or a number."""


class Read(NamedTuple):
    """What a file holds: its documents, what to know about them, and what could not be read."""

    documents: list[Any]
    notes: list[str]
    errors: list[str]


class _Reader(yaml.SafeLoader):
    """Reads as kubectl does: no dates, no numbers with colons; of a name that stands twice the last value counts."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.notes: list[str] = []

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        """Read an integer; `12:30:45` is a text."""
        return node.value if ":" in node.value else super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> Any:
        """Read a number; `12:30.5` is a text."""
        return node.value if ":" in node.value else super().construct_yaml_float(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Read a mapping, and note names that stand twice."""
        named = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge")]
        self.notes.extend(_twice((key.tag, key.value) for key in named))
        return super().construct_mapping(node, deep)


_Reader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Reader.add_constructor("tag:yaml.org,2002:int", _Reader.construct_yaml_int)
_Reader.add_constructor("tag:yaml.org,2002:float", _Reader.construct_yaml_float)


class _Writer(yaml.SafeDumper):
    """Quotes every text that is not plainly a word, since readers of YAML differ in what else a text may be."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything where it stands."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Write a text: words as they are, scripts as blocks, all else in quotes."""
        if _WORD.fullmatch(text) and text.lower() not in _OTHER_MEANING:
            style = None
        elif not text.replace("\n", "").isprintable():
            style = '"'
        else:
            style = "|" if "\n" in text.strip() else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _Writer.represent_text)


def read(content: bytes) -> Read:
    """Read the documents of a file, in any Unicode encoding; empty ones are left out.

    Takes YAML, JSON, and several JSON texts one after the other, as in JSON lines.

    Raises:
        ConversionError: it is not text.
    """
    text = _decoded(content)
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return _json(text)
        except (ValueError, RecursionError):
            pass  # YAML may begin like this as well
    whole = _yaml([text])
    parts = _SEPARATOR.split(text)
    # One unreadable part does not lose the others.
    return _yaml(parts) if whole.errors and len(parts) > 1 else whole


def write(manifests: list[dict[str, Any]]) -> str:
    """Write manifests as YAML that every reader, of version 1.1 or 1.2, understands in the same way."""
    return yaml.dump_all(manifests, Dumper=_Writer, sort_keys=False, width=120, allow_unicode=True)


def _decoded(content: bytes) -> str:
    known = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    if known is None and b"\0" in content[:4]:
        # Without a mark: a manifest begins with two ASCII characters.
        little = content[:1] != b"\0"
        wide = content[:4].count(b"\0") > 2  # noqa: PLR2004 - three of the four bytes of an ASCII character
        known = f"utf-{32 if wide else 16}-{'le' if little else 'be'}"
    try:
        return content.decode(known or "utf-8")
    except UnicodeDecodeError as error:
        raise ConversionError(f"is not {error.encoding.upper()} text ({error.reason}): save it as UTF-8") from error


def _yaml(parts: list[str]) -> Read:
    result = Read([], [], [])
    for number, part in enumerate(parts, start=1):
        try:
            reader = _Reader(part)
            while reader.check_data():  # type: ignore[no-untyped-call]  # the stubs leave its type out
                result.documents.append(reader.get_data())
            result.notes.extend(reader.notes)
        except RecursionError:
            result.errors.append("is nested too deeply to be read")
        except (yaml.YAMLError, ValueError) as error:
            where = f"part {number} " if len(parts) > 1 else ""
            result.errors.append(f"{where}is neither YAML nor JSON: {' '.join(str(error).split())}")
    documents = [document for document in result.documents if document is not None]
    return result._replace(documents=documents)


def _json(text: str) -> Read:
    result = Read([], [], [])

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result.notes.extend(_twice(("", name) for name, _ in pairs))
        return dict(pairs)

    decoder, position = json.JSONDecoder(object_pairs_hook=mapping), 0
    while rest := _TEXT.search(text, position):
        document, position = decoder.raw_decode(text, rest.start())
        if document is not None:
            result.documents.append(document)
    return result


def _twice(names: Iterable[tuple[str, str]]) -> list[str]:
    """Notes on names of a mapping, each with its type, that are not the only ones."""
    counts = Counter(names)
    return [
        f"{name} stands there {times} times: the last one counts" for (_, name), times in counts.items() if times > 1
    ]
