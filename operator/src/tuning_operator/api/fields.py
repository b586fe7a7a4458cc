"""What the parts of a job's specification have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tuning_operator.api.values import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta


class InvalidJobError(ValueError):
    """A job that passed the API server but is not understood here; the message names the field."""


class Model(BaseModel):
    """A part of the specification, with the API server's names and defaults."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


def duration(text: str | None, field: str) -> timedelta | None:
    """Parse a field's duration, such as `90m`; raises InvalidJobError, which names the field."""
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise InvalidJobError(f"spec.{field}: {error}") from None
