"""Command line of the test cluster: `python -m cluster --help`, from the root of the checkout."""

from __future__ import annotations

import argparse

from cluster import build, cluster, images, packages


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A real one-node Kubernetes for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    more = commands.add_parser(
        "packages", help="install the operating system's packages that are missing (apt, as root)"
    )
    more.add_argument("--console", action="store_true", help="those for the console's pages instead")
    commands.add_parser("build", help="build Kubernetes, kubectl and helm, when the sources changed")
    commands.add_parser("up", help="all of that, and start the cluster unless it runs and is well")
    commands.add_parser("down", help="stop the cluster and put the host back as it was")
    commands.add_parser("status", help="which daemons run; exit code 1 when the cluster is not well")
    load = commands.add_parser("load", help="put images from buildah's storage into the cluster")
    load.add_argument("images", nargs="+", metavar="IMAGE")
    restart = commands.add_parser("restart", help="kill a daemon and start it again, as after a crash")
    restart.add_argument("daemon", choices=[name for name in cluster.DAEMONS if name != "containerd"])
    arguments = parser.parse_args()
    match arguments.command:
        case "packages":
            packages.ensure_console() if arguments.console else packages.ensure()
        case "build":
            build.build()
        case "up":
            cluster.up()
        case "down":
            cluster.down()
        case "status":
            cluster.status()
        case "load":
            cluster.require_running()
            for name in arguments.images:
                print(f"{name}: {'loaded' if images.load(name) else 'is there'}", flush=True)
        case "restart":
            cluster.restart(arguments.daemon)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
