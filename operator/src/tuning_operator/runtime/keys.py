"""How a job is named in the operator's memory."""

from __future__ import annotations

from typing import NamedTuple


class JobKey(NamedTuple):
    """Namespace and name of a HyperparameterTuningJob."""

    namespace: str
    name: str
