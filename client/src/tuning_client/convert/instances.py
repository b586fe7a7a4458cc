"""What SageMaker's instance types have in accelerators: how many NVIDIA GPUs, none, or something else."""

from __future__ import annotations

import re

_ONE, _FOUR, _EIGHT = 1, 4, 8
_SMALL = ("xlarge", "2xlarge", "4xlarge", "8xlarge")
_GPUS = {
    "p2": {"xlarge": _ONE, "8xlarge": _EIGHT, "16xlarge": 16},
    "p3": {"2xlarge": _ONE, "8xlarge": _FOUR, "16xlarge": _EIGHT},
    "p3dn": {"24xlarge": _EIGHT},
    "p4d": {"24xlarge": _EIGHT},
    "p4de": {"24xlarge": _EIGHT},
    "p5": {"4xlarge": _ONE, "48xlarge": _EIGHT},
    "p5e": {"48xlarge": _EIGHT},
    "p5en": {"48xlarge": _EIGHT},
    "p6-b200": {"48xlarge": _EIGHT},
    "p6-b300": {"48xlarge": _EIGHT},
    "g4dn": {**dict.fromkeys((*_SMALL, "16xlarge"), _ONE), "12xlarge": _FOUR, "metal": _EIGHT},
    **{
        family: {**dict.fromkeys((*_SMALL, "16xlarge"), _ONE), "12xlarge": _FOUR, "24xlarge": _FOUR, "48xlarge": _EIGHT}
        for family in ("g5", "g6", "g6e")
    },
    "gr6": {"4xlarge": _ONE, "8xlarge": _ONE},
}
_WITHOUT = re.compile(r"(?:[acdhimrtxz]|hpc|im|is|x2)\d.*")
"""Families of EC2 that compute, remember or store, and have no accelerators."""
_OTHERS = {
    "trn": "Trainium chips, which the resource aws.amazon.com/neuron counts",
    "inf": "Inferentia chips, which the resource aws.amazon.com/neuron counts",
    "dl": "Gaudi accelerators, which the resource habana.ai/gaudi counts",
    "g4ad": "AMD GPUs, which the resource amd.com/gpu counts",
}


def gpus(instance_type: str) -> int | None:
    """Return the number of NVIDIA GPUs of an instance type such as ml.p3.2xlarge; None where that is not known."""
    family, _, size = instance_type.strip().lower().removeprefix("ml.").partition(".")
    if family in _GPUS:
        return _GPUS[family].get(size)
    return 0 if size and _WITHOUT.fullmatch(family) else None


def described(instance_type: str) -> str:
    """Return what a container that stands for this instance type asks for, and what is left to do."""
    count = gpus(instance_type)
    if count is not None:
        asked = f"{count} GPU" if count else "no GPU"
        return f"the container asks for {asked}; set its requests of cpu and memory yourself"
    family = instance_type.strip().lower().removeprefix("ml.")
    other = next((words for start, words in _OTHERS.items() if family.startswith(start)), None)
    has = f"has {other}" if other else "is not an instance type whose GPUs are known here"
    remedy = (
        "set that in its resources" if other else "set its resources yourself, for example limits of nvidia.com/gpu"
    )
    return f"it {has}, so the container asks for none: {remedy}"
