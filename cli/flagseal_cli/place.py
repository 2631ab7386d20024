"""From where a person signs an emergency: a checkout with its data, or any machine that reaches the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.stores import open_store
from flagseal_cli.options import data_option, environment_option, repo_option
from flagseal_cli.published import published_state, stored_state
from flagseal_cli.workspace import data_folder, find_repository, person_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_cli.published import PublishedState
    from flagseal_cli.workspace import DataFolder

_F = TypeVar("_F", bound="Callable[..., object]")


@dataclass(frozen=True)
class Place:
    """What a signature is made with.

    Attributes:
        published: What is in force, verified just now.
        key: The person's SSH key.
        folder: Data of a `flagseal up` on this machine; None for a store elsewhere.
    """

    published: PublishedState
    key: Path
    folder: DataFolder | None


@dataclass(frozen=True)
class Where:
    """What the options say."""

    store: str | None
    root: Path | None
    repo: Path | None
    environment: str | None
    data: Path | None
    person: str
    key: Path | None

    def open(self) -> Place:
        """Verify what is published there, and find the key.

        Raises:
            UsageError: Something is missing to know the place, or the key.
            SnapshotError: What is published does not verify, or nothing is.
        """
        if self.store is None and self.root is None:
            repository = find_repository(self.repo)
            folder = data_folder(repository, self.environment, self.data)
            return Place(published_state(folder), person_key(repository, self.person, self.key), folder)
        if self.store is None or self.root is None or self.repo is not None or self.data is not None:
            raise UsageError(
                "a store needs the root that it is verified by, and neither a checkout nor its data",
                code="NoPlace",
                remedy="Give --store and --root together, or work in a checkout of the flag repository.",
            )
        if self.key is None:
            raise UsageError("there is no checkout to look for your key in", code="NoKey", remedy="Name it: --key.")
        published = state_in(self.store, self.root, self.environment)
        return Place(published, person_key(Path(), self.person, self.key), None)


def state_in(store: str, root: Path, environment: str | None = None) -> PublishedState:
    """Verify what a store has, by the pinned root alone.

    Args:
        store: A folder or a URL.
        root: The file of the pinned root.
        environment: The one that is meant; None for the store's.

    Raises:
        UsageError: ``OtherEnvironment``.
        SnapshotError: It does not verify, or nothing is there.
    """
    published = stored_state(open_store(store), root.read_bytes(), Mark())
    if published is None:
        raise SnapshotError(
            f"{store}: nothing is published yet", code="NothingPublished", remedy="Look after the operator."
        )
    if environment not in {None, published.trust.environment}:
        raise UsageError(
            f"{store}: is of {published.trust.environment}, not of {environment}",
            code="OtherEnvironment",
            remedy="Each environment has a store of its own: name the other one.",
        )
    return published


def store_options(says: str, *, from_environment: bool = False) -> Callable[[_F], _F]:
    """Add the options that say what is published where: a store with its root, or a checkout's own data.

    Args:
        says: What the help says of ``--store``.
        from_environment: Whether ``FLAGSEAL_STORE`` and ``FLAGSEAL_ROOT`` count: for what runs by itself. Where a
            person signs, a variable that was set for something else must not choose the place.
    """
    variable = {"store": "FLAGSEAL_STORE", "root": "FLAGSEAL_ROOT"} if from_environment else {}

    def decorate(command: _F) -> _F:
        for option in (
            data_option,
            repo_option,
            environment_option,
            click.option(
                "--root",
                envvar=variable.get("root"),
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="With --store: the pinned root.json.",
            ),
            click.option("--store", envvar=variable.get("store"), metavar="DIR|URL", help=says),
        ):
            command = option(command)
        return command

    return decorate


def place_options(command: _F) -> _F:
    """Add the options that :class:`Where` is made of."""
    says = "Where the snapshots are, if no checkout is at hand: a folder, or s3://BUCKET/PREFIX?endpoint=…."
    for option in (
        store_options(says),
        click.option(
            "--key",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Your SSH key: a private one, or the public half of one in your agent. "
            "Default: .flagseal/keys/PERSON in the checkout.",
        ),
        click.option("--as", "person", required=True, metavar="PERSON", help="Who you are in organisation.yaml."),
    ):
        command = option(command)
    return command
