"""Who made the commits: whoever's key signed them. Git's author fields are never believed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from flagseal.approval.keys import Owner, keys_of
from flagseal.approval.sshsig import COMMIT_NAMESPACE, parse_sshsig, unarmour
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.policies import Organisation
    from flagseal.repository.commit import Commit


def contributors(
    commits: Iterable[Commit], organisation: Organisation, *, reverted: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Find everybody who signed one of the commits.

    Args:
        commits: All commits reachable from the approved one but not from the last accepted one.
        organisation: Of the accepted head.
        reverted: Ids of commits whose effect was undone before the change at hand began. One of them without a known
            signer is passed over; a known signer counts all the same.

    Raises:
        ApprovalError: ``AuthorUnknown``, naming every commit that is unsigned or whose signer is nobody.

    Returns:
        Ids of people, sorted.
    """
    owners = keys_of(organisation)
    people, problems = set(), []
    for commit in commits:
        try:
            people.add(signer(commit, owners))
        except ApprovalError as error:
            if commit.id not in reverted:
                problems.append(error.message)
    if problems:
        raise ApprovalError(
            "\n".join(problems),
            code="AuthorUnknown",
            remedy=(
                "Sign commits with the SSH key that organisation.yaml lists (git config gpg.format ssh; git config"
                " user.signingKey ~/.ssh/id_ed25519.pub; git config commit.gpgSign true). A commit that is on the"
                " branch already can be reverted, and made again, signed."
            ),
        )
    return tuple(sorted(people))


def signers(commits: Iterable[Commit], organisation: Organisation) -> frozenset[str]:
    """Find everybody known who signed one of the commits; what is unsigned, or signed by nobody, is passed over."""
    owners = keys_of(organisation)
    found = set()
    for commit in commits:
        with suppress(ApprovalError):
            found.add(signer(commit, owners))
    return frozenset(found)


def signer(commit: Commit, owners: Mapping[str, Owner]) -> str:
    """Find the person whose key signed a commit.

    Args:
        commit: As git stores it.
        owners: Fingerprint to owner.

    Raises:
        ApprovalError: ``AuthorUnknown`` if it is not signed, its signature does not verify, or its key is nobody's.
    """
    name = f"commit {commit.id[:12]}"
    if commit.signature is None:
        raise ApprovalError(f"{name} is not signed.", code="AuthorUnknown")
    try:
        signature = parse_sshsig(unarmour(commit.signature))
        good = signature.verifies(commit.signed_payload, COMMIT_NAMESPACE)
    except ApprovalError as error:
        raise ApprovalError(f"{name}: {error.message}", code="AuthorUnknown") from error
    if not good:
        raise ApprovalError(f"{name}: its signature does not verify.", code="AuthorUnknown")
    owner = owners.get(signature.key.fingerprint)
    if owner is None:
        raise ApprovalError(
            f"{name} is signed by {signature.key.fingerprint}, which is nobody's key.", code="AuthorUnknown"
        )
    return owner.person
