"""Settings from flags and environment variables: `--poll-interval` is also TUNING_OPERATOR_POLL_INTERVAL."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import ssl
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tuning_operator.api.podoptions import SIDECAR_RESOURCES, parse_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALL_NAMESPACES = "*"
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operator runs; durations in seconds.

    Attributes:
        namespaces: Namespaces to watch; empty for all of them.
        prometheus_header: Names and values of headers sent with every query.
        metrics_window: How far back Prometheus is asked. Every scrape shows all finished epochs, so it need only
            span the longest scrape interval and a short outage.
        suggestion_workers: Most processes for the model; 0 for one per core, between 2 and 4.
        sidecar_resources: The sidecar's requests and limits, as JSON.
        last_words: Whether texts from logs and termination messages are shown in statuses and Events.
    """

    namespaces: tuple[str, ...]
    prometheus_url: str
    prometheus_ca_file: str = ""
    prometheus_token_file: str = ""
    prometheus_header: tuple[tuple[str, str], ...] = ()
    poll_interval: float = 2.0
    metrics_window: float = 300.0
    resync_interval: float = 60.0
    workers: int = 6
    suggestion_workers: int = 0
    suggestion_timeout: float = 60.0
    api_qps: float = 200.0
    api_burst: int = 400
    metrics_port: int = 8080
    health_port: int = 8081
    image_pull_grace: float = 900.0
    sidecar_image: str = ""
    sidecar_resources: str = SIDECAR_RESOURCES
    last_words: bool = True
    job_metrics: bool = True
    log_format: str = "json"
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class _Option:
    parse: Callable[[str], object]
    text: str
    action: str | type[argparse.Action] = "store"


class _Each(argparse.Action):
    """Collects a repeated flag; its first use replaces the environment variable's value."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, values: Any, _flag: object = None) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, values if before is self.default else before + values)


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Parse flags; an environment variable is the default of its flag.

    Exits with code 2 and a message that names the flag if a value is refused.
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
            action=option.action,
            type=option.parse,
            required=required,
            default=given if given is not None else (None if name in _REQUIRED else defaults[name]),
            help=option.text,
        )
    settings = Settings(**vars(parser.parse_args(arguments)))
    url = urlsplit(settings.prometheus_url)
    if settings.prometheus_ca_file and url.scheme != "https":
        parser.error("argument --prometheus-ca-file: is for a --prometheus-url that begins with https://")
    if settings.prometheus_token_file and "@" in url.netloc:
        parser.error("argument --prometheus-token-file: --prometheus-url has a user already: leave one of them out")
    return settings


def _number(minimum: float, kind: type[float | int] = float, maximum: float = math.inf) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text} is not finite")
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{text} is too small: at least {minimum:g}")
        if value > maximum:
            raise argparse.ArgumentTypeError(f"{text} is too large: at most {maximum:g}")
        return value

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")
        return text

    return parse


def _truth(text: str) -> bool:
    return _one_of("true", "false")(text.lower()) == "true"


def _resources(text: str) -> str:
    """Write resources in one canonical form, so that equal settings are equal."""
    try:
        return json.dumps(parse_resources(text), sort_keys=True)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}; for example {SIDECAR_RESOURCES}") from None


def _namespaces(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one namespace, or * for all")
    return () if ALL_NAMESPACES in names else names


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no http(s) URL, such as http://prometheus.monitoring:9090")
    return text.rstrip("/")


def _ca_file(text: str) -> str:
    try:
        if text:
            ssl.create_default_context(cafile=text)
    except ssl.SSLError:  # it has no more to say than that it found none
        raise argparse.ArgumentTypeError(f"{text!r} has no certificates in PEM") from None
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be read: {error.strerror}") from None
    return text


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """One header a line, as a variable has several of them."""
    return tuple(_header(line) for line in text.splitlines() if line.strip())


def _header(line: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not (equals and re.fullmatch(r"[A-Za-z0-9_-]+", name) and re.fullmatch(r"[ -~]+", value)):
        # The line is not shown: somebody may have written a secret into it.
        raise argparse.ArgumentTypeError("each header is a NAME=VALUE, such as X-Scope-OrgID=team")
    if name.lower() == "authorization":
        raise argparse.ArgumentTypeError("Authorization is for --prometheus-token-file: others can read a setting")
    return name, value


_REQUIRED = frozenset({"namespaces", "prometheus_url"})
_OPTIONS = {
    "namespaces": _Option(_namespaces, "namespaces to watch, separated by commas; * for all"),
    "prometheus_url": _Option(_url, "URL of the Prometheus to read measurements from"),
    "prometheus_ca_file": _Option(_ca_file, "CA bundle used to verify Prometheus; default: the system's"),
    "prometheus_token_file": _Option(str, "file with the bearer token for Prometheus, read before each query"),
    "prometheus_header": _Option(_headers, "NAME=VALUE sent with each Prometheus query; may be repeated", _Each),
    "poll_interval": _Option(_number(0.1), "seconds between Prometheus queries"),
    "metrics_window": _Option(_number(10), "seconds that each Prometheus query looks back"),
    "resync_interval": _Option(_number(1), "seconds between passes over all unfinished jobs"),
    "workers": _Option(_number(1, int), "jobs reconciled at the same time"),
    "suggestion_workers": _Option(
        _number(0, int), "processes that compute suggestions; 0: one for each core, at least 2 and at most 4"
    ),
    "suggestion_timeout": _Option(_number(1), "seconds after which a random suggestion is used instead"),
    "api_qps": _Option(_number(1), "average requests per second to the API server"),
    "api_burst": _Option(_number(1, int), "largest burst of requests to the API server"),
    "metrics_port": _Option(_number(0, int, MAX_PORT), "port of /metrics; 0: any free port"),
    "health_port": _Option(_number(1, int, MAX_PORT), "port of /healthz"),
    "image_pull_grace": _Option(_number(0), "seconds that an image pull may fail before its trial fails"),
    "sidecar_image": _Option(
        str, "image of the sidecar that follows a training's log; jobs with source File or TensorBoard need it"
    ),
    "sidecar_resources": _Option(_resources, "resource requests and limits of the sidecar, as JSON"),
    "last_words": _Option(
        _truth, "true or false: show texts from logs and termination messages in statuses and Events"
    ),
    "job_metrics": _Option(_truth, "true or false: add series of each job to /metrics"),
    "log_format": _Option(_one_of("json", "plain"), "format of log lines"),
    "log_level": _Option(_one_of("debug", "info", "warning", "error"), "lowest level to log"),
}
