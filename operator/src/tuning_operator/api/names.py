"""Names, labels and annotations; all of them are deterministic, so that the API server's 409 is the mutex."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "tuning-operator.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
JOB_KIND = "HyperparameterTuningJob"
JOB_PLURAL = "tuningjobs"
TRIAL_KIND = "TuningTrial"
TRIAL_PLURAL = "tuningtrials"

MANAGER = "tuning-operator"
CONTROLLER = f"{GROUP}/tuning-operator"
"""What `spec.managedBy` says of a job of this operator, if it says anything."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_JOB = f"{GROUP}/job"
LABEL_TRIAL = f"{GROUP}/trial"
ANNOTATION_PARAMETERS_HASH = f"{GROUP}/parameters-hash"
ANNOTATION_SUGGESTION_SOURCE = f"{GROUP}/suggestion-source"
ANNOTATION_SUGGESTION_MESSAGE = f"{GROUP}/suggestion-message"
ANNOTATION_EXPECTED_GAIN = f"{GROUP}/expected-gain"
ANNOTATION_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation of a batch Job's Pods: which of its nodes they are, from 0."""
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
BATCH_JOB = "batch.kubernetes.io/job-name"
"""Labels of a batch Job's Pods: its uid and its name."""

_MOST_DIGITS = 9  # of an attempt's number: fewer than 2**31


def trial_name(job: str, number: int) -> str:
    """Name of a trial: numbers have at least four digits, so that `kubectl get` sorts them."""
    return f"{job}-{number:04d}"


def is_trial_name(name: str, job: str) -> bool:
    """Whether a trial of the job may have this name."""
    number = name.removeprefix(f"{job}-")
    return number.isdecimal() and len(number) <= _MOST_DIGITS and name == trial_name(job, int(number))


def attempt_number(pod: str, trial: str) -> int | None:
    """Number of the attempt that a trial's Pod runs; None for a name that is none of the trial's Pods'."""
    number = pod.removeprefix(f"{trial}-")
    is_number = number.isascii() and number.isdecimal() and number[0] != "0" and len(number) <= _MOST_DIGITS
    return int(number) if is_number and len(number) < len(pod) else None


def service_name(job: str) -> str:
    """Name of the Service of a job whose trials run on several nodes: it has to begin with a letter."""
    return f"nodes-{job}"


def parameters_hash(parameters: Mapping[str, str]) -> str:
    """Hash of rendered parameters, independent of their order; 16 hexadecimal digits."""
    text = json.dumps(dict(parameters), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def job_labels(job: str) -> dict[str, str]:
    """Labels of everything that belongs to a job."""
    return {LABEL_JOB: job, LABEL_MANAGED_BY: MANAGER}


def owner_reference(kind: str, name: str, uid: str) -> dict[str, object]:
    """A controller reference, by which garbage collection follows the owner's deletion.

    It does not block a foreground deletion of the owner: that would need the right to change the owner's finalizers.
    """
    return {"apiVersion": API_VERSION, "kind": kind, "name": name, "uid": uid, "controller": True}


def controller_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner that looks after an object, of which there is at most one; empty where there is none."""
    references = body["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})


def is_controlled_by(body: Mapping[str, Any], kind: str, uid: str) -> bool:
    """Whether the object of ours with this kind and this uid looks after an object; labels and names tell nothing."""
    reference = controller_of(body)
    return is_ours(reference, kind) and reference.get("uid") == uid


def is_ours(reference: Mapping[str, Any], kind: str) -> bool:
    """Whether a reference is to an object of one of this operator's kinds, in whatever version."""
    return reference.get("kind") == kind and str(reference.get("apiVersion")).startswith(f"{GROUP}/")
