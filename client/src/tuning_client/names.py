"""Names of jobs that are made up: a base, the time and a few random letters, as SageMaker does it."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

MAX_JOB_NAME = 40
_RANDOM_LETTERS = "bcdfghjklmnpqrstvwxz0123456789"  # no vowels: no words


def unique_job_name(base: str) -> str:
    """A name that no other job has, for example `resnet-caltech-261124-1356-k7x2`."""
    stamp = datetime.now(UTC).strftime("%y%m%d-%H%M")
    suffix = f"-{stamp}-{''.join(secrets.choice(_RANDOM_LETTERS) for _ in range(4))}"
    return f"{dns_label(base, MAX_JOB_NAME - len(suffix))}{suffix}"


def dns_label(text: str, length: int = MAX_JOB_NAME) -> str:
    """The nearest text of lower-case letters, digits and hyphens that a Kubernetes name can be."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-") or "job"


def image_name(uri: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return re.split(r"[:@]", uri.rpartition("/")[2])[0]
