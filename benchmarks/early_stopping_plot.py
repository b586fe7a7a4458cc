"""Plots saved against missed from the records of `early_stopping --sweep --json FILE`.

python -m benchmarks.early_stopping_plot FILE IMAGE.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

MARKS = "osDv^<>PX*"
SHOWN_UP_TO = 15.0  # percent missed; what loses more is named in a corner


def mean(records: list[dict[str, Any]]) -> tuple[float, float]:
    return (
        100 * float(np.mean([record["saved"] for record in records])),
        100 * float(np.mean([record["missed"] for record in records])),
    )


def plot(records: list[dict[str, Any]], image: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5))
    sweeps = [record for record in records if record["knob"] is not None]
    for family in dict.fromkeys(record["rule"] for record in sweeps):
        mine = [record for record in sweeps if record["rule"] == family]
        knobs = dict.fromkeys(record["knob"] for record in mine)
        points = [mean([record for record in mine if record["knob"] == knob]) for knob in knobs]
        axes.plot(*zip(*points, strict=True), marker=".", label=f"{family}, over its main knob")
    singles = [record for record in records if record["knob"] is None]
    beyond = []
    for index, rule in enumerate(dict.fromkeys(record["rule"] for record in singles)):
        saved, missed = mean([record for record in singles if record["rule"] == rule])
        if missed > SHOWN_UP_TO:
            beyond.append(f"{rule}: {saved:.0f} %, {missed:.0f} %")
        else:
            axes.plot(saved, missed, MARKS[index % len(MARKS)], markersize=9, label=rule)
    if beyond:
        text = "saved, missed beyond this plot\n" + "\n".join(beyond)
        axes.text(0.02, 0.97, text, transform=axes.transAxes, va="top", fontsize=8)
    tasks = len({record["task"] for record in records})
    first = records[0]
    axes.set(
        xlabel="saved: epochs not trained (%)",
        ylabel="missed: studies that lost their best trial (%)",
        title=f"{first['trials']} trials, {first['workers']} workers, {tasks} tasks x {first['replays']} replays",
        ylim=(-0.5, SHOWN_UP_TO),
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left")
    figure.tight_layout()
    figure.savefig(image, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    plot(json.loads(arguments.records.read_text()), arguments.image)


if __name__ == "__main__":
    main()
