"""Command line of the demo: `python -m demo --help`, from the root of the checkout.

Works on the test cluster alone (`make cluster images`), never on one that the user's own kubeconfig names.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.text import Text

from cluster.kubeconfig import WrongContextError
from cluster.tools import CommandError, Tools
from demo.install import NAMESPACE, delete_job, install, uninstall
from tuning_client.errors import TuningError
from tuning_client.session import Session
from tuning_client.view import closing_lines, progress_view, top_trials
from tuning_client.watch import follow

if TYPE_CHECKING:
    from tuning_client.story import Story

EXAMPLE = Path(__file__).parents[1] / "examples" / "fashion-mnist.yaml"
PICTURE_COLUMNS = 122


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="install everything, run the example and show it")
    up.add_argument("--save-svg", type=Path, metavar="FILE", help="save a picture of the finished view")
    up.add_argument("--minutes", type=float, default=20, help="how long the job may take (%(default)s)")
    commands.add_parser("down", help="remove what the demo installed")
    arguments = parser.parse_args()
    console = Console()
    try:
        tools = Tools.for_test_cluster()
        if arguments.command == "down":
            uninstall(tools)
            console.print(
                "Removed the demo; the definitions of the resources stay (kubectl delete -f crds removes them)"
            )
            return 0
        return _up(tools, console, arguments.minutes, arguments.save_svg)
    except (CommandError, TuningError, WrongContextError, OSError) as error:
        console.print(Text(f"{error}", style="red"))
        return 1


def _up(tools: Tools, console: Console, minutes: float, picture: Path | None) -> int:
    console.print("Installing Prometheus and the operator")
    install(tools)
    name = yaml.safe_load(EXAMPLE.read_text())["metadata"]["name"]
    delete_job(tools, name)
    tools.kubectl("apply", "--namespace", NAMESPACE, "-f", EXAMPLE)
    console.print(f"Applied {EXAMPLE.relative_to(Path.cwd())}; the same by hand:")
    console.print(
        f"  KUBECONFIG={tools.kubeconfig} kubectl -n {NAMESPACE} get tuningjobs,tuningtrials\n", soft_wrap=True
    )
    story = follow(Session(NAMESPACE, kubeconfig=tools.kubeconfig), name, console, minutes * 60)
    table = tools.kubectl("get", "tuningjobs", "--namespace", NAMESPACE)
    _report(console, story, table)
    if picture:
        _save_picture(picture, story, table)
        console.print(f"Saved {picture}")
    if story.phase != "Completed":
        reason = f" ({story.message})" if story.message else f" after {minutes:g} minutes"
        console.print(Text(f"The job did not complete: it is {story.phase}{reason}", style="bold red"))
        return 1
    return 0


def _report(console: Console, story: Story, table: str) -> None:
    console.print(Text("\n$ kubectl get tuningjobs", style="bold"))
    console.print(Text(table), soft_wrap=True)
    console.print(top_trials(story))
    for line in closing_lines(story, datetime.now(UTC)):
        console.print(line, highlight=False)


def _save_picture(path: Path, story: Story, table: str) -> None:
    """Draw the finished job once more, for a terminal of a fixed width that nobody sees."""
    with Path("/dev/null").open("w") as nowhere:
        paper = Console(file=nowhere, record=True, width=PICTURE_COLUMNS, force_terminal=True, color_system="truecolor")
        paper.print(progress_view(story, datetime.now(UTC), PICTURE_COLUMNS))
        _report(paper, story, table)
    svg = paper.export_svg(title="make demo")
    # The font that rich names is fetched from the network, which pages that show the picture do not allow.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    sys.exit(main())
