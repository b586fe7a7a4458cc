"""Turns manifests of SageMaker and Kubeflow into HyperparameterTuningJobs, and says what has no counterpart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tuning_client.convert.job import rename_repeated
from tuning_client.convert.katib import convert_experiment
from tuning_client.convert.optimization import convert_optimization
from tuning_client.convert.plain import UnboundedError, plain
from tuning_client.convert.sagemaker import convert_request, convert_resource
from tuning_client.convert.source import ConversionError, Note, Source, spelled
from tuning_client.session import JOB_KIND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_client.convert.source import Field, Path

__all__ = ["ConversionError", "Converted", "Note", "convert"]

_AWS = ("sagemaker.services.k8s.aws/v1alpha1", "sagemaker.aws.amazon.com/v1")
_KATIB = "kubeflow.org/v1beta1"
_KUBEFLOW = "trainer.kubeflow.org/v1alpha1"
_TAKEN = (
    f"a CreateHyperParameterTuningJob request, a HyperParameterTuningJob of {' or '.join(_AWS)}, an Experiment of "
    f"{_KATIB}, an OptimizationJob of {_KUBEFLOW}, or a list of these"
)
_MAX_LISTS = 5


class Converted(NamedTuple):
    """The manifests that a document became, what to know about its values, and parts that could not be converted."""

    jobs: list[dict[str, Any]]
    notes: list[Note]
    errors: list[ConversionError]


def convert(document: object, *, among_others: bool = False) -> Converted:
    """Convert a document, as it was read from YAML or JSON: one manifest, or a list of some.

    Every value of the document is used in the manifests or mentioned in a note. What cannot be used is left out, with a
    note that names it. Items of a list that are not tuning jobs are mentioned as well; those that are, and cannot be
    converted, are `errors`.

    Args:
        document: plain mappings, lists, texts and numbers.
        among_others: the document is one of several of a file, which may have objects of other kinds.

    Raises:
        ConversionError: nothing can be converted: no document is of a known kind, or one lacks what a job needs.
    """
    try:
        copied = plain(document)
    except UnboundedError as error:
        raise ConversionError(f"the document {error}") from None
    jobs: list[dict[str, Any]] = []
    notes: list[Note] = []
    errors: list[ConversionError] = []
    for path, item in _items(copied, ()):
        source = Source(item, path)
        try:
            made = _convert_one(source, alone=not (path or among_others))
        except ConversionError as error:
            if path:
                errors.append(error)
                continue
            raise
        jobs += made
        if made:
            source.note_leftovers()
        else:
            source.root.mention(f"is {_name(item)}, which was left out")
        notes += source.notes
    if not jobs and not among_others:
        said = "; ".join(map(str, errors)) or f"there is nothing to convert; supported are {_TAKEN}"
        raise ConversionError(said)
    notes += (Note(((),), said) for said in rename_repeated(jobs))
    return Converted(jobs, list(dict.fromkeys(notes)), errors)


def _items(document: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The manifests of a document: itself, or the items of a list, such as that of `kubectl get -o yaml`."""
    if isinstance(document, list) and len(path) < _MAX_LISTS:
        for index, item in enumerate(document):
            yield from _items(item, (*path, index))
    elif isinstance(document, dict) and _is_list(document) and len(path) < _MAX_LISTS:
        yield from _items(document["items"], (*path, "items"))
    elif document is not None or not path:
        yield path, document


def _is_list(document: dict[str, Any]) -> bool:
    return str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list)


def _convert_one(source: Source, *, alone: bool) -> list[dict[str, Any]]:
    """The jobs of one manifest; none where it is an object of another kind among others."""
    document = source.document
    if not isinstance(document, dict):
        raise ConversionError(f"{spelled(source.at)} is not a manifest; supported are {_TAKEN}")
    version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    if version == _KATIB and kind == "Experiment":
        return convert_experiment(source)
    if version == _KUBEFLOW and kind == "OptimizationJob":
        return convert_optimization(source)
    if version in _AWS and kind.lower() == JOB_KIND.lower():
        return convert_resource(source)
    if not kind and not source.root["HyperParameterTuningJobConfig"].is_empty():
        return convert_request(source)
    if not alone and kind and kind not in {"Experiment", "OptimizationJob"} and kind.lower() != JOB_KIND.lower():
        return []
    inside = None if kind else next(_requests(source.root), None)
    if inside is not None:
        raise inside.error("is a CreateHyperParameterTuningJob request: convert that part alone")
    found = f"is {_name(document)}" if kind else "has neither a kind nor a HyperParameterTuningJobConfig"
    raise ConversionError(f"{_this(source)} {found}; supported are {_TAKEN}")


def _requests(place: Field) -> Iterator[Field]:
    """The requests within a document of another kind, such as the states of a Step Function."""
    if not place["HyperParameterTuningJobConfig"].is_empty():
        yield place
    else:
        for child in place.children():
            yield from _requests(child)


def _this(source: Source) -> str:
    return spelled(source.at) if source.at else "this"


def _name(document: dict[str, Any]) -> str:
    return f"{document.get('apiVersion', '')} {document['kind']}"
