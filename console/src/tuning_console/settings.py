"""The console's settings in a cluster: flags, or variables TUNING_CONSOLE_… of the same names."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
_PREFIX = "TUNING_CONSOLE_"


@dataclass(frozen=True)
class Settings:
    """How the console runs in a cluster.

    Attributes:
        api_server: the API server's URL.
        ca_file: the certificates that its own is signed by.
        port: to listen on.
        token_header: where a request's token is.
        namespaces: which the pages offer.
    """

    api_server: str = "https://kubernetes.default.svc"
    ca_file: str = _CA
    port: int = 8080
    token_header: str = "Authorization"  # noqa: S105 - a header's name
    namespaces: tuple[str, ...] = ()


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; a bad one ends the program with its name."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="tuning-console", description="The tuning operator's read-only web console.")

    def add(name: str, fallback: str, text: str) -> None:
        variable = _PREFIX + name.upper()
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, default=environment.get(variable, fallback), help=f"{text}; default: {fallback!r}")

    add("api_server", default.api_server, "URL of the API server")
    add("ca_file", default.ca_file, "CA bundle used to verify the API server")
    add("port", str(default.port), "port to listen on")
    add("token_header", default.token_header, "request header with the caller's token")
    add("namespaces", "", "namespaces that the pages offer, separated by commas")
    given = parser.parse_args(arguments)
    if not given.api_server.startswith("https://"):
        parser.error("--api-server must begin with https://, or tokens could be read on their way")
    if not given.port.isdigit() or not 0 < int(given.port) < 1 << 16:
        parser.error("--port must be a number from 1 to 65535")
    return Settings(
        api_server=given.api_server,
        ca_file=given.ca_file,
        port=int(given.port),
        token_header=given.token_header,
        namespaces=tuple(name.strip() for name in given.namespaces.split(",") if name.strip()),
    )
