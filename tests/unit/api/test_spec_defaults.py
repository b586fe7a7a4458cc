"""A default stands three times: in the CRD, where users read it, in the parser, and in the core. They agree."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from tests.unit.docs.pages import ROOT
from tuning_operator.api.jobspec import Spec
from tuning_operator.core.model.early_stopping import EarlyStopping, Hyperband, MedianKnobs
from tuning_operator.core.model.spec import Criteria, JobSpec, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VERSION = yaml.safe_load((ROOT / "crds" / "tuningjobs.yaml").read_text())["spec"]["versions"][0]
SCHEMA = _VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]


def parts(schema: Mapping[str, Any], model: type[BaseModel], path: str = "spec") -> Iterator[tuple[str, Any, Any]]:
    """Each field that both know: its path, the CRD's default and the parser's."""
    for name, info in model.model_fields.items():
        found = schema["properties"][info.alias or name]
        default = info.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):  # an object that is left out has the defaults of its fields
            default = {}
        yield f"{path}.{info.alias or name}", found.get("default"), None if info.is_required() else default
        (inner,) = [*_models(info.annotation), None][:1]
        if inner is not None:
            yield from parts(found.get("items", found), inner, f"{path}.{info.alias or name}")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) if argument is not NoneType for model in _models(argument)]


COMPARED = [
    (path, crd, parser)
    for path, crd, parser in parts(SCHEMA, Spec)
    if crd is not None or parser not in (None, {}, ())  # what is left out means nothing on either side
]


@pytest.mark.parametrize(("path", "crd", "parser"), COMPARED, ids=[path for path, *_ in COMPARED])
def test_the_parsers_default_is_the_definitions(path: str, crd: Any, parser: Any) -> None:
    assert crd == parser, path


def test_all_fields_with_a_default_are_compared() -> None:
    assert len(COMPARED) >= 20
    assert {"spec.earlyStopping.median.quantile", "spec.retry.maxAttempts", "spec.podCleanup"} <= {
        path for path, *_ in COMPARED
    }


@pytest.mark.parametrize("core", [EarlyStopping, MedianKnobs, Hyperband, Criteria, Limits, JobSpec])
def test_the_cores_defaults_are_the_parsers(core: type[Any]) -> None:
    """A specification without optional fields is parsed to what the core assumes by itself."""
    spec = Spec.model_validate(
        {
            "objective": {"metric": "m", "goal": "Maximize"},
            "parameters": [{"name": "x", "continuous": {"min": 0, "max": 1}}],
            "limits": {"maxTrials": 5},
            "strategy": "Hyperband",
            "hyperband": {"minResource": 1, "maxResource": 9},
            "template": {},
        }
    ).to_core()
    parsed: dict[type[Any], Any] = {
        EarlyStopping: spec.early_stopping,
        MedianKnobs: spec.early_stopping.median,
        Hyperband: spec.hyperband,
        Criteria: spec.completion,
        Limits: spec.limits,
        JobSpec: spec,
    }
    given = {"max_trials", "min_resource", "max_resource", "hyperband"}
    for field in fields(core):
        if field.name in given or (field.default is MISSING and field.default_factory is MISSING):
            continue
        assumed = field.default if field.default_factory is MISSING else field.default_factory()
        assert getattr(parsed[core], field.name) == assumed, f"{core.__name__}.{field.name}"
