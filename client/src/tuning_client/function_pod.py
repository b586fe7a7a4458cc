"""The Pod in which a function runs: its script, the package that reports, and what pip installs, in volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pod = dict[str, Any]

FILE = "function.py"
_CODE, _PACKAGE, _INSTALLED = "/tuning/code", "/tuning/package", "/tuning/installed"
_NOBODY = 65532
COMMAND = ["python3", f"{_CODE}/{FILE}"]
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "HOME": "/tmp"}  # noqa: S108 - in the Pod, whose user has no home
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
WITHOUT_ROOT = {
    "runAsNonRoot": True,
    "runAsUser": _NOBODY,
    "runAsGroup": _NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_PIP = ["python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--target", _INSTALLED]


def add_function(pod: Pod, config_map: str) -> None:
    """Mount the script, which a ConfigMap holds."""
    _mount(pod, "tuning-code", {"configMap": {"name": config_map}}, _CODE)


def add_package(pod: Pod, image: str | None) -> None:
    """Bring tuning_trainer into an image that does not have it, from the sidecar's image."""
    if image is None:
        return
    mount = _mount(pod, "tuning-package", {"emptyDir": {}}, _PACKAGE)
    _first(
        pod,
        {
            "name": "tuning-package",
            "image": image,
            "command": ["cp", "-r", "/opt/tuning/.", _PACKAGE],
            "volumeMounts": [mount],
            "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": RESTRICTED,
        },
    )
    _look_in(pod, f"{_PACKAGE}/tuning_trainer/start")


def add_installed(pod: Pod, packages: Sequence[str], index_url: str | None) -> None:
    """Install packages into a volume, by the pip of the training's image.

    Raises:
        ValueError: one is an option of pip's, or no text.
    """
    given = [packages] if isinstance(packages, str) else list(packages)
    for package in given:
        if not isinstance(package, str) or not package or package.startswith("-"):
            raise ValueError(f"packages must be requirements for pip, as in ['scikit-learn==1.7.2'], not {package!r}")
    if not given:
        return
    training = _training(pod)
    kept: Pod = {key: training[key] for key in ("image", "imagePullPolicy", "resources") if key in training}
    index = [{"name": "PIP_INDEX_URL", "value": index_url}] if index_url else []
    mount = _mount(pod, "tuning-installed", {"emptyDir": {}}, _INSTALLED)
    _first(
        pod,
        {
            **kept,
            "name": "tuning-installed",
            "command": [*_PIP, *given],
            "env": [*training["env"], *index],
            "volumeMounts": [mount],
            "securityContext": training["securityContext"],
        },
    )
    _look_in(pod, _INSTALLED)


def _training(pod: Pod) -> dict[str, Any]:
    container: dict[str, Any] = pod["containers"][0]
    return container


def _mount(pod: Pod, name: str, source: dict[str, Any], path: str) -> dict[str, Any]:
    """Add a volume, which the training reads; returns how an init container mounts it."""
    mount = {"name": name, "mountPath": path}
    pod.setdefault("volumes", []).append({"name": name, **source})
    _training(pod).setdefault("volumeMounts", []).append({**mount, "readOnly": True})
    return mount


def _first(pod: Pod, container: dict[str, Any]) -> None:
    pod["initContainers"] = [container, *pod.get("initContainers", [])]


def _look_in(pod: Pod, path: str) -> None:
    """Let Python look there before it looks where the user's own PYTHONPATH says."""
    variables = _training(pod)["env"]
    own = [item["value"] for item in variables if item["name"] == "PYTHONPATH"]
    variables[:] = [item for item in variables if item["name"] != "PYTHONPATH"]
    variables.append({"name": "PYTHONPATH", "value": ":".join([path, *own])})
