"""Finds references in a template, `$(NAME)`, to variables that nobody defines.

Kubernetes leaves such a reference as it is, so that a misspelt one would reach every training as text. A shell's
`$(command)` looks the same: in a script only names that are no command's are looked at.
"""

from __future__ import annotations

import difflib
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,252}")
_LONGEST = 253
_COMPARED = 200
"""Number of names that a misspelt one is compared with, at most."""
_OURS = ("HP_", "TUNING_")
_OF_A_SERVICE = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_.+)?|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
"""How variables end that Kubernetes adds for each Service of the namespace."""
_SCRIPT_FOLLOWS = re.compile(r"-[A-Za-z]*c")


def check_references(template: Mapping[str, Any], training: str, ours: Collection[str]) -> None:
    """Check the references in commands, arguments, variables and subPathExpr of all containers.

    Args:
        template: The Pod template, of the right shape.
        training: Name of the training container.
        ours: Names of the variables that the operator gives it.

    Raises:
        ValueError: One is not defined; the message names the field and what to do.
    """
    for field in ("containers", "initContainers"):
        for index, container in enumerate(template["spec"].get(field) or ()):
            where = f"spec.template.spec.{field}[{index}]"
            _check(container, where, ours if container["name"] == training else (), training, ours)


def _check(
    container: Mapping[str, Any], where: str, given: Collection[str], training: str, ours: Collection[str]
) -> None:
    own = container.get("env") or []
    unknown = bool(container.get("envFrom"))
    below = {str(entry.get("name")) for entry in own}
    defined = set(given)
    for path, text, script in chain(_of_variables(own, defined), _of_commands(container), _of_probes(container)):
        for name in _references(text):
            if name not in defined and _is_judged(name, script=script, unknown=unknown):
                reason = _why(name, defined, below, training, ours)
                raise ValueError(f"{where}.{path}: $({name}) {reason}; for the literal text write $$({name})")
    for path, text, _ in _of_hooks(container):
        for name in _references(text):
            if name in defined or name.startswith(_OURS):
                raise ValueError(
                    f"{where}.{path}: $({name}) stays as it is, since Kubernetes fills in no variables there: let a"
                    f" shell do it, as in [sh, -c, echo ${name}]"
                )


def _of_variables(own: Sequence[Mapping[str, Any]], defined: set[str]) -> Iterator[tuple[str, str, bool]]:
    """The values of variables, each when those above it are defined."""
    for index, entry in enumerate(own):
        yield f"env[{index}].value", entry.get("value") or "", False
        defined.add(str(entry.get("name")))


def _of_commands(container: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    yield from _of_words(container, "command", "args")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        yield f"volumeMounts[{index}].subPathExpr", mount.get("subPathExpr") or "", False


def _of_words(holder: Mapping[str, Any], *fields: str) -> Iterator[tuple[str, str, bool]]:
    script = False
    for field in fields:
        for index, text in enumerate(holder.get(field) or ()):
            yield f"{field}[{index}]", text, script or "\n" in text
            script = script or _SCRIPT_FOLLOWS.fullmatch(text) is not None


def _of_probes(container: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _of_action(container.get(probe), probe)


def _of_hooks(container: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for hook in ("postStart", "preStop"):
        yield from _of_action((container.get("lifecycle") or {}).get(hook), f"lifecycle.{hook}")


def _of_action(action: Mapping[str, Any] | None, name: str) -> Iterator[tuple[str, str, bool]]:
    for path, text, script in _of_words((action or {}).get("exec") or {}, "command"):
        yield f"{name}.exec.{path}", text, script


def _references(text: str) -> Iterator[str]:
    """The names that Kubernetes would look up; `$$` is how a dollar sign is written.

    No character is looked at twice: a template may be a megabyte of dollar signs.
    """
    at = text.find("$")
    while 0 <= at < len(text) - 1:
        after = at + 2
        if text[at + 1] == "(":
            end = text.find(")", after)
            if end < 0:
                return
            if end - after <= _LONGEST and _NAME.fullmatch(text, after, end):
                yield text[after:end]
            after = end + 1
        at = text.find("$", after)


def _is_judged(name: str, *, script: bool, unknown: bool) -> bool:
    """Whether it is known that nobody defines a variable of this name.

    Args:
        name: The variable's.
        script: It is in a script, where it may be a command.
        unknown: Variables come from a ConfigMap or a Secret, too.
    """
    if name.startswith(_OURS):
        return True
    if unknown or _OF_A_SERVICE.search(name):
        return False
    return not script or name == name.upper()


def _why(name: str, defined: Collection[str], below: Collection[str], training: str, ours: Collection[str]) -> str:
    if name in below:
        return "is defined only below it, but Kubernetes looks only above: move it up"
    if name in ours:
        return f"is set only in the training container, {training}"
    close = difflib.get_close_matches(name, sorted(defined)[:_COMPARED], 1)
    remedy = f"$({close[0]}) is" if close else "an image's own variables do not count"
    return f"is not defined: neither the operator nor env sets it ({remedy})"
