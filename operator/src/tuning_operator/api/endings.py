"""Tells how a Pod's training ended: by which container, with which code, and with which last words.

Of a program's own words nothing is shown where the operator's settings say so; what Kubernetes and the container
runtime say is always shown.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from tuning_operator.api import sidecar
from tuning_operator.api.termination import parse_history
from tuning_operator.api.values import clock_time_in, printable
from tuning_operator.core.model.attempt import Exit
from tuning_operator.core.model.conditions import MAX_MESSAGE, fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REASON = 128
"""As much as a TuningTrial's status holds, like `MAX_MESSAGE`."""

_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of a container that the runtime could not start: the message is the runtime's."""
_SIGNALS = {128 + number: number.name for number in (signal.SIGKILL, signal.SIGTERM)}


def training_exit(
    body: Mapping[str, Any], container: str, terminated: Mapping[str, Any] | None, metric: str, *, last_words: bool
) -> Exit | None:
    """How the training ended; None while it has not.

    Args:
        body: The Pod.
        container: Name of the training container.
        terminated: Its state, once it has ended and nothing more is waited for.
        metric: The objective, which distinguishes a history from other messages.
        last_words: Whether what the containers said may be shown.
    """
    status = body.get("status") or {}
    if terminated is None:
        if status.get("phase") != "Failed":
            return None
        init = _init_exit(status, last_words=last_words)
        message = message_of(status) or "the Pod failed"
        return init or Exit(None, reason_of(status) or "PodFailed", message, _waited(status, container))
    code = terminated.get("exitCode")
    if code == 0:
        return Exit(0)
    reason = reason_of(terminated) or "Error"
    word = reason_of(status) or (reason if reason not in {"Error", "Completed"} else f"ExitCode{code}")
    head = f"the training container exited with code {code} ({reason})"
    if reason == "Error" and code in _SIGNALS and (probes := _probes(body, container)):
        head += (
            f", by {_SIGNALS[code]}, although nobody deleted its Pod: probably its {probes} failed;"
            " look for the Event Unhealthy in `kubectl describe pod`"
        )
    words = _last_words(terminated, metric, last_words=last_words)
    never = clock_time_in(terminated, "startedAt") is None
    return Exit(code, word, _told(head, words, status), never)


def _init_exit(status: Mapping[str, Any], *, last_words: bool) -> Exit | None:
    """How an init container ended that the training would have needed."""
    for item in status.get("initContainerStatuses") or ():
        ending = (item.get("state") or {}).get("terminated") or {}
        code = ending.get("exitCode")
        if code and item["name"] != sidecar.NAME:
            reason = reason_of(ending) or "Error"
            head = f"init container {item['name']} exited with code {code} ({reason})"
            words = _last_words(ending, "", last_words=last_words)
            whole = _told(head, words, status)
            return Exit(None, reason_of(status) or "InitContainerFailed", whole, never_started=True)
    return None


def _waited(status: Mapping[str, Any], container: str) -> bool:
    """Whether the training container still waited to be made when its Pod failed."""
    states = (item.get("state") or {} for item in status.get("containerStatuses") or () if item["name"] == container)
    return any("waiting" in state for state in states)


def _probes(body: Mapping[str, Any], name: str) -> str:
    """The probes for whose failure the kubelet ends a container; none where it had another reason to."""
    if body["metadata"].get("deletionTimestamp") or reason_of(body.get("status") or {}):
        return ""
    container: Mapping[str, Any] = next((item for item in body["spec"]["containers"] if item["name"] == name), {})
    return " or ".join(probe for probe in ("livenessProbe", "startupProbe") if container.get(probe))


def _last_words(terminated: Mapping[str, Any], metric: str, *, last_words: bool) -> str:
    """A container's last words: a plain text, or the `error` of a termination message."""
    message = terminated.get("message") or ""
    if not last_words and reason_of(terminated) not in _NOT_STARTED:
        return ""
    history = parse_history(message, metric)
    return history.error if history else message


def _told(head: str, words: str, status: Mapping[str, Any]) -> str:
    parts = words[-2 * MAX_MESSAGE :].strip().splitlines()[-8:]
    if status.get("message"):
        parts.append(status["message"][:MAX_MESSAGE])  # such as: the Pod was evicted, or active for too long
    shown = printable(" | ".join(parts), 4 * MAX_MESSAGE)
    return fitting(f"{head}: ", shown) if parts else head


def reason_of(fields: Mapping[str, Any]) -> str:
    """The reason that some part of a status has, as people may be shown it."""
    return printable(fields.get("reason") or "", MAX_REASON)


def message_of(fields: Mapping[str, Any]) -> str:
    """The message that some part of a status has, as people may be shown it."""
    return printable(fields.get("message") or "", MAX_MESSAGE)
