"""``flagseal trust revoke``: one command for a stolen key, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import UsageError
from flagseal.snapshot import ceremony
from flagseal.snapshot.keys import load_public_key
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.published import read_live
from flagseal.snapshot.trust_change import set_trust, without_attestor
from flagseal_cli.console import note
from flagseal_cli.founding import promote_online_key
from flagseal_cli.locking import alone_in
from flagseal_cli.offline import folder_of, keys_option, made_at, open_keys, store_of, store_option
from flagseal_cli.options import data_option, environment_option, repo_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securesystemslib.signer import Key, Signer

    from flagseal.snapshot.ceremony import RotatedRole, Trusted
    from flagseal.snapshot.store import Store
    from flagseal_cli.workspace import DataFolder

_SHORTEST = 8
_OFFLINE: tuple[RotatedRole, ...] = ("root", "targets")


@click.command("revoke")
@click.argument("keyid", metavar="KEYID")
@keys_option
@click.option(
    "--until",
    type=click.IntRange(0),
    metavar="SEQUENCE",
    help="An attestor’s: the last statement for which it counts. Default: the newest that is published.",
)
@click.option(
    "--new-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Public key that takes its place. Default: one is generated for online and offline keys, none for others.",
)
@environment_option
@store_option
@repo_option
@data_option
def revoke_command(
    keyid: str,
    *,
    signers: tuple[str, ...],
    until: int | None,
    new_key: Path | None,
    environment: str | None,
    where: str | None,
    repo: Path | None,
    data: Path | None,
) -> None:
    """Take a stolen or lost key out: KEYID as `flagseal trust show` lists it, or its first eight characters and more.

    The online key and offline keys are replaced in every role they have; an attestor’s goes on counting for what was
    accepted up to now; the key of admission goes, and with it what it vouched for. A person’s key is in
    policies/organisation.yaml: remove it there, which takes one approval.
    """
    folder = folder_of(environment, repo, data)
    store, root = store_of(folder, where), folder.read_root()
    with alone_in(folder):
        trusted = ceremony.trusted(store, root)
        found = _find(trusted, keyid)
        given = open_keys(signers, folder, trusted)
        replacement = None if new_key is None else load_public_key(new_key)
        ceremonies = _Ceremonies(folder, store, root, trusted, given, replacement)
        if until is not None and found not in {it.key.keyid for it in trusted.trust.attestors}:
            raise UsageError(
                "--until counts statements of an attestor, and this is another key", remedy="Leave it out."
            )
        for said in ceremonies.revoke(found, until):
            note(said)


def _find(trusted: Trusted, keyid: str) -> str:
    """Find the one key that is meant."""
    if keyid.startswith("SHA256:"):
        raise UsageError(
            f"{keyid}: is the key of a person",
            code="PersonsKey",
            remedy="Remove it from policies/organisation.yaml: that is toward safe, takes one approval, and is in force"
            " at once.",
        )
    trust = trusted.trust
    known = {*trusted.root.keys, *(it.key.keyid for it in trust.attestors)}
    known |= {trust.admission.keyid} if trust.admission is not None else set()
    found = sorted(it for it in known if it == keyid or (len(keyid) >= _SHORTEST and it.startswith(keyid)))
    if len(found) != 1:
        raise UsageError(
            f"{keyid}: {'no key' if not found else 'more than one key'} of this repository begins so",
            code="UnknownKey",
            remedy=f"`flagseal trust show` lists them; write at least {_SHORTEST} characters.",
        )
    return found[0]


@dataclass(frozen=True)
class _Ceremonies:
    """What is at hand for taking a key out."""

    folder: DataFolder
    store: Store
    root: bytes
    trusted: Trusted
    given: Sequence[Signer]
    replacement: Key | None

    def revoke(self, keyid: str, until: int | None) -> list[str]:
        """Take a key out of everything it is in; say what was done."""
        trust, roles = self.trusted.trust, self.trusted.root.roles
        said = []
        if keyid in roles["timestamp"].keyids:
            said.append(self._online())
        said += [self._offline(role, keyid) for role in _OFFLINE if keyid in roles[role].keyids]
        if keyid in {it.key.keyid for it in trust.attestors}:
            said.append(self._attestor(keyid, until))
        if trust.admission is not None and trust.admission.keyid == keyid:
            said.append(self._admission(keyid))
        return [*said, "Clients follow by themselves; an operator that runs begins anew by itself."]

    def _online(self) -> str:
        made = None if self.replacement is not None else made_at(self.folder.next_online_key)
        key = self.replacement if made is None else made.public_key
        assert key is not None  # noqa: S101 (one of the two)
        self._rotate("online", [key], ())
        if made is not None:
            promote_online_key(self.folder)
        return f"The online key is {key.keyid[:12]}… now; give the publisher its private half."

    def _offline(self, role: RotatedRole, keyid: str) -> str:
        made = None
        key = self.replacement
        if key is None:
            made = made_at(self.folder.offline_keys / f"instead-of-{keyid[:12]}.pem")
            key = made.public_key
        root = self.trusted.root
        kept = [root.get_key(it) for it in root.roles[role].keyids if it != keyid]
        self._rotate(role, [*kept, key], () if made is None else (made,))
        return f"{role} has {key.keyid[:12]}… in the place of {keyid[:12]}….{'' if made is None else ' Move it away.'}"

    def _rotate(self, role: RotatedRole, keys: Sequence[Key], more: Sequence[Signer]) -> None:
        ceremony.rotate(self.store, self.root, role, new_keys=keys, signers=[*self.given, *more], now=datetime.now(UTC))

    def _attestor(self, keyid: str, until: int | None) -> str:
        now = datetime.now(UTC)
        if until is None:
            live = read_live(self.store, self.root, Mark(), now=now)
            until = self.trusted.trust.genesis.sequence if live.content is None else live.content.head.sequence
        trust = without_attestor(self.trusted.trust, keyid, until, self.replacement)
        set_trust(self.store, self.root, trust, signers=self.given, now=now)
        return f"The attestor’s key {keyid[:12]}… counts up to statement {until}, and for nothing after it."

    def _admission(self, keyid: str) -> str:
        trust = replace(self.trusted.trust, admission=self.replacement)
        set_trust(self.store, self.root, trust, signers=self.given, now=datetime.now(UTC))
        after = "no key" if self.replacement is None else f"{self.replacement.keyid[:12]}…"
        return f"{after} counts for admission in the place of {keyid[:12]}…; what it vouched for ends."
