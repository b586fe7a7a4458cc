"""What the kubelet makes of `$(NAME)`: a port of Kubernetes' `third_party/forked/golang/expansion`, and of its use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`expansion.Expand`, with a mapping that leaves a name that it does not know as it is."""
    expanded, checkpoint, cursor = "", 0, 0
    while cursor < len(text):
        if text[cursor] == "$" and cursor + 1 < len(text):
            expanded += text[checkpoint:cursor]
            read, is_variable, advance = _read(text[cursor + 1 :])
            expanded += variables.get(read, f"$({read})") if is_variable else read
            cursor += advance
            checkpoint = cursor + 1
        cursor += 1
    return expanded + text[checkpoint:]


def _read(text: str) -> tuple[str, bool, int]:
    """`tryReadVariableName`: what was read, whether it is a name, and how many characters that took."""
    if text[0] == "$":
        return "$", False, 1
    if text[0] == "(":
        end = text.find(")", 1)
        return (text[1:end], True, end + 1) if end >= 0 else ("$(", False, 1)
    return "$" + text[0], False, 1


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """`makeEnvironmentVariables`, as far as values are given: each may name those above it."""
    known: dict[str, str] = {}
    for entry in container["env"]:
        if "valueFrom" not in entry:
            known[entry["name"]] = expand(entry.get("value", ""), known)
    return known
