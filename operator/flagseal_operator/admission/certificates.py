"""The webhooks' own certificate, from a mounted folder that somebody rotates while it is in use."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_LOG: Final = logging.getLogger("flagseal.admission")
_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_LOOK_SECONDS: Final = 1.0

_Fingerprint = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class _Loaded:
    context: ssl.SSLContext
    expires: datetime


class Certificates:
    """Give the TLS context for the next connection. Safe to use from several threads.

    What cannot be read, or does not fit together, is said once, and what was there before goes on being used: in the
    middle of a rotation the two files may be of two pairs.

    Args:
        folder: Holds ``tls.crt`` and ``tls.key``; it need not exist yet.
        client_ca: Certificates by which a client must be vouched for; None to take any client.
    """

    def __init__(self, folder: Path, client_ca: Path | None = None) -> None:
        self._folder = folder
        self._client_ca = client_ca
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None
        self._tried: _Fingerprint | None = None
        self._looked = -_LOOK_SECONDS

    @property
    def expires(self) -> datetime | None:
        """When the certificate in use expires; None if there is none."""
        self.context()
        return None if self._loaded is None else self._loaded.expires

    def context(self) -> ssl.SSLContext | None:
        """Give the context for a new connection; None as long as there never was a certificate."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= _LOOK_SECONDS:
                self._looked = now
                self._look()
            return None if self._loaded is None else self._loaded.context

    def _look(self) -> None:
        # Taken before the files are read: what changes in between is read again at the next look.
        fingerprint = self._fingerprint()
        if fingerprint == self._tried:
            return
        self._tried = fingerprint
        try:
            self._loaded = self._load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            _LOG.warning("the certificate of the webhooks in %s cannot be used: %s", self._folder, error)
        else:
            _LOG.info("the certificate of the webhooks holds until %s", f"{self._loaded.expires:%Y-%m-%d %H:%M UTC}")

    def _load(self) -> _Loaded:
        certificate = self._folder / _CERTIFICATE
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Never asks for a passphrase on a terminal: an encrypted key is refused.
        context.load_cert_chain(certificate, self._folder / _KEY, password=lambda: b"")
        if self._client_ca is not None:
            context.load_verify_locations(self._client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return _Loaded(context, x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc)

    def _fingerprint(self) -> _Fingerprint:
        paths = [self._folder / _CERTIFICATE, self._folder / _KEY]
        return tuple(_stamp(path) for path in (*paths, *(() if self._client_ca is None else (self._client_ca,))))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
