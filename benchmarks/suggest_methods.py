"""The suggesters that are compared, each behind the same two calls: ask for a point, tell its loss."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Protocol

from benchmarks.suggest_variants import VARIANTS, varied
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Integer, Scale, Space
from tuning_operator.core.suggest import SuggestRequest, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tuning_operator.core.space import Parameter, Value

    Point = dict[str, Value]


class Method(Protocol):
    """Something that proposes points and learns from their losses."""

    def ask(self, number: int) -> Point:
        """Propose the number-th point (from 1)."""

    def take(self, number: int, point: Point) -> None:
        """Have a point from elsewhere as the number-th."""

    def tell(self, number: int, loss: float | None) -> None:
        """Report the loss of the number-th point; None when its trial failed."""


class Ours:
    def __init__(self, space: Space, seed: int, strategy: Strategy = Strategy.BAYESIAN) -> None:
        self._space, self._seed, self._strategy = space, seed, strategy
        self._pending: dict[int, Point] = {}
        self._observations: list[Observation] = []

    def ask(self, number: int) -> Point:
        (suggestion,) = suggest(
            SuggestRequest(
                space=self._space,
                goal=Goal.MINIMIZE,
                strategy=self._strategy,
                seed=self._seed,
                numbers=(number,),
                observations=tuple(self._observations),
                pending=tuple(self._pending.values()),
            )
        )
        self._pending[number] = dict(suggestion.parameters)
        return self._pending[number]

    def take(self, number: int, point: Point) -> None:
        self._pending[number] = point

    def tell(self, number: int, loss: float | None) -> None:
        self._observations.append(Observation(self._pending.pop(number), loss))


class Optuna:
    def __init__(self, space: Space, seed: int, kind: str) -> None:
        import optuna  # noqa: PLC0415 - only a comparison needs the peers

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
            "gp": lambda: optuna.samplers.GPSampler(seed=seed),
        }
        self._study = optuna.create_study(sampler=samplers[kind]())
        self._space = {each.name: self._distribution(each) for each in space.parameters}
        self._trials: dict[int, optuna.Trial] = {}

    @staticmethod
    def _distribution(parameter: Parameter) -> object:
        from optuna import distributions  # noqa: PLC0415

        if isinstance(parameter, Categorical):
            return distributions.CategoricalDistribution(parameter.values)
        log = parameter.scale.resolve(parameter.minimum, parameter.maximum) is Scale.LOG
        kind = distributions.IntDistribution if isinstance(parameter, Integer) else distributions.FloatDistribution
        return kind(parameter.minimum, parameter.maximum, log=log)

    def ask(self, number: int) -> Point:
        self._trials[number] = self._study.ask(self._space)
        return dict(self._trials[number].params)

    def take(self, number: int, point: Point) -> None:
        self._study.enqueue_trial(point)
        self.ask(number)

    def tell(self, number: int, loss: float | None) -> None:
        from optuna.trial import TrialState  # noqa: PLC0415

        state = TrialState.FAIL if loss is None else TrialState.COMPLETE
        self._study.tell(self._trials[number], loss, state)


class Ax:
    def __init__(self, space: Space, seed: int) -> None:
        import logging  # noqa: PLC0415

        from ax.api.client import Client  # noqa: PLC0415

        logging.disable(logging.INFO)  # Ax logs every trial
        warnings.simplefilter("ignore")
        self._client = Client(random_seed=seed)
        self._client.configure_experiment([self._parameter(each) for each in space.parameters])
        self._client.configure_optimization("-loss")
        self._trials: dict[int, int] = {}

    @staticmethod
    def _parameter(parameter: Parameter) -> object:
        from ax.api.configs import (  # noqa: PLC0415
            ChoiceParameterConfig,
            RangeParameterConfig,
        )

        if isinstance(parameter, Categorical):
            return ChoiceParameterConfig(
                name=parameter.name, values=list(parameter.values), parameter_type="str", is_ordered=False
            )
        log = parameter.scale.resolve(parameter.minimum, parameter.maximum) is Scale.LOG
        return RangeParameterConfig(
            name=parameter.name,
            bounds=(parameter.minimum, parameter.maximum),
            parameter_type="int" if isinstance(parameter, Integer) else "float",
            scaling="log" if log else "linear",
        )

    def ask(self, number: int) -> Point:
        ((self._trials[number], point),) = self._client.get_next_trials(max_trials=1).items()
        return point

    def take(self, number: int, point: Point) -> None:
        self._trials[number] = self._client.attach_trial(point)

    def tell(self, number: int, loss: float | None) -> None:
        if loss is None:
            self._client.mark_trial_failed(self._trials[number])
            return
        self._client.complete_trial(self._trials[number], raw_data={"loss": loss})


class Varied(Ours):
    def __init__(self, space: Space, seed: int, variant: str) -> None:
        super().__init__(space, seed)
        self._variant = variant

    def ask(self, number: int) -> Point:
        with varied(self._variant):
            return super().ask(number)


METHODS: dict[str, Callable[[Space, int], Method]] = {
    "ours": Ours,
    "random": lambda space, seed: Ours(space, seed, Strategy.RANDOM),
    "optuna-tpe": lambda space, seed: Optuna(space, seed, "tpe"),
    "optuna-gp": lambda space, seed: Optuna(space, seed, "gp"),
    "ax": Ax,
    **{name: partial(Varied, variant=name) for name in VARIANTS},
}

PEERS = ("ours", "random", "optuna-tpe", "optuna-gp", "ax")
"""What a user might choose between; the other methods are variants of ours."""
