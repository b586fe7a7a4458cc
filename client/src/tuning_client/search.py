"""Ranges by the names of Katib's `search` and of Kubeflow's `Search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_client.parameters import CategoricalParameter, ContinuousParameter, IntegerParameter, Real, Whole

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["categorical", "choice", "double", "int", "loguniform", "uniform"]

# ruff: noqa: A001, A002 - the names that users know


def uniform(min: Real, max: Real) -> ContinuousParameter:
    """Search a real number, on a linear scale."""
    return ContinuousParameter(min, max, "Linear")


def loguniform(min: Real, max: Real) -> ContinuousParameter:
    """Search a real number above 0, on a logarithmic scale."""
    return ContinuousParameter(min, max, "Logarithmic")


def double(min: Real, max: Real) -> ContinuousParameter:
    """Search a real number: Katib's name for `uniform`."""
    return uniform(min, max)


def int(min: Whole, max: Whole, step: Whole = 1) -> IntegerParameter:
    """Search a whole number, on a linear scale."""
    return IntegerParameter(min, max, "Linear", step)


def choice(values: Iterable[object]) -> CategoricalParameter:
    """Search among several values, in no order. A function of `tune` gets it with the type that it has here."""
    return CategoricalParameter(values)


def categorical(list: Iterable[object]) -> CategoricalParameter:
    """Search among several values: Katib's name for `choice`."""
    return choice(list)
