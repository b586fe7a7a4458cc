"""Turns manifests of SageMaker and Katib into HyperparameterTuningJobs, and says what has no counterpart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tuning_client.convert.katib import convert_experiment
from tuning_client.convert.sagemaker import convert_request, convert_resource
from tuning_client.convert.source import ConversionError, Note, Source
from tuning_client.session import JOB_KIND

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ConversionError", "Converted", "Note", "convert"]

_AWS = ("sagemaker.services.k8s.aws/v1alpha1", "sagemaker.aws.amazon.com/v1")
_KATIB = "kubeflow.org/v1beta1"
_TAKEN = (
    f"a CreateHyperParameterTuningJob request, a HyperParameterTuningJob of {' or '.join(_AWS)}, or an Experiment of "
    f"{_KATIB}"
)


class Converted(NamedTuple):
    """The manifests that a document became, and what to know about its values."""

    jobs: list[dict[str, Any]]
    notes: list[Note]


def convert(document: Mapping[str, Any]) -> Converted:
    """Convert a document, as it was read from YAML or JSON.

    Every value of the document is used in the manifests or mentioned in a note.

    Raises:
        ConversionError: it is none that can be converted, or lacks what a job needs.
    """
    source = Source(document)
    if not isinstance(document, dict):
        raise ConversionError(f"this is no manifest; what can be converted is {_TAKEN}")
    version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    if version == _KATIB and kind == "Experiment":
        jobs = convert_experiment(source)
    elif version in _AWS and kind.lower() == JOB_KIND.lower():
        jobs = convert_resource(source)
    elif not kind and not source.root["HyperParameterTuningJobConfig"].is_empty():
        jobs = convert_request(source)
    else:
        found = f"{version} {kind}" if kind else "neither kind nor HyperParameterTuningJobConfig"
        raise ConversionError(f"this is {found}; what can be converted is {_TAKEN}")
    source.note_leftovers()
    return Converted(jobs, list(dict.fromkeys(source.notes)))
