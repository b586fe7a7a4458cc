"""A whole release, pushed to a registry on this machine, installed from it, and tried as a new user would.

`make release-test` builds what it needs. It takes minutes, most of them to compress the trainer's CUDA libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.api import answers
from cluster.jobs import Namespace
from cluster.ports import free_ports
from cluster.process import Process, start_on_free_ports
from cluster.release import PROMETHEUS_IMAGE, SIDECAR_IMAGE, create_namespaces
from cluster.tools import Tools
from release.build import CHECKSUMS, sha256
from release.project import DISTRIBUTIONS, IMAGES, ROOT, Project
from release.push import BILL, PROVENANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]

ORAS = os.environ.get("ORAS", "oras")
REGISTRY_PROGRAM = os.environ.get("REGISTRY_PROGRAM", "docker-registry")
VERSION = Project().versions()["operator/pyproject.toml"]
SYSTEM, USERS = "released-system", "released"


@dataclass(frozen=True)
class Released:
    """What `make release` left behind.

    Attributes:
        registry: host, port and path.
        files: the folder.
    """

    registry: str
    files: Path

    def json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.files / name).read_text())
        return found

    def digest(self, image: str) -> str:
        """What the registry says an image's digest is."""
        host, _, path = self.registry.partition("/")
        kind = "application/vnd.oci.image.manifest.v1+json"
        url = f"http://{host}/v2/{path}/{image}/manifests/{VERSION}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": kind}, method="HEAD")) as answer:
            return str(answer.headers["Docker-Content-Digest"])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    addresses: list[str] = []

    def describe() -> Process:
        (port,) = free_ports(1)
        addresses.append(f"127.0.0.1:{port}")
        configuration = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": addresses[-1]},
        }
        (folder / "config.yml").write_text(yaml.safe_dump(configuration))
        url = f"http://{addresses[-1]}/v2/"
        command: list[str | Path] = [REGISTRY_PROGRAM, "serve", folder / "config.yml"]
        return Process("registry", command, folder / "registry.log", lambda: answers(url))

    process = start_on_free_ports(describe)
    yield f"{addresses[-1]}/tuning-operator"
    process.stop()


@pytest.fixture(scope="module")
def released(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Released:
    out = tmp_path_factory.mktemp("release")
    helm = ROOT / "cluster" / "helm"
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "release",
        VERSION,
        registry,
        "--out",
        out,
        "--helm",
        helm,
        "--oras",
        ORAS,
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Released(registry, out)


def test_all_files_are_there_with_their_checksums(released: Released) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS], cwd=released.files, check=True)
    assert {path.name for path in released.files.iterdir()} == {
        CHECKSUMS,
        "NOTES.md",
        "quickstart.yaml",
        "files.provenance.json",
        f"tuning-operator-{VERSION}.tgz",
        *(f"{image}.{kind}.json" for image in IMAGES for kind in ("cdx", "provenance")),
        *(f"tuning_{name}-{VERSION}{kind}" for name in DISTRIBUTIONS for kind in (".tar.gz", "-py3-none-any.whl")),
    }
    subjects = released.json("files.provenance.json")["subject"]
    assert {subject["name"]: subject["digest"]["sha256"] for subject in subjects} == {
        path.name: sha256(path)
        for path in released.files.iterdir()
        if path.name not in {CHECKSUMS, "files.provenance.json"}
    }


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_have_the_licence_and_the_sources(released: Released, name: str) -> None:
    with tarfile.open(released.files / f"tuning_{name}-{VERSION}.tar.gz") as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {"LICENSE", "pyproject.toml", f"src/tuning_{name}/__init__.py"} <= names


