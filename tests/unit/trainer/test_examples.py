"""Whether the trainer takes what the examples give it: whole searches fail if it does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from experiment.plan import Run, batches
from experiment.records import Kind
from tests.unit.docs.schema import as_stored
from tuning_operator.api.job import parse_job
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, suggest
from tuning_trainer.image_classification.data import split
from tuning_trainer.image_classification.hyperparameters import read

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = 60_000
"""Images in the training part of Fashion-MNIST."""


def manifests() -> Iterator[Any]:
    """The jobs whose Pods run the image classifier, not their own script."""
    for path in sorted((Path(__file__).parents[3] / "examples").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] != "HyperparameterTuningJob":
                continue
            if "command" not in document["spec"]["template"]["spec"]["containers"][0]:
                yield pytest.param(document, id=path.name)
    run: Run = next(batches([Kind.REFERENCE], 1))[0]
    yield pytest.param(run.manifest(), id="reference experiment")


@pytest.mark.parametrize("manifest", [*manifests()])
def test_the_trainer_takes_an_examples_hyperparameters(manifest: dict[str, Any], tmp_path: Path) -> None:
    spec = parse_job(as_stored(manifest)).job.spec
    numbers = tuple(range(1, 5))
    request = SuggestRequest(spec.space, spec.objective.goal, Strategy.RANDOM, 1, numbers, (), ())
    for suggestion in suggest(request):
        values = {**spec.static_parameters, **spec.space.render(suggestion.parameters), "data": str(tmp_path)}
        hp = read([], {f"HP_{name}": value for name, value in values.items()})
        parts = split(IMAGES, hp)
        assert len(parts.training) == (hp.num_training_samples or IMAGES - len(parts.validation))
