"""Names of jobs that are made up: a base, the time and a few random letters, as SageMaker does it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

MAX_JOB_NAME, MAX_PARAMETER_NAME, MAX_LABEL = 40, 63, 63
MAX_LABEL_PREFIX = 253
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RANDOM_LETTERS = "bcdfghjklmnpqrstvwxz0123456789"  # no vowels: no words


def unique_job_name(base: str) -> str:
    """Return a name that no other job has, for example `resnet-caltech-261124-1356-k7x2`."""
    stamp = datetime.now(UTC).strftime("%y%m%d-%H%M")
    suffix = f"-{stamp}-{''.join(secrets.choice(_RANDOM_LETTERS) for _ in range(4))}"
    return f"{dns_label(base, MAX_JOB_NAME - len(suffix))}{suffix}"


def dns_label(text: str, length: int = MAX_JOB_NAME) -> str:
    """Return the nearest text of lower-case letters, digits and hyphens that a Kubernetes name can be."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-") or "job"


def image_name(uri: str) -> str:
    """Return the last part of an image's name, without tag and digest."""
    return re.split(r"[:@]", uri.rpartition("/")[2])[0]


def parameter_name(given: str) -> str:
    """Return a hyperparameter's name as a part of an environment variable's, for example batch_size for batch-size."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", given)
    return (f"_{name}" if name[:1].isdigit() else name)[:MAX_PARAMETER_NAME]


def is_label(key: str, value: str) -> bool:
    """Whether Kubernetes takes this as a label: names of at most 63 letters, digits, hyphens, underscores and dots."""
    prefix, slash, name = key.rpartition("/")
    fits = bool(_LABEL.fullmatch(name)) and (not value or bool(_LABEL.fullmatch(value)))
    prefixed = len(prefix) <= MAX_LABEL_PREFIX and bool(_LABEL_PREFIX.fullmatch(prefix)) if slash else True
    return fits and prefixed and max(len(name), len(value)) <= MAX_LABEL


def labels(tags: Any) -> dict[str, str]:
    """Tags, as SageMaker's list of keys and values or as a mapping, as labels of Kubernetes.

    Raises:
        ValueError: Kubernetes does not take one.
        TypeError: they are neither list nor mapping.
    """
    listed = () if tags is None else tuple(tags) if isinstance(tags, Iterable) else (tags,)
    if isinstance(tags, Mapping):
        given = [(tags["Key"], tags["Value"])] if set(tags) == {"Key", "Value"} else list(tags.items())
    elif not all(isinstance(tag, Mapping) and "Key" in tag for tag in listed):
        raise TypeError(f"tags must be [{{'Key': …, 'Value': …}}] or a mapping, not {tags!r}")
    else:
        given = [(tag["Key"], tag.get("Value", "")) for tag in listed]
    result = {str(key): str(value) for key, value in given}
    for key, value in result.items():
        if not is_label(key, value):
            raise ValueError(
                f"tags: {key}={value} cannot be a label: Kubernetes takes at most {MAX_LABEL} letters, digits, "
                "hyphens, underscores and dots"
            )
    return result


def repeated_trial(trial: Mapping[str, Any], job: Mapping[str, Any]) -> str | None:
    """Name of the trial that a trial trains again with another seed; None for a trial of the search."""
    number = trial["spec"].get("confirms")
    return None if number is None else f"{job['metadata']['name']}-{number:04d}"
