"""``flagseal approve``: sign what takes the accepted head to a revision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.approval.envelope import Envelope
from flagseal.approval.keys import keys_of
from flagseal.approval.signing import sign_with_ssh_keygen
from flagseal.model.errors import ApprovalError, UsageError
from flagseal.policy.reviews import requesters
from flagseal.policy.state import State
from flagseal.repository import FlagRepository
from flagseal_cli.console import note
from flagseal_cli.options import data_option, environment_option, repo_option
from flagseal_cli.published import published_state
from flagseal_cli.render import change_lines, missing_lines
from flagseal_cli.workspace import data_folder, find_repository, person_key
from flagseal_operator.standing import Standing, standing

if TYPE_CHECKING:
    from flagseal.history import Head


@click.command("approve")
@click.argument("revision")
@click.option("--as", "person", required=True, metavar="PERSON", help="Who you are in policies/organisation.yaml.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your SSH key: a private one, or the public half of one in your agent. Default: .flagseal/keys/PERSON.",
)
@environment_option
@repo_option
@data_option
def approve_command(
    revision: str, *, person: str, key: Path | None, environment: str | None, repo: Path | None, data: Path | None
) -> None:
    """Approve REVISION with your own SSH key: everything that changed since the accepted state, and nothing else.

    The signature goes to a git note on the commit (refs/notes/flagseal). Push that ref to share it.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository)
    published = published_state(data_folder(repository, environment, data))
    head, trust, now = published.head, published.trust, published.now
    stands = standing(git, head, trust, revision, now)
    _require_person(person, stands, head)
    if stands.problem is not None:
        raise stands.problem
    if stands.candidate is None:
        why = "it is accepted already" if stands.accepted else "it changes no governed document"
        raise ApprovalError(
            f"{stands.commit[:12]}: nothing is left to approve; {why}",
            code="NothingChanges",
            remedy="`flagseal status` shows what is in force.",
        )
    statement = stands.candidate.proposal.statement
    signature = sign_with_ssh_keygen(statement.payload(), person_key(repository, person, key))
    owner = keys_of(head.policies.organisation).get(signature.keyid)
    if owner is None or owner.person != person:
        raise ApprovalError(
            f"the key {signature.keyid} is {f'{owner.person}’s' if owner else 'nobody’s'}, not {person}’s",
            code="WrongKey",
            remedy="Use the key that policies/organisation.yaml lists for you, as of the accepted state.",
        )
    git.add_note(statement.commit, Envelope(statement.payload(), (signature,)).to_line())
    after = standing(git, head, trust, statement.commit, now)
    for line in change_lines(stands):
        note(line)
    note(f"{person} approved {statement.commit[:12]} (statement {statement.sequence}).")
    for line in missing_lines(after):
        note(line)


def _require_person(person: str, stands: Standing, head: Head) -> None:
    people = head.policies.organisation.people
    if person not in people:
        raise UsageError(
            f"--as {person}: nobody of that name in policies/organisation.yaml",
            code="UnknownPerson",
            remedy=f"Use one of {', '.join(sorted(people))}.",
        )
    if stands.candidate is None:
        return
    proposal = stands.candidate.proposal
    if person in requesters(proposal.statement.subjects, head.documents, State.of(proposal.documents)):
        raise ApprovalError(
            f"{person} asked for what this change reviews, and nobody reviews their own",
            code="SelfApproval",
            remedy="Ask somebody who did not; `flagseal status` says who can.",
        )
    if person in proposal.statement.contributors:
        raise ApprovalError(
            f"{person} signed a commit of this change, and nobody approves their own",
            code="SelfApproval",
            remedy="Ask somebody who did not; `flagseal status` says who can.",
        )
