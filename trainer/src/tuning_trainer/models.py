"""The models that a training leaves: that of its best epoch, and that of its last one.

Each is in a folder of its epoch; `models.json` beside them says which is which. It is written when a model is complete,
and only then are models removed that it no longer names: whenever a training ends, what it names is there.
"""

from __future__ import annotations

import json
import math
import operator
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

from tuning_trainer.history import epoch_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Entry = dict[str, str | float]

FILE = "models.json"
_EPOCH, _PARTIAL = "epoch-", ".partial"


def model_folder() -> Path | None:
    """Return where this training leaves its models, the trial's folder in TUNING_MODEL_DIR; None without that."""
    root, trial, seed = (os.environ.get(f"TUNING_{name}", "") for name in ("MODEL_DIR", "TRIAL", "SEED"))
    if not root:
        return None
    return Path(root, f"{trial}-{seed}") if trial else Path(root)


def keep_model(
    epoch: SupportsIndex | float,
    metrics: Mapping[str, SupportsFloat | SupportsIndex],
    save: Callable[[Path], object],
) -> None:
    """Keep the model of an epoch as the last one, and as the best one if the objective says so.

    Args:
        epoch: as it is reported.
        metrics: as they are reported; without the objective it is the last model only.
        save: writes the model into a folder, which is there and empty. Not called without such a folder.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = model_folder()
    if folder is None:
        return
    known = _read(folder / FILE)
    number = epoch if isinstance(epoch, float) else operator.index(epoch)
    complete = folder / f"{_EPOCH}{epoch_text(number)}"
    partial = complete.with_name(f"{complete.name}{_PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save(partial)
    if complete.exists():  # a training that was tried again
        shutil.rmtree(complete)
    partial.rename(complete)
    objective = metrics.get(os.environ.get("TUNING_OBJECTIVE_METRIC", ""))
    entry: Entry = {"epoch": number, "folder": complete.name}
    if objective is not None:
        entry["value"] = repr(float(objective))
    kept = {**known, "last": entry}
    if objective is not None and _is_better(entry, known.get("best")):
        kept["best"] = entry
    _write(folder / FILE, kept)
    _remove_others(folder, {str(each["folder"]) for each in kept.values()})


def _is_better(entry: Entry, best: Entry | None) -> bool:
    if best is None or best["epoch"] == entry["epoch"]:
        return True
    value, record = float(entry["value"]), float(best["value"])
    if math.isnan(value) or math.isnan(record):
        return math.isnan(record) and not math.isnan(value)
    return value < record if os.environ.get("TUNING_OBJECTIVE_GOAL") == "Minimize" else value > record


def _read(path: Path) -> dict[str, Entry]:
    try:
        known: dict[str, Entry] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return known


def _write(path: Path, kept: Mapping[str, Entry]) -> None:
    partial = path.with_suffix(_PARTIAL)
    partial.write_text(json.dumps(kept, indent=2) + "\n")
    partial.replace(path)


def _remove_others(folder: Path, kept: set[str]) -> None:
    for path in folder.glob(f"{_EPOCH}*"):
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
