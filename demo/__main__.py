"""Command line of the demo: `python -m demo --help`, from the root of the checkout.

Works on the test cluster (`make cluster images`); on a cluster of the user's only where --context names it.
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
from demo import anywhere, install
from demo.anywhere import UserCluster
from tuning_client.errors import TuningError
from tuning_client.session import Session
from tuning_client.view import closing_lines, progress_view, top_trials
from tuning_client.watch import follow

if TYPE_CHECKING:
    from demo.install import Kubectl
    from tuning_client.story import Story

PICTURE_COLUMNS = 122
LEFT = "Removed the demo; the definitions of the resources stay (kubectl delete -f crds removes them, and all jobs)"


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args(words)
    console = Console()
    try:
        if arguments.context:
            there = UserCluster(arguments.context, arguments.registry, arguments.version, arguments.prometheus_image)
            return _on_the_users(there, arguments, console)
        return _on_the_test_cluster(arguments, console)
    except (CommandError, TuningError, WrongContextError, OSError) as error:
        console.print(Text(f"{error}", style="red"))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", choices=("up", "down"), help="run the demo and show it, or remove it")
    parser.add_argument("--save-svg", type=Path, metavar="FILE", help="save a picture of the finished view")
    parser.add_argument("--minutes", type=float, default=20, help="how long the job may take (%(default)s)")
    parser.add_argument(
        "--pause", action="store_true", help="keep checkpoints, and pause trials instead of stopping them"
    )
    mine = parser.add_argument_group("on your own cluster")
    mine.add_argument("--context", default="", help="of your kubeconfig; without it the test cluster is used")
    mine.add_argument("--registry", default="", help="what the images' names begin with, as for make release")
    mine.add_argument("--version", default="", help="the images' tag")
    mine.add_argument("--prometheus-image", default="", help="of the bundled Prometheus (default: the chart's)")
    mine.add_argument("--yes", action="store_true", help="install without asking")
    return parser


def _on_the_test_cluster(arguments: argparse.Namespace, console: Console) -> int:
    tools = Tools.for_test_cluster()
    if arguments.command == "down":
        install.uninstall(tools)
        console.print(LEFT)
        return 0
    console.print("Installing Prometheus and the operator")
    install.install(tools)
    if arguments.pause:
        install.provide_volume(tools)
    session = Session(install.NAMESPACE, kubeconfig=tools.kubeconfig)
    by_hand = f"KUBECONFIG={tools.kubeconfig} kubectl -n {install.NAMESPACE}"
    return _show(tools.kubectl, session, _example(arguments).read_text(), by_hand, arguments, console)


def _on_the_users(there: UserCluster, arguments: argparse.Namespace, console: Console) -> int:
    if arguments.command == "down":
        there.uninstall()
        console.print(LEFT)
        return 0
    if not there.registry or not there.version:
        raise CommandError("name the images: REGISTRY=registry.example.com/path VERSION=1.2.3, as for make release")
    console.print(Text(f"In the cluster of the context {there.context} this installs:"))
    for line in there.plan(_example(arguments).read_text()):
        console.print(Text(f"- {line}"), soft_wrap=True)
    console.print(Text(f"make demo-down CONTEXT={there.context} removes it.\n"))
    if not arguments.yes and not _agrees(console):
        console.print("Nothing was installed")
        return 1
    there.install()
    session = Session(anywhere.NAMESPACE, context=there.context)
    by_hand = f"kubectl --context {there.context} -n {anywhere.NAMESPACE}"
    manifests = there.adapted(_example(arguments).read_text())
    return _show(there.kubectl, session, manifests, by_hand, arguments, console)


def _example(arguments: argparse.Namespace) -> Path:
    return install.PAUSING if arguments.pause else install.EXAMPLE


def _agrees(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to agree: add YES=1 to install")
    return console.input("Install it? [y/N] ").strip().lower() in {"y", "yes"}


def _show(
    kubectl: Kubectl,
    session: Session,
    manifests: str,
    by_hand: str,
    arguments: argparse.Namespace,
    console: Console,
) -> int:
    """Run the job, the last of the manifests, and show it until it ends; returns the exit code."""
    *_, job = yaml.safe_load_all(manifests)
    name, namespace = job["metadata"]["name"], session.namespace
    install.delete_job(kubectl, name, namespace)
    kubectl("apply", "--namespace", namespace, "-f", "-", stdin=manifests)
    console.print(f"Applied {_example(arguments).relative_to(Path.cwd())}; follow it by hand:")
    console.print(f"  {by_hand} get tuningjobs,tuningtrials\n", soft_wrap=True)
    story = follow(session, name, console, arguments.minutes * 60)
    table = kubectl("get", "tuningjobs", "--namespace", namespace)
    _report(console, story, table)
    if arguments.save_svg:
        _save_picture(arguments.save_svg, story, table)
        console.print(f"Saved {arguments.save_svg}")
    if story.phase != "Completed":
        reason = f" ({story.message})" if story.message else f" after {arguments.minutes:g} minutes"
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