def test_wheels_install_and_run(released: Released, tmp_path: Path) -> None:
    """In their own environment, which sees the dependencies of this one."""
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", f"--python={sys.executable}", tmp_path / "venv"], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", f"--python={python}", *released.files.glob("*.whl")], check=True
    )
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    script = (
        "import importlib.metadata as m\n"
        "import tuning_operator, tuning_trainer, tuning_client.__main__, tuning_console.files\n"
        f"assert '{tmp_path}' in tuning_operator.__file__\n"
        "assert (tuning_console.files.FOLDER / 'index.html').is_file()\n"
        "notices = (tuning_console.files.FOLDER / 'THIRD-PARTY-NOTICES.md').read_text()\n"
        "assert all(f'## {name} - ' in notices for name in ('preact', 'uplot', 'yaml'))\n"
        f"assert all(m.version(f'tuning-{{name}}') == '{VERSION}' for name in {DISTRIBUTIONS})\n"
    )
    subprocess.run([python, "-c", f"import sys; sys.path.append('{site}')\n{script}"], check=True, cwd=tmp_path)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_its_bill_and_its_provenance_attached(released: Released, image: str, tmp_path: Path) -> None:
    digest = released.digest(image)
    (subject,) = released.json(f"{image}.provenance.json")["subject"]
    assert subject == {"name": f"{released.registry}/{image}", "digest": {"sha256": digest.removeprefix("sha256:")}}
    reference = f"{released.registry}/{image}@{digest}"
    found = json.loads(oras("discover", "--plain-http", "--format=json", reference))["referrers"]
    attached = {item["artifactType"]: item["digest"] for item in found}
    assert set(attached) == {BILL, PROVENANCE}
    oras("pull", "--plain-http", f"--output={tmp_path}", f"{released.registry}/{image}@{attached[BILL]}")
    assert (tmp_path / f"{image}.cdx.json").read_bytes() == (released.files / f"{image}.cdx.json").read_bytes()


def test_the_operators_image_holds_free_software_alone(released: Released) -> None:
    components = released.json("operator.cdx.json")["components"]
    assert len(components) > 200
    assert [each["name"] for each in components if "nvidia" in json.dumps(each).lower()] == []


@pytest.fixture(scope="module")
def installed(released: Released) -> Iterator[Namespace]:
    """The chart, installed from the registry as the quick start says, and its first job after its end."""
    tools = Tools.for_test_cluster()
    namespace = Namespace(tools, USERS)
    try:
        create_namespaces(tools, SYSTEM, enforce="restricted")
        create_namespaces(tools, USERS, enforce="restricted")
        tools.helm(
            "install", "tuning-operator", f"oci://{released.registry}/charts/tuning-operator", "--version", VERSION,
            "--plain-http", "--namespace", SYSTEM, "--take-ownership", "--wait", "--timeout", "300s",
            "--set", f"watchNamespaces={{{USERS}}}",
            "--set", "prometheus.bundled=true",
            # Upstream's cannot be pulled here.
            "--set", f"prometheus.bundledImage={PROMETHEUS_IMAGE}",
        )  # fmt: skip
        namespace.kubectl("apply", "-f", str(released.files / "quickstart.yaml"))
        namespace.wait_for_end("quickstart", 600)
        yield namespace
    finally:
        tools.kubectl("delete", "namespace", USERS, "--ignore-not-found", "--wait")
        tools.helm("uninstall", "tuning-operator", "--namespace", SYSTEM, "--ignore-not-found", "--wait")
        tools.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--wait=false")


def test_the_quick_start_runs_from_the_registry(released: Released, installed: Namespace) -> None:
    status = installed.job("quickstart")["status"]
    assert (status["phase"], status["progress"]) == ("Completed", "12/12")
    pods = [pod for pod in installed.pods() if pod["metadata"]["name"].startswith("quickstart-")]
    images = {pod["spec"]["containers"][0]["image"] for pod in pods}
    assert images == {f"{released.registry}/sidecar:{VERSION}"}


def test_the_operator_runs_from_the_registry(released: Released, installed: Namespace) -> None:
    pods = Namespace(installed.tools, SYSTEM).pods()
    images = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    assert f"{released.registry}/operator:{VERSION}" in images
    (started,) = {
        status["imageID"].rpartition("@")[2]
        for pod in pods
        for status in pod["status"].get("containerStatuses", ())
        if status["name"] == "operator"
    }
    assert started == released.digest("operator")


def test_an_image_that_was_loaded_stays_usable_beside_the_same_one_from_a_registry(installed: Namespace) -> None:
    """The kubelet asks the registry for an image that it has once pulled, unless it is configured not to."""
    job = yaml.safe_load((ROOT / "examples" / "quickstart.yaml").read_text())
    job["metadata"]["name"] = "loaded"
    job["spec"]["limits"] = {"maxTrials": 1}
    assert SIDECAR_IMAGE in json.dumps(job)
    installed.apply(job)
    assert installed.wait_for_end("loaded")["phase"] == "Completed"


def oras(*words: str) -> str:
    return subprocess.run([ORAS, *words], check=True, capture_output=True, text=True).stdout
