"""Webhooks on loopback with certificates of their own, and a client that trusts them."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flagseal_operator.admission.issuing import issue_certificate
from flagseal_operator.admission.service import Admission, WebhookOptions
from flagseal_operator.admission.witness import Desk
from tests.emergency.scene import ADMISSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal_operator.admission.issuing import Issued
    from flagseal_operator.admission.known import Known
    from tests.snapshot.world import World


def certify(folder: Path, host: str = "127.0.0.1", *, days: int = 1) -> Issued:
    """Put a fresh certificate into a folder, as a kubelet swaps a mounted Secret: by one rename."""
    made = issue_certificate([host], now=datetime.now(UTC), lifetime=timedelta(days=days))
    folder.mkdir(exist_ok=True)
    number = len(list(folder.glob("..v*")))
    version = folder / f"..v{number}"
    version.mkdir()
    (version / "tls.crt").write_bytes(made.certificate)
    (version / "tls.key").write_bytes(made.key)
    (version / "ca.crt").write_bytes(made.authority)
    swap(folder, version.name)
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(os.path.join("..data", name))  # noqa: PTH118 (relative, as kubelets write it)
    return made


def swap(folder: Path, version: str) -> None:
    """Have another version of a mounted Secret take the place of the one that is there."""
    beside = folder / "..data_tmp"
    beside.symlink_to(version)
    beside.rename(folder / "..data")


def served_by(port: int, authority: bytes) -> bool:
    """Tell whether the webhooks show a certificate that an authority vouches for."""
    client = Client(port, authority)
    try:
        client.connection.connect()
    except ssl.SSLError:
        return False
    client.connection.close()
    return True


def identify(folder: Path) -> None:
    """Give an API server a certificate to show, which vouches for itself."""
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"), "-days", "1",
         "-subj", "/CN=kube-apiserver", "-addext", "extendedKeyUsage=clientAuth"],
        check=True, capture_output=True,
    )  # fmt: skip


class Client:
    """An API server's side of one connection."""

    def __init__(self, port: int, authority: bytes, *, identity: Path | None = None) -> None:
        context = ssl.create_default_context(cadata=authority.decode())
        if identity is not None:
            context.load_cert_chain(identity / "tls.crt", identity / "tls.key")
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)

    def post(self, path: str, body: bytes | dict[str, Any], **headers: str) -> tuple[int, Any]:
        """Send a review; give the status and the JSON, or the text, of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request("POST", path, data, {"Content-Type": "application/json", **headers})
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.getheader("Content-Type") == "application/json" else text


@contextmanager
def serving(
    company: World,
    folder: Path,
    *,
    known: Known | None = None,
    **options: Any,  # noqa: ANN401 (fields)
) -> Iterator[Admission]:
    """Serve a company's webhooks until the block ends."""
    desk = Desk(company.trust, ADMISSION)
    made = WebhookOptions(desk, folder, **{"port": 0, **options})
    admission = Admission(made, company.directory, company.root, lambda: known, clock=company.clock)
    admission.start()
    try:
        yield admission
    finally:
        admission.stop()
