"""Settings from flags and environment variables: `--poll-interval` is also TUNING_OPERATOR_POLL_INTERVAL."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALL_NAMESPACES = "*"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operator runs; durations in seconds.

    Attributes:
        namespaces: Namespaces to watch; empty for all of them.
        metrics_window: How far back Prometheus is asked. Every scrape shows all finished epochs, so that it only has
            to span the longest scrape interval and a short outage.
    """

    namespaces: tuple[str, ...]
    prometheus_url: str
    poll_interval: float = 2.0
    metrics_window: float = 300.0
    resync_interval: float = 60.0
    workers: int = 4
    suggestion_workers: int = 1
    suggestion_timeout: float = 60.0
    api_qps: float = 50.0
    api_burst: int = 100
    metrics_port: int = 8080
    health_port: int = 8081
    image_pull_grace: float = 900.0
    sidecar_image: str = ""
    log_format: str = "json"
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class _Option:
    parse: Callable[[str], object]
    text: str


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Parse flags; a variable of the environment is the default of its flag.

    Exits with code 2 and a message that names the flag when a value is refused.
    """
    parser = argparse.ArgumentParser(
        prog="tuning-operator",
        description="Runs HyperparameterTuningJobs on this cluster. Every flag --some-name can also be given by the"
        " environment variable TUNING_OPERATOR_SOME_NAME; the flag wins.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    defaults = {field.name: field.default for field in fields(Settings)}
    for name, option in _OPTIONS.items():
        flag, variable = "--" + name.replace("_", "-"), "TUNING_OPERATOR_" + name.upper()
        given = environment.get(variable)
        required = name in _REQUIRED and given is None
        parser.add_argument(
            flag,
            type=option.parse,
            required=required,
            default=given if given is not None else (None if name in _REQUIRED else defaults[name]),
            help=option.text,
        )
    return Settings(**vars(parser.parse_args(arguments)))


def _number(minimum: float, kind: type[float | int] = float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text} is not finite")
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{text} is too small: at least {minimum:g}")
        return value

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")
        return text

    return parse


def _namespaces(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one namespace, or * for all")
    return () if ALL_NAMESPACES in names else names


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no http(s) URL, such as http://prometheus.monitoring:9090")
    return text.rstrip("/")


_REQUIRED = frozenset({"namespaces", "prometheus_url"})
_OPTIONS = {
    "namespaces": _Option(_namespaces, "namespaces to watch, separated by commas; * for all"),
    "prometheus_url": _Option(_url, "where the measurements are read"),
    "poll_interval": _Option(_number(0.1), "seconds between two questions to Prometheus"),
    "metrics_window": _Option(_number(10), "seconds that Prometheus is asked to look back"),
    "resync_interval": _Option(_number(1), "seconds between two looks at all jobs"),
    "workers": _Option(_number(1, int), "jobs reconciled at the same time"),
    "suggestion_workers": _Option(_number(1, int), "processes that compute suggestions"),
    "suggestion_timeout": _Option(_number(1), "seconds after which a suggestion is given up for a random one"),
    "api_qps": _Option(_number(1), "requests a second to the API server, on average"),
    "api_burst": _Option(_number(1, int), "requests to the API server at once"),
    "metrics_port": _Option(_number(0, int), "port of /metrics"),
    "health_port": _Option(_number(0, int), "port of /healthz"),
    "image_pull_grace": _Option(_number(0), "seconds that an image may fail to be pulled before its trial fails"),
    "sidecar_image": _Option(str, "image of the sidecar that follows a training's log; jobs with source File need it"),
    "log_format": _Option(_one_of("json", "plain"), "how log lines are written"),
    "log_level": _Option(_one_of("debug", "info", "warning", "error"), "what is logged"),
}
