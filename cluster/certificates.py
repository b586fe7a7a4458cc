"""A certificate authority for one cluster, and the keys and certificates it signs, made with openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DAYS = "3650"
# Python 3.13 and later accept a CA only with keyUsage and key identifiers, which not every openssl.cnf asks for.
_CONFIGURATION = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """A new certificate authority with its files in `folder`; all keys are P-256, made in milliseconds."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(_CONFIGURATION)
        self.pair = Pair(folder / "ca.crt", _new_key(folder / "ca.key"))
        _openssl(
            "req", "-x509", "-new", "-key", self.pair.key, "-out", self.pair.certificate, "-days", _DAYS,
            "-subj", "/CN=tuning-operator-test-ca", "-config", self._configuration, "-extensions", "authority",
        )  # fmt: skip

    @property
    def certificate(self) -> Path:
        """The authority's own certificate, PEM."""
        return self.pair.certificate

    def sign(self, name: str, *, groups: Sequence[str] = (), addresses: Sequence[str] = ()) -> Pair:
        """A certificate for a client (`groups`) or a server (`addresses`).

        Args:
            name: common name: the user for Kubernetes; also the name of the files, without `system:`.
            groups: the user's groups.
            addresses: subject alternative names as openssl writes them, `IP:127.0.0.1` or `DNS:localhost`.
        """
        stem = self._folder / name.replace("system:", "").replace(":", "-")
        pair = Pair(stem.with_suffix(".crt"), _new_key(stem.with_suffix(".key")))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
        _openssl("req", "-new", "-key", pair.key, "-out", request, "-subj", subject, "-config", self._configuration)
        extensions.write_text(
            "basicConstraints = critical, CA:FALSE\n"
            "keyUsage = critical, digitalSignature\n"
            "extendedKeyUsage = serverAuth, clientAuth\n"
            "subjectKeyIdentifier = hash\n"
            "authorityKeyIdentifier = keyid\n" + (f"subjectAltName = {', '.join(addresses)}\n" if addresses else "")
        )
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.pair.certificate, "-CAkey", self.pair.key, "-CAcreateserial",
            "-out", pair.certificate, "-days", _DAYS, "-extfile", extensions,
        )  # fmt: skip
        return pair


def signing_key(folder: Path) -> Pair:
    """A key pair for service account tokens; `certificate` is the bare public key."""
    private, public = _new_key(folder / "service-accounts.key"), folder / "service-accounts.pub"
    _openssl("pkey", "-in", private, "-pubout", "-out", public)
    return Pair(public, private)


def _new_key(path: Path) -> Path:
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    path.chmod(0o600)
    return path


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
