"""Keys of the snapshot, as securesystemslib signer URIs.

``file:PATH`` is ours: a PEM PKCS #8 private key, encrypted or not, readable by its owner alone. Every other
scheme (``awskms:``, ``gcpkms:``, ``azurekms:``, ``hsm:``, ``hv:``, …) is securesystemslib's own and needs its
client library installed.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

Passphrase = str
FILE_SCHEME = "file"


def generate(path: Path | str, *, passphrase: Passphrase | None = None) -> CryptoSigner:
    """Make a fresh ed25519 key and write it where nothing was before, for its owner alone.

    Args:
        path: The private key's file; ``PATH.pub`` gets the public key, for those who only need that.
        passphrase: Encrypts the file.

    Raises:
        SnapshotError: A file is there already, or cannot be written.
    """
    path = Path(path)
    private = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    public = private.public_key().public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mode is given at creation: between a write and a chmod anybody could read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        path.with_name(f"{path.name}.pub").write_bytes(public)
    except FileExistsError as error:
        raise SnapshotError(
            f"{path}: there is a key already",
            code="KeyExists",
            remedy="Keys are never overwritten: choose another name, or move the old one away.",
        ) from error
    except OSError as error:
        raise SnapshotError(f"{path}: cannot write a key ({error.strerror})", code="KeyUnwritable") from error
    return CryptoSigner(private)


def load_signer(
    uri: str,
    *,
    passphrase: Callable[[], Passphrase] | None = None,
    public_key: Key | None = None,
) -> Signer:
    """Open a private key.

    Args:
        uri: ``file:PATH``, a plain path, or one of securesystemslib's URIs.
        passphrase: Asked once if the file is encrypted.
        public_key: The public half; a key that is not in a file cannot be opened without it.

    Raises:
        SnapshotError: There is no such key, others may read it, the passphrase is wrong, it is not the private
            half of ``public_key``, or the scheme's client library is missing.
    """
    scheme, colon, _ = uri.partition(":")
    if not colon or scheme == FILE_SCHEME:
        return _file_signer(_path_of(uri), passphrase, public_key)
    if scheme not in SIGNER_FOR_URI_SCHEME:
        known = ", ".join(sorted({FILE_SCHEME, *SIGNER_FOR_URI_SCHEME}))
        raise SnapshotError(f"{uri}: no such kind of key", code="BadKeyUri", remedy=f"Use one of {known}.")
    if public_key is None:
        raise SnapshotError(
            f"{uri}: the public half is needed as well",
            code="PublicKeyMissing",
            remedy="Export the public key from where the private one is kept, and name its file.",
        )
    try:
        # Every signer raises what its own client library raises.
        return Signer.from_priv_key_uri(uri, public_key, None if passphrase is None else lambda _: passphrase())
    except Exception as error:
        raise SnapshotError(f"{uri}: cannot be opened ({error})", code="KeyUnusable") from error


def signer_among(uri: str, keys: Iterable[Key], *, passphrase: Callable[[], Passphrase] | None = None) -> Signer:
    """Open the private key that is one of those a repository names.

    Raises:
        SnapshotError: It is none of them (``KeyNotTrusted``), or :func:`load_signer` fails.
    """
    keys = tuple(keys)
    scheme, colon, _ = uri.partition(":")
    if not colon or scheme == FILE_SCHEME:
        signer = load_signer(uri, passphrase=passphrase)
        if not any(same_key(signer.public_key, key) for key in keys):
            raise SnapshotError(
                f"{uri}: is not a key this repository trusts",
                code="KeyNotTrusted",
                remedy="Name the key from the last ceremony; `flagseal trust show` lists them by id.",
            )
        return signer
    last: SnapshotError | None = None
    for key in keys:
        try:
            return load_signer(uri, passphrase=passphrase, public_key=key)
        except SnapshotError as error:
            last = error
    raise last or SnapshotError(f"{uri}: this repository trusts no key", code="KeyNotTrusted")


def load_public_key(path: Path | str) -> Key:
    """Read a public key: PEM, or securesystemslib's JSON with its ``keyid``.

    Raises:
        SnapshotError: The file cannot be read, or holds no public key.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read ({error.strerror})", code="KeyMissing") from error
    try:
        if data.lstrip().startswith(b"{"):
            body = json.loads(data)
            return Key.from_dict(body.pop("keyid"), body)
        return SSlibKey.from_crypto(load_pem_public_key(data))
    except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        raise SnapshotError(
            f"{path}: holds no public key",
            code="BadKey",
            remedy="Give a PEM file (`-----BEGIN PUBLIC KEY-----`).",
        ) from error


def same_key(one: Key, other: Key) -> bool:
    """Compare by the key itself: an id is a name that anybody may choose."""
    return (one.keytype, one.scheme, one.keyval) == (other.keytype, other.scheme, other.keyval)


def _path_of(uri: str) -> Path:
    return Path(unquote(uri.removeprefix(f"{FILE_SCHEME}://").removeprefix(f"{FILE_SCHEME}:")) if ":" in uri else uri)


def _file_signer(path: Path, passphrase: Callable[[], Passphrase] | None, public_key: Key | None) -> CryptoSigner:
    private = _private_key(path, _read_private(path), passphrase)
    try:
        signer = CryptoSigner(private)
    except ValueError as error:
        raise SnapshotError(
            f"{path}: {error}", code="BadKey", remedy="Use ed25519, ECDSA P-256 or RSA with 3072 bits."
        ) from error
    if public_key is None:
        return signer
    if not same_key(signer.public_key, public_key):
        raise SnapshotError(
            f"{path}: is not the private half of key {public_key.keyid}",
            code="KeyNotTrusted",
            remedy="Name the file of that key; `flagseal trust show` lists the keys by id.",
        )
    # A repository may know the key under an id of its own.
    return CryptoSigner(private, public_key) if isinstance(public_key, SSlibKey) else signer


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            mode = found.st_mode
            # A Secret that is mounted for a process which is not root is root's, and its group may read it.
            shared = stat.S_IRWXO | (stat.S_IRWXG if found.st_uid == os.geteuid() else stat.S_IWGRP | stat.S_IXGRP)
            if mode & shared:
                raise SnapshotError(
                    f"{path}: others may read this private key (mode {stat.S_IMODE(mode):04o})",
                    code="KeyExposed",
                    remedy=f"chmod 600 {path}; if others share this machine, count it as stolen and rotate it.",
                )
            return file.read()
    except FileNotFoundError as error:
        raise SnapshotError(
            f"{path}: there is no key",
            code="KeyMissing",
            remedy="Name the file that holds it. A lost online key is replaced by `flagseal trust rotate online`.",
        ) from error
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read ({error.strerror})", code="KeyMissing") from error


def _private_key(path: Path, pem: bytes, passphrase: Callable[[], Passphrase] | None) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, None)
    except TypeError:  # cryptography's way to say: encrypted, and no password given
        if passphrase is None:
            raise SnapshotError(
                f"{path}: the key is encrypted", code="PassphraseMissing", remedy="Give its passphrase."
            ) from None
        try:
            return load_pem_private_key(pem, passphrase().encode())
        except ValueError as error:
            raise SnapshotError(f"{path}: wrong passphrase", code="PassphraseWrong", remedy="Try again.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SnapshotError(
            f"{path}: holds no PEM private key",
            code="BadKey",
            remedy="Give a PKCS #8 file (`-----BEGIN PRIVATE KEY-----`); OpenSSH's own form is another.",
        ) from error
