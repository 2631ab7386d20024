"""Found the trust of one environment: keys, root, and what the history begins with.

The folder of a founding that was cut off holds no root, and is founded anew: nothing can have relied on it. One from
which something was published is never founded anew, even if its root is lost.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.approval.trust import Attestor, Genesis, Trust
from flagseal.history import Manifest
from flagseal.model.errors import UsageError
from flagseal.snapshot import ceremony
from flagseal.snapshot.keys import generate, load_signer, same_key, signer_among
from flagseal.snapshot.store import DirectoryStore
from flagseal_cli.declared import environment_of

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

    from flagseal.repository import FlagRepository
    from flagseal.snapshot.store import Store
    from flagseal_cli.workspace import DataFolder

OFFLINE_KEYS: Final = 3
THRESHOLD: Final = 2
SHORT_IDENTITY: Final = len("git:") + 12


@dataclass(frozen=True, slots=True)
class Forge:
    """The git host whose facts count.

    Attributes:
        repository_id: ``github:<number>``.
        repository_name: ``owner/name``.
        attestors: Keys whose word about it counts.
    """

    repository_id: str
    repository_name: str
    attestors: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Founded:
    """What was founded.

    Attributes:
        trust: What ``trust.json`` says.
        newly: Whether it was founded just now.
    """

    trust: Trust
    newly: bool


def read_trust(data: DataFolder, store: Store | None = None) -> Trust:
    """Read what the offline keys of an environment say now.

    Args:
        data: Its data, the pinned root above all.
        store: Where ceremonies left their work; the data's own if None.

    Raises:
        UsageError: Nothing was founded here.
        SnapshotError: The store is not the pinned root's.
    """
    return ceremony.trusted(store or DirectoryStore(data.store), data.read_root()).trust


def found(  # noqa: PLR0913 (everything that a trust says)
    repository: FlagRepository,
    data: DataFolder,
    environment: str,
    *,
    genesis: str | None = None,
    keys: int = OFFLINE_KEYS,
    threshold: int = THRESHOLD,
    store: Store | None = None,
    admission: Key | None = None,
    forge: Forge | None = None,
) -> Trust:
    """Generate keys and pin where the history begins.

    Args:
        repository: The flag repository; its identity and branch are pinned.
        data: Where keys, root and store go.
        environment: One of the repository's, as of the genesis revision.
        genesis: The revision whose documents are taken as approved; None takes the branch's newest commit.
        keys: How many offline keys to generate.
        threshold: How many of them a new root or trust.json needs.
        store: Where root and targets go in the place of the data's own store; a cluster's, for instance.
        admission: Signs admission receipts of emergencies in a cluster.
        forge: The git host whose facts count, by an attestor's word; None where reviewers' own keys count alone.

    Raises:
        InvalidDocuments: The documents at that revision cannot be taken.
        UsageError: No such environment; something was founded here already, or published from here.
    """
    if data.is_initialised:
        raise UsageError(
            f"{data.root}: trust was founded here already",
            code="AlreadyFounded",
            remedy="Show it with `flagseal trust show`, or name another folder with --data.",
        )
    own = store is None
    if data.marks.exists() or (own and (data.store / "metadata" / "timestamp.json").exists()):
        raise UsageError(
            f"{data.root}: is gone, and snapshots were published from {data.path}",
            code="RootLost",
            remedy=f"Copy it back, from a client or from {data.store / 'metadata' / '1.root.json'}. To begin anew, with"
            " keys that no client trusts, remove the folder yourself.",
        )
    ref = repository.branch
    commit = repository.resolve(genesis or ref)
    documents, _ = environment_of(repository.documents(commit), environment, f"at {commit[:12]}")
    trust = Trust(
        repository_id=repository.identity if forge is None else forge.repository_id,
        # It is part of what reviewers sign, so every clone must give the same, whatever its folder is called.
        repository_name=repository.identity[:SHORT_IDENTITY] if forge is None else forge.repository_name,
        ref=ref,
        environment=environment,
        genesis=Genesis(commit, Manifest.of({document.subject: document for document in documents}).digest),
        admission=admission,
        attestors=() if forge is None else tuple(Attestor(key) for key in forge.attestors),
    )
    # From now on approvals are looked for here: let every fetch bring them.
    repository.configure_notes()
    for leftover in (data.trust, *((data.store,) if own else ()), data.cache):
        shutil.rmtree(leftover, ignore_errors=True)
    data.trust.mkdir(parents=True, mode=0o700)
    offline = [generate(data.offline_keys / f"{number}.pem") for number in range(1, keys + 1)]
    online = generate(data.online_key)
    root = ceremony.init(
        DirectoryStore(data.store) if store is None else store,
        trust=trust,
        root_signers=offline,
        threshold=threshold,
        online_key=online.public_key,
        now=datetime.now(UTC),
    )
    # The pinned root is written last, and whole: a folder with one is founded.
    partial = data.root.with_suffix(".partial")
    partial.write_bytes(root)
    partial.replace(data.root)
    return trust


def found_or_read(repository: FlagRepository, data: DataFolder, environment: str) -> Founded:
    """Give the trust of a folder, founded now if it never was (trust on first use).

    Raises:
        UsageError: The folder belongs to another environment or repository.
    """
    if not data.is_initialised:
        return Founded(found(repository, data, environment), newly=True)
    trust = read_trust(data)
    for what, here, asked in (
        ("environment", trust.environment, environment),
        # A number that a git host gave cannot be found in a clone.
        ("repository", trust.repository_id, _identity(trust, repository)),
    ):
        if here != asked:
            raise UsageError(
                f"{data.path}: holds the {what} {here}, not {asked}",
                code="OtherTrust",
                remedy="Name another folder with --data.",
            )
    return Founded(trust, newly=False)


def _identity(trust: Trust, repository: FlagRepository) -> str:
    return repository.identity if trust.repository_id.startswith("git:") else trust.repository_id


def promote_online_key(data: DataFolder) -> None:
    """Put the next online key in the place of the one that was rotated out."""
    for suffix in (".pub", ""):
        following = data.next_online_key.with_name(data.next_online_key.name + suffix)
        if following.exists():
            following.replace(data.online_key.with_name(data.online_key.name + suffix))


def open_online_key(data: DataFolder) -> Signer:
    """Open the key that signs snapshots, finishing a rotation that was cut off after its ceremony.

    Raises:
        SnapshotError: The key is missing, readable by others, or not the one the root names.
    """
    store = DirectoryStore(data.store)
    root = ceremony.trusted(store, data.read_root()).root
    keys = [root.get_key(keyid) for keyid in root.roles["timestamp"].keyids]
    if data.next_online_key.is_file():
        following = load_signer(str(data.next_online_key)).public_key
        if any(same_key(following, key) for key in keys):
            promote_online_key(data)
    return signer_among(str(data.online_key), keys)
