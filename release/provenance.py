"""Says where what is released comes from, as an in-toto statement with SLSA's provenance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "https://tuning-operator.dev/release/v1"


@dataclass(frozen=True)
class Origin:
    """What all parts of one release have in common.

    Attributes:
        version: of the release.
        revision: commit of the sources, with `-dirty` if files differed from it.
        locks: sha256 of each lock file by its path.
        builder: URI of what ran the build.
        began: when.
    """

    version: str
    revision: str
    locks: Mapping[str, str]
    builder: str
    began: datetime


def statement(origin: Origin, subjects: Mapping[str, str], ended: datetime) -> str:
    """Write the statement for some artifacts.

    Args:
        origin: of the release.
        subjects: sha256, without `sha256:`, of each artifact by its name.
        ended: when the last of them was made.
    """
    sources = [{"uri": "git+tuning-operator", "digest": {"gitCommit": origin.revision.removesuffix("-dirty")}}]
    locks = [{"uri": path, "digest": {"sha256": digest}} for path, digest in sorted(origin.locks.items())]
    content: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"version": origin.version},
                "internalParameters": {"uncommittedChanges": origin.revision.endswith("-dirty")},
                "resolvedDependencies": [*sources, *locks],
            },
            "runDetails": {
                "builder": {"id": origin.builder},
                "metadata": {"startedOn": _time(origin.began), "finishedOn": _time(ended)},
            },
        },
    }
    return json.dumps(content, indent=1) + "\n"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
