"""What ceremonies share: which data, which store, and the offline keys that sign."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.keys import generate, load_signer, signer_among
from flagseal.snapshot.stores import open_store
from flagseal_cli.workspace import data_folder, find_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securesystemslib.signer import Key, Signer

    from flagseal.snapshot.ceremony import Trusted
    from flagseal.snapshot.store import Store
    from flagseal_cli.workspace import DataFolder

store_option = click.option(
    "--store",
    "where",
    metavar="URL|DIR",
    help="The store, s3://BUCKET/PREFIX?endpoint=… for instance. Default: in the data.",
)

PASSPHRASE = "FLAGSEAL_PASSPHRASE"  # noqa: S105 (the name of the variable)
keys_option = click.option(
    "--key", "signers", multiple=True, metavar="URI", help="Offline keys that sign. Default: all in the data."
)


def folder_of(environment: str | None, repo: Path | None, data: Path | None) -> DataFolder:
    """Find the data that holds the pinned root and the keys; --data alone needs no repository around it."""
    return data_folder(find_repository(repo), environment, data) if data is None else data_folder(Path(), None, data)


def store_of(folder: DataFolder, where: str | None) -> Store:
    """Open the store that the ceremony is about."""
    return open_store(folder.store if where is None else where)


def passphrase() -> str:
    """Ask for the passphrase of a key."""
    return os.environ.get(PASSPHRASE) or click.prompt("Passphrase of the key", hide_input=True, err=True)


def open_keys(uris: tuple[str, ...], folder: DataFolder, trusted: Trusted) -> list[Signer]:
    """Open the offline keys that are to sign."""
    keys = _offline_keys(trusted)
    chosen = uris or tuple(str(path) for path in sorted(folder.offline_keys.glob("*.pem")))
    if not chosen:
        raise UsageError(
            f"{folder.offline_keys}: no offline keys here", code="NoKey", remedy="Name each one with --key URI."
        )
    if uris:
        return [signer_among(uri, keys, passphrase=passphrase) for uri in uris]
    return [signer for signer in (_opened_if_trusted(uri, keys) for uri in chosen) if signer is not None]


def _opened_if_trusted(uri: str, keys: Sequence[Key]) -> Signer | None:
    """Open one of the keys found in the folder; those of past rotations are passed over."""
    try:
        return signer_among(uri, keys, passphrase=passphrase)
    except SnapshotError as error:
        if error.code == "KeyNotTrusted":
            return None
        raise


def _offline_keys(trusted: Trusted) -> tuple[Key, ...]:
    root = trusted.root
    ids = sorted({*root.roles["root"].keyids, *root.roles["targets"].keyids})
    return tuple(root.get_key(keyid) for keyid in ids)


def made_at(path: Path) -> Signer:
    """Generate a key, or take up the one that a ceremony which was cut off generated there."""
    return load_signer(str(path), passphrase=passphrase) if path.is_file() else generate(path)
