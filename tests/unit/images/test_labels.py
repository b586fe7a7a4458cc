"""What an image's labels say of its licences, since registries and scanners read nothing else."""

from __future__ import annotations

import re

import pytest

from images.build import RECIPES
from tests.unit.docs.pages import ROOT

CUDA = "LicenseRef-NVIDIA-Proprietary"


def last_stage(image: str) -> str:
    return re.split(r"^FROM ", (ROOT / RECIPES[image].dockerfile).read_text(), flags=re.MULTILINE)[-1]


def ancestors(image: str) -> set[str]:
    return {image, *(ancestors(RECIPES[image].parent) if image in RECIPES else ())}


@pytest.mark.parametrize("label", ["title", "description", "licenses"])
@pytest.mark.parametrize("image", RECIPES)
def test_an_image_has_labels_and_does_not_inherit_those_of_its_base(image: str, label: str) -> None:
    assert len(re.findall(rf'org\.opencontainers\.image\.{label}="[^"]+"', last_stage(image))) == 1


@pytest.mark.parametrize("image", RECIPES)
def test_cuda_is_named_where_it_is_inside_and_nowhere_else(image: str) -> None:
    assert (CUDA in last_stage(image)) == ("torch" in ancestors(image))
