"""Every failure of the API server is classified once, here; everybody else asks for its kind."""

from __future__ import annotations

import json
from enum import StrEnum
from http import HTTPStatus


class ErrorKind(StrEnum):
    """What a failed request means for whoever made it."""

    NOT_FOUND = "NotFound"
    CONFLICT = "Conflict"  # the object has changed since it was read: start over
    ALREADY_EXISTS = "AlreadyExists"  # a name is taken: look whose it is
    QUOTA = "QuotaExceeded"  # wait until somebody frees something
    INVALID = "Invalid"  # the request itself is refused, for good
    FORBIDDEN = "Forbidden"  # a right is missing, or an admission policy says no
    UNAVAILABLE = "Unavailable"  # no answer, or none that means anything: try again later
    OTHER = "Other"


class ApiError(Exception):
    """A request that the API server refused or did not answer, with the server's own words."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


_TRANSIENT = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.GONE,  # the next page of a list has expired: read it again from the start
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


_REFUSALS_OF_PODS = (
    "violates PodSecurity",
    "failed quota",  # a quota demands that the Pod states what it needs
    "usage per Container",  # these three: a LimitRange
    "usage per Pod",
    "limit to request ratio",
)
"""Admission refuses the Pod as it is, whatever else happens in the namespace."""


def classify(status: int, body: str) -> ApiError:
    """Classify an HTTP error of the API server.

    Args:
        status: The HTTP status code.
        body: The answer, usually a `metav1.Status` as JSON.
    """
    message, reason, subject = _words(body)
    return ApiError(_kind(status, reason, message, subject), message or f"HTTP {status}")


def _kind(status: int, reason: str, message: str, subject: str) -> ErrorKind:
    if status == HTTPStatus.NOT_FOUND:
        # Without a name it is not the object that is missing, but everything of its kind is not served for now.
        return ErrorKind.NOT_FOUND if subject else ErrorKind.UNAVAILABLE
    if status == HTTPStatus.CONFLICT:
        return ErrorKind.ALREADY_EXISTS if reason == "AlreadyExists" else ErrorKind.CONFLICT
    if status == HTTPStatus.FORBIDDEN:
        return _kind_of_refusal(message)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return ErrorKind.INVALID
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorKind.UNAVAILABLE
    return ErrorKind.OTHER


def _kind_of_refusal(message: str) -> ErrorKind:
    """403 stands for many things, which only the message tells apart."""
    if "exceeded quota" in message:
        return ErrorKind.QUOTA
    if any(words in message for words in _REFUSALS_OF_PODS):
        return ErrorKind.INVALID
    return ErrorKind.FORBIDDEN


def _words(body: str) -> tuple[str, str, str]:
    """Message, reason, and the name of what the answer is about."""
    try:
        status = json.loads(body)
    except ValueError:
        return body[:500], "", ""
    if not isinstance(status, dict):
        return body[:500], "", ""
    details = status.get("details")
    subject = details.get("name") if isinstance(details, dict) else None
    return str(status.get("message") or "")[:2000], str(status.get("reason") or ""), str(subject or "")
