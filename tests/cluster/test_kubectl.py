from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

KUBECTL = Path(__file__).parents[2] / "cluster" / "kubectl"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder with programs that print what they were given."""
    (tmp_path / "bin" / "current").mkdir(parents=True)
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "kubeconfig").touch()
    for name in ("kubectl", "helm"):
        program = tmp_path / "bin" / "current" / name
        program.write_text('#!/bin/sh\necho "$KUBECONFIG ${HTTPS_PROXY:-direct} $*"\n')
        program.chmod(0o755)
    return tmp_path


def _call(program: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TUNING_OPERATOR_CACHE": str(cache), "KUBECONFIG": "/user", "HTTPS_PROXY": "http://p"}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["kubectl", "helm"])
def test_the_users_kubeconfig_and_proxy_are_left_aside(cache: Path, name: str) -> None:
    done = _call(KUBECTL.with_name(name), cache, "get", "pods")
    assert done.stdout == f"{cache}/cluster/kubeconfig direct get pods\n"


@pytest.mark.parametrize("flag", ["--kubeconfig=/user", "--context", "--server=https://x", "-s", "--kube-context=x"])
def test_flags_that_lead_to_another_cluster_are_refused(cache: Path, flag: str) -> None:
    done = _call(KUBECTL, cache, "get", "pods", flag)
    assert (done.returncode, done.stdout) == (2, "")
    assert "test cluster alone" in done.stderr


def test_a_command_in_a_pod_may_have_such_flags(cache: Path) -> None:
    done = _call(KUBECTL, cache, "exec", "pod", "--", "tool", "-s", "--context=x")
    assert done.stdout.endswith("exec pod -- tool -s --context=x\n")


def test_without_a_cluster_it_says_how_to_get_one(cache: Path) -> None:
    (cache / "cluster" / "kubeconfig").unlink()
    done = _call(KUBECTL, cache, "get", "pods")
    assert done.returncode == 1
    assert "make cluster" in done.stderr
