"""A real Prometheus for tests, scraping what the test serves; its data outlive restarts."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cluster.api import answers
from cluster.ports import free_ports
from cluster.process import Process, start_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType


@dataclass(frozen=True)
class Target:
    """Something to scrape.

    Attributes:
        address: host and port.
        labels: put on every series of this target, as `namespace` and `pod` are in a cluster.
    """

    address: str
    labels: Mapping[str, str] = field(default_factory=dict)


class Prometheus:
    """A Prometheus server, running inside a `with` block.

    Attributes:
        url: its address; the same after a restart.
        process: with the log, for tests that look into it.
        targets: what it scrapes.
    """

    url: str
    process: Process

    def __init__(
        self,
        directory: Path,
        targets: Iterable[Target] = (),
        *,
        scrape_interval: float = 1.0,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the server; `with` starts it.

        Args:
            directory: folder for its files; what an earlier one left there is removed.
            targets: what to scrape at first; `set_targets` changes it while it runs.
            scrape_interval: seconds.
            limits: what a target may expose, as in a scrape configuration: `sample_limit` and the like.
        """
        self._directory = directory
        self.targets = tuple(targets)
        self._scrape_interval = scrape_interval
        self._limits = dict(limits or {})

    def __enter__(self) -> Self:
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        self.set_targets(self.targets)
        self._write_configuration()
        self.process = start_on_free_ports(self._describe)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Scrape these and no others; Prometheus takes up such a change every 5 s."""
        self.targets = tuple(targets)
        groups = [{"targets": [target.address], "labels": dict(target.labels)} for target in self.targets]
        path = self._directory / "targets.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(groups))
        fresh.replace(path)

    def stop(self, *, hard: bool = False) -> None:
        """Stop it and keep its data; `hard` as a crash would."""
        self.process.stop(hard=hard)

    def start(self) -> None:
        """Start it again where it stopped, on the same port."""
        self.process.start()

    def restart(self, *, hard: bool = False) -> None:
        """Stop it and start it again."""
        self.process.restart(hard=hard)

    def value(self, query: str) -> float | None:
        """What the first series of an answer is now; None where there is none. Raises `OSError` when it is down."""
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as answer:
            series = json.load(answer)["data"]["result"]
        return float(series[0]["value"][1]) if series else None

    def _write_configuration(self) -> None:
        interval = f"{round(self._scrape_interval * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "scrape_configs": [
                {
                    "job_name": "pods",
                    "file_sd_configs": [{"files": [str(self._directory / "targets.json")], "refresh_interval": "1s"}],
                    **self._limits,
                }
            ],
        }
        (self._directory / "prometheus.yml").write_text(json.dumps(configuration))

    def _describe(self) -> Process:
        program = shutil.which("prometheus")
        if program is None:
            raise FileNotFoundError("there is no `prometheus`: run `make packages`, or put one into PATH")
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        return Process(
            "prometheus", command, self._directory / "prometheus.log", lambda: answers(self.url + "/-/ready")
        )
