"""``flagseal trust init|show|rotate|renew|revoke|restore``: the ceremonies of the keys everything hangs on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import UsageError
from flagseal.repository import FlagRepository
from flagseal.snapshot import ceremony
from flagseal.snapshot.keys import generate, load_public_key
from flagseal.snapshot.layout import metadata_name
from flagseal.snapshot.stores import open_store
from flagseal_cli.commands.restore import restore_command
from flagseal_cli.commands.revoke import revoke_command
from flagseal_cli.console import note, print_json
from flagseal_cli.founding import OFFLINE_KEYS, THRESHOLD, Forge, found, promote_online_key
from flagseal_cli.group import group
from flagseal_cli.locking import alone_in
from flagseal_cli.offline import folder_of, keys_option, made_at, open_keys, store_of, store_option
from flagseal_cli.options import data_option, environment_option, format_option, repo_option
from flagseal_cli.workspace import data_folder, find_repository

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

    from flagseal.snapshot.ceremony import RotatedRole, Trusted
    from flagseal.snapshot.store import Store
    from flagseal_cli.workspace import DataFolder

_FIRST_ROOT = metadata_name("root", 1)


@group("trust")
def trust_command() -> None:
    """Found, show and rotate the keys that everything hangs on."""


@trust_command.command("init")
@click.option("--environment", "-e", required=True, metavar="NAME", help="The one environment it is for.")
@click.option("--genesis", metavar="REV", help="Revision taken as approved. Default: the branch's newest commit.")
@click.option("--keys", type=click.IntRange(1, 20), default=OFFLINE_KEYS, show_default=True, help="Offline keys.")
@click.option(
    "--threshold", type=click.IntRange(1, 20), default=THRESHOLD, show_default=True, help="How many must sign."
)
@click.option(
    "--admission-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Public key whose receipts prove emergencies in a cluster. Where it is missing, a key is generated.",
)
@click.option("--github", metavar="ID:OWNER/NAME", help="The repository on GitHub, by its number and name.")
@click.option(
    "--attestor",
    "attestors",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Public key of an attestor whose word about GitHub's facts counts. Needs --github.",
)
@store_option
@repo_option
@data_option
def init_trust(  # noqa: PLR0913 (each is an option)
    environment: str,
    *,
    genesis: str | None,
    keys: int,
    threshold: int,
    admission_key: Path | None,
    github: str | None,
    attestors: tuple[Path, ...],
    where: str | None,
    repo: Path | None,
    data: Path | None,
) -> None:
    """Generate the keys of an environment and pin where its history begins.

    With --store, root and targets are left there, and the data folder holds keys and pinned root alone.
    """
    if threshold > keys:
        raise UsageError(
            f"--threshold {threshold}: more than the {keys} keys there would be", remedy="Lower it, or raise --keys."
        )
    repository = find_repository(repo)
    folder = data_folder(repository, environment, data)
    store = None if where is None else open_store(where)
    if store is not None and store.get(_FIRST_ROOT) is not None:
        # Before keys are generated for it.
        raise UsageError(
            f"{where}: holds a repository already",
            code="AlreadyInitialised",
            remedy="Name another place, or show what is there with `flagseal trust show --store`.",
        )
    trust = found(
        FlagRepository(repository),
        folder,
        environment,
        genesis=genesis,
        keys=keys,
        threshold=threshold,
        store=store,
        admission=None if admission_key is None else _admission(admission_key),
        forge=_forge(github, attestors),
    )
    note(f"Founded {environment} on commit {trust.genesis.commit[:12]}, manifest {trust.genesis.manifest}.")
    note(f"Pinned root, to be handed to every client: {folder.root}")
    note(f"Offline keys, to be moved off this machine one by one: {folder.offline_keys}")


@trust_command.command("show")
@environment_option
@store_option
@repo_option
@data_option
@format_option
def show_trust(environment: str | None, *, where: str | None, repo: Path | None, data: Path | None, style: str) -> None:
    """Show who may sign what, until when, and where the history begins."""
    folder = folder_of(environment, repo, data)
    store = store_of(folder, where)
    trusted = ceremony.trusted(store, folder.read_root())
    roles = trusted.roles()
    if style == "json":
        print_json(
            {
                "trust": trusted.trust.body(),
                "roles": [
                    {
                        "name": role.name,
                        "keyids": role.keyids,
                        "threshold": role.threshold,
                        "version": role.version,
                        "expires": role.expires.isoformat() if role.expires else None,
                    }
                    for role in roles
                ],
            }
        )
        return
    trust = trusted.trust
    click.echo(f"environment  {trust.environment}")
    click.echo(f"repository   {trust.repository_name} ({trust.repository_id}), {trust.ref}")
    click.echo(f"genesis      commit {trust.genesis.commit[:12]}, sequence {trust.genesis.sequence}")
    click.echo(f"             manifest {trust.genesis.manifest}")
    click.echo(f"attestors    {len(trust.attestors) or 'none: approvals count by reviewers’ own keys'}")
    for attestor in trust.attestors:
        counts = "" if attestor.until is None else f", revoked: counts up to statement {attestor.until}"
        click.echo(f"             {attestor.key.keyid}{counts}")
    click.echo(f"admission    {'none' if trust.admission is None else trust.admission.keyid}")
    for role in roles:
        expires = f", version {role.version}, expires {role.expires:%Y-%m-%d}" if role.expires else ""
        click.echo(f"{role.name:<12} {role.threshold} of {len(role.keyids)}{expires}")
        for keyid in role.keyids:
            click.echo(f"             {keyid}")


@trust_command.command("rotate")
@click.argument("role", type=click.Choice(["root", "targets", "online"]))
@keys_option
@click.option(
    "--new-key",
    "new_keys",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Public key to have from now on (keys kept included). Default: generate as many as there are now.",
)
@click.option("--threshold", type=click.IntRange(1, 20), help="How many are needed from now on. Default: as before.")
@environment_option
@store_option
@repo_option
@data_option
def rotate_trust(
    role: RotatedRole,
    *,
    signers: tuple[str, ...],
    new_keys: tuple[Path, ...],
    threshold: int | None,
    environment: str | None,
    where: str | None,
    repo: Path | None,
    data: Path | None,
) -> None:
    """Replace the keys of ROLE; after a theft of the online key, rotate `online`.

    `flagseal up` must be stopped meanwhile; it reads its key when it starts.
    """
    folder = folder_of(environment, repo, data)
    with alone_in(folder):
        _rotate(role, folder, store_of(folder, where), signers, new_keys, threshold)


def _rotate(
    role: RotatedRole,
    folder: DataFolder,
    store: Store,
    signers: tuple[str, ...],
    new_keys: tuple[Path, ...],
    threshold: int | None,
) -> None:
    root = folder.read_root()
    trusted = ceremony.trusted(store, root)
    given = open_keys(signers, folder, trusted)
    made = () if new_keys else _generated(role, folder, trusted)
    public = [load_public_key(path) for path in new_keys] or [signer.public_key for signer in made]
    # Root rotates by its old keys and its new ones: both sign the root that replaces them.
    after = ceremony.rotate(
        store, root, role, new_keys=public, signers=[*given, *made], now=datetime.now(UTC), threshold=threshold
    )
    if role == "online" and made:
        promote_online_key(folder)
    note(f"{role} has {len(public)} new key(s); root is now version {after.root.version}.")
    note("Clients follow by themselves: the root they pinned leads to this one.")


@trust_command.command("renew")
@keys_option
@environment_option
@store_option
@repo_option
@data_option
def renew_trust(
    signers: tuple[str, ...], *, environment: str | None, where: str | None, repo: Path | None, data: Path | None
) -> None:
    """Sign root and targets for another year, with the keys they have."""
    folder = folder_of(environment, repo, data)
    store, root = store_of(folder, where), folder.read_root()
    with alone_in(folder):
        given = open_keys(signers, folder, ceremony.trusted(store, root))
        after = ceremony.renew(store, root, signers=given, now=datetime.now(UTC))
    note(f"Root version {after.root.version} expires {after.root.expires:%Y-%m-%d}; targets the same day.")


def _forge(github: str | None, attestors: tuple[Path, ...]) -> Forge | None:
    """Read which repository of a git host is meant, and whose word about it counts."""
    if github is None and not attestors:
        return None
    number, _, name = (github or "").partition(":")
    if not number.isdecimal() or name.count("/") != 1 or not attestors:
        raise UsageError(
            "--github and --attestor go together: the repository's number and name, and an attestor's public key",
            code="BadForge",
            remedy="Write --github 4711:acme/flags --attestor attestor.pub (docs/github.md).",
        )
    return Forge(f"github:{int(number)}", name, tuple(load_public_key(path) for path in attestors))


def _admission(path: Path) -> Key:
    """Read the key of admission receipts, or generate it."""
    public = path.with_name(f"{path.name}.pub")
    if public.is_file():
        return load_public_key(public)
    return load_public_key(path) if path.is_file() else generate(path).public_key


def _generated(role: RotatedRole, folder: DataFolder, trusted: Trusted) -> tuple[Signer, ...]:
    """Generate as many keys as the role has now; those of a rotation that was cut off are taken up again."""
    if role == "online":
        return (made_at(folder.next_online_key),)
    version = trusted.root.version + 1
    count = len(trusted.root.roles[role].keyids)
    return tuple(made_at(folder.offline_keys / f"{role}-{version}-{number}.pem") for number in range(1, count + 1))


trust_command.add_command(revoke_command)
trust_command.add_command(restore_command)
