"""How many NVIDIA GPUs SageMaker's instance types have."""

from __future__ import annotations

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
    "g4dn": {**dict.fromkeys((*_SMALL, "16xlarge"), _ONE), "12xlarge": _FOUR},
    **{
        family: {**dict.fromkeys((*_SMALL, "16xlarge"), _ONE), "12xlarge": _FOUR, "24xlarge": _FOUR, "48xlarge": _EIGHT}
        for family in ("g5", "g6", "g6e")
    },
}


def gpus(instance_type: str) -> int:
    """GPUs of an instance type such as ml.p3.2xlarge; 0 for one without, or one that is not known."""
    family, _, size = instance_type.removeprefix("ml.").partition(".")
    return _GPUS.get(family, {}).get(size, 0)
