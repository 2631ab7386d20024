"""Certificates for webhooks by the command: what it writes is trusted together, and nothing is overwritten."""

from __future__ import annotations

import base64
import json
import ssl
import stat
from typing import TYPE_CHECKING

from cryptography import x509

from flagseal_cli.main import run
from flagseal_operator.admission.issuing import service_hosts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def written(folder: Path, *words: str) -> int:
    """Run the command; give its exit code."""
    return run(["operator", "certificates", str(folder), *words])


def handshake(folder: Path, bundle: bytes, host: str) -> None:
    """Shake hands in memory, as an API server that trusts a bundle does."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    client = ssl.create_default_context(cadata=bundle.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(back, there, server_hostname=host), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].getpeercert()


def test_the_bundle_vouches_for_the_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By both names of the service; the key is its owner's, and the authority's is nowhere."""
    assert written(tmp_path / "certs", "--days", "30") == 0
    (patch,) = json.loads((tmp_path / "certs/ca-bundle.json").read_text())
    assert patch["path"] == "/webhooks/0/clientConfig/caBundle"
    for host in service_hosts("flagseal-operator-webhooks", "flagseal-system"):
        handshake(tmp_path / "certs", base64.b64decode(patch["value"]), host)
    assert stat.S_IMODE((tmp_path / "certs/tls.key").stat().st_mode) == 0o600
    assert sorted(it.name for it in (tmp_path / "certs").iterdir()) == [
        "ca-bundle.json",
        "ca.crt",
        "tls.crt",
        "tls.key",
    ]
    certificate = x509.load_pem_x509_certificate((tmp_path / "certs/tls.crt").read_bytes())
    assert 29 < (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 30
    assert "kubectl patch mutatingwebhookconfiguration" in capsys.readouterr().err


def test_while_certificates_are_exchanged_both_are_trusted(tmp_path: Path) -> None:
    """The old one by its authority, which is handed over."""
    written(tmp_path / "old", "--host", "127.0.0.1")
    assert written(tmp_path / "new", "--also", str(tmp_path / "old/ca.crt"), "--host", "127.0.0.1") == 0
    (patch,) = json.loads((tmp_path / "new/ca-bundle.json").read_text())
    for folder in ("old", "new"):
        handshake(tmp_path / folder, base64.b64decode(patch["value"]), "127.0.0.1")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A key that is in use would be lost."""
    written(tmp_path / "certs")
    before = (tmp_path / "certs/tls.key").read_bytes()
    assert written(tmp_path / "certs") == 2
    assert (tmp_path / "certs/tls.key").read_bytes() == before
