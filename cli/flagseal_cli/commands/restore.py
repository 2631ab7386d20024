"""``flagseal trust restore``: the ceremony after a lost store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.approval.trust import Genesis, Trust
from flagseal.history import Manifest
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.repository import FlagRepository
from flagseal.snapshot.chain import load_root
from flagseal.snapshot.keys import load_public_key, signer_among
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.restoring import restore
from flagseal_cli.console import note
from flagseal_cli.declared import environment_of
from flagseal_cli.founding import SHORT_IDENTITY
from flagseal_cli.locking import alone_in
from flagseal_cli.offline import folder_of, keys_option, passphrase, store_of, store_option
from flagseal_cli.options import data_option, repo_option
from flagseal_cli.workspace import find_repository

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from flagseal_cli.workspace import DataFolder


@click.command("restore")
@click.option("--environment", "-e", required=True, metavar="NAME", help="The one environment it is for.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A root that followed the pinned one (2.root.json, 3.root.json, …): relays and clients keep them.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="trust.json, if a copy is left. Otherwise it is written anew, with --genesis.",
)
@click.option("--genesis", metavar="REV", help="The revision at which the history began.")
@click.option(
    "--admission-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Public key of admission."
)
@keys_option
@store_option
@repo_option
@data_option
def restore_command(  # noqa: PLR0913 (the options of a command)
    environment: str,
    *,
    roots: tuple[Path, ...],
    trust: Path | None,
    genesis: str | None,
    admission_key: Path | None,
    signers: tuple[str, ...],
    where: str | None,
    repo: Path | None,
    data: Path | None,
) -> None:
    """Put the trust back into a store that was lost, under the root that everybody has pinned.

    It takes the pinned root, enough offline keys, and the repository. The history comes back from git, or from the
    cluster; the publisher publishes it above what clients have seen, so that they follow. In a cluster, say
    `flagseal cluster store-lost` afterwards.
    """
    folder = folder_of(environment, repo, data)
    says = (
        _written_anew(repo, environment, genesis, admission_key) if trust is None else Trust.parse(trust.read_bytes())
    )
    if says.environment != environment:
        raise UsageError(
            f"{trust}: is for {says.environment}, not for {environment}",
            code="OtherEnvironment",
            remedy="Name its own.",
        )
    store = store_of(folder, where)
    with alone_in(folder):
        given = [folder.read_root(), *(path.read_bytes() for path in roots)]
        after = restore(store, given, says, signers=_open(signers, folder, given), now=datetime.now(UTC))
        if trust is None:
            note(
                "trust.json was written anew and names no attestor: statements that only an attestor vouched for do not"
            )
            note("count under it. If there were attestors, begin again in an empty store with a copy of it (--trust).")
        note(f"Trust is back under root version {after.root.version}; targets are version {after.targets.version}.")
        if where is None or folder.marks.exists():
            FileMarks(folder.marks).give_up(datetime.now(UTC))
            note("The next `flagseal up` publishes anew what git holds.")


def _written_anew(repo: Path | None, environment: str, genesis: str | None, admission_key: Path | None) -> Trust:
    """Write trust.json as the founding wrote it."""
    if genesis is None:
        raise UsageError(
            "nothing says where the history began",
            code="NoGenesis",
            remedy="Give a copy of trust.json with --trust: every relay has one in its cache, in blobs/"
            " (docs/runbooks.md). If none is left, give the revision of the founding with --genesis.",
        )
    repository = FlagRepository(find_repository(repo))
    commit = repository.resolve(genesis)
    documents, _ = environment_of(repository.documents(commit), environment, f"at {commit[:12]}")
    manifest = Manifest.of({document.subject: document for document in documents})
    return Trust(
        repository_id=repository.identity,
        repository_name=repository.identity[:SHORT_IDENTITY],
        ref=repository.branch,
        environment=environment,
        genesis=Genesis(commit, manifest.digest),
        admission=None if admission_key is None else load_public_key(admission_key),
    )


def _open(uris: tuple[str, ...], folder: DataFolder, roots: list[bytes]) -> list[Signer]:
    """Open the offline keys of the newest root that was given."""
    newest = max((load_root(data) for data in roots), key=lambda root: root.version)
    keys = [newest.get_key(keyid) for keyid in newest.roles["targets"].keyids]
    opened = []
    for uri in uris or tuple(str(path) for path in sorted(folder.offline_keys.glob("*.pem"))):
        try:
            opened.append(signer_among(uri, keys, passphrase=passphrase))
        except SnapshotError as error:
            if uris or error.code != "KeyNotTrusted":
                raise
    return opened
