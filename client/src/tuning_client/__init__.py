"""Tuning jobs from Python: `tune` for a function, and the names of the SageMaker SDK."""

from tuning_client import search
from tuning_client.analytics import HyperparameterTuningJobAnalytics
from tuning_client.errors import JobFailedError, NotFoundError, TuningError, UnavailableError
from tuning_client.estimator import Estimator
from tuning_client.function import FunctionError
from tuning_client.job import BestTrial, TuningJob
from tuning_client.parameters import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    HyperbandStrategyConfig,
    IntegerParameter,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
    WarmStartConfig,
    WarmStartTypes,
)
from tuning_client.session import Session
from tuning_client.tune import tune
from tuning_client.tuner import HyperparameterTuner

__all__ = [
    "BestTrial",
    "CategoricalParameter",
    "ContinuousParameter",
    "DiscreteParameter",
    "Estimator",
    "FunctionError",
    "HyperbandStrategyConfig",
    "HyperparameterTuner",
    "HyperparameterTuningJobAnalytics",
    "IntegerParameter",
    "JobFailedError",
    "NotFoundError",
    "Session",
    "StrategyConfig",
    "TuningError",
    "TuningJob",
    "TuningJobCompletionCriteriaConfig",
    "UnavailableError",
    "WarmStartConfig",
    "WarmStartTypes",
    "search",
    "tune",
]
