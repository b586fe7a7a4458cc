from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_operator.runtime.kubernetes.errors import ErrorKind, classify


def status(code: int, reason: str, message: str) -> str:
    """An answer of a real API server."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return json.dumps(
        body | {"message": message, "reason": reason, "details": {"kind": "pods", "name": "x"}, "code": code}
    )


@pytest.mark.parametrize(
    ("code", "reason", "message", "kind"),
    [
        (404, "NotFound", 'tuningjobs.tuning-operator.dev "x" not found', ErrorKind.NOT_FOUND),
        (409, "AlreadyExists", 'pods "job-0001-1" already exists', ErrorKind.ALREADY_EXISTS),
        (409, "AlreadyExists", 'object is being deleted: pods "job-0001-1" already exists', ErrorKind.ALREADY_EXISTS),
        (
            409,
            "Conflict",
            'Operation cannot be fulfilled on tuningtrials "job-0001": the object has been modified; please apply your',
            ErrorKind.CONFLICT,
        ),
        (
            409,
            "Conflict",
            'Operation cannot be fulfilled on pods "job-0001-1": the UID in the precondition (a) does not match',
            ErrorKind.CONFLICT,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0001-1" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: …',
            ErrorKind.QUOTA,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0000-1" is forbidden: violates PodSecurity "restricted:latest": unrestricted capabilities',
            ErrorKind.INVALID,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0000-1" is forbidden: failed quota: gpus: must specify limits.nvidia.com/gpu for: training',
            ErrorKind.INVALID,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0000-1" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
            ErrorKind.INVALID,
        ),
        (
            403,
            "Forbidden",
            'pods is forbidden: User "system:serviceaccount:t:operator" cannot create resource "pods" in API group ""',
            ErrorKind.FORBIDDEN,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0001-1" is forbidden: unable to create new content in namespace t because it is being termi…',
            ErrorKind.FORBIDDEN,
        ),
        (
            403,
            "Forbidden",
            'pods "job-0001-1" is forbidden: error looking up service account t/x: serviceaccount "x" not found',
            ErrorKind.FORBIDDEN,
        ),
        (422, "Invalid", 'Pod "job-0000-1" is invalid: spec.containers[0].image: Required value', ErrorKind.INVALID),
        (
            400,
            "BadRequest",
            'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.contaners"',
            ErrorKind.INVALID,
        ),
        (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", ErrorKind.INVALID),
        (401, "Unauthorized", "Unauthorized", ErrorKind.UNAVAILABLE),
        (408, "Timeout", "request timed out", ErrorKind.UNAVAILABLE),
        (410, "Expired", "the provided continue parameter is too old", ErrorKind.UNAVAILABLE),
        (429, "TooManyRequests", "the server has received too many requests", ErrorKind.UNAVAILABLE),
        (500, "InternalError", "Internal error occurred: etcdserver: request timed out", ErrorKind.UNAVAILABLE),
        (503, "ServiceUnavailable", "apiserver is shutting down", ErrorKind.UNAVAILABLE),
        (504, "Timeout", "Timeout: request did not complete within requested timeout", ErrorKind.UNAVAILABLE),
        (405, "MethodNotAllowed", "the server does not allow this method on the requested resource", ErrorKind.OTHER),
    ],
)
def test_an_answer_is_classified_and_keeps_its_words(code: int, reason: str, message: str, kind: ErrorKind) -> None:
    error = classify(code, status(code, reason, message))
    assert (error.kind, error.message, str(error)) == (kind, message, message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "HTTP 502"),
        ("<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        ('"text"', '"text"'),
        ("null", "null"),
        ("{}", "HTTP 502"),
        ('{"message": null}', "HTTP 502"),
    ],
)
def test_an_answer_of_somebody_else(body: str, message: str) -> None:
    error = classify(502, body)
    assert (error.kind, error.message) == (ErrorKind.UNAVAILABLE, message)


@given(st.integers(400, 599), st.text() | st.dictionaries(st.text(), st.text() | st.none()).map(json.dumps))
def test_no_answer_is_too_odd_and_words_are_bounded(code: int, body: str) -> None:
    error = classify(code, body)
    assert len(error.message) <= 2000
    assert error.message


@pytest.mark.parametrize(
    "answer",
    [
        "404 page not found",
        json.dumps({"kind": "Status", "code": 404, "reason": "NotFound", "details": {}}),
        json.dumps({"kind": "Status", "code": 404, "reason": "NotFound", "details": "x"}),
    ],
)
def test_an_api_that_is_not_served_is_no_proof_that_an_object_is_gone(answer: str) -> None:
    assert classify(404, answer).kind is ErrorKind.UNAVAILABLE
