"""``flagseal explain``: prove an answer, from the top down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flagseal.history import review_words, reviewed
from flagseal.model.characters import escaped, visible
from flagseal.model.errors import FlagsealError, UsageError
from flagseal.repository import FlagRepository
from flagseal_cli.console import print_json
from flagseal_cli.options import (
    context_option,
    data_option,
    environment_option,
    format_option,
    parse_context,
    repo_option,
)
from flagseal_cli.published import PublishedState, published_state
from flagseal_cli.render import INSTANT
from flagseal_cli.reviews import emergency_json
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_operator.explanation import Explanation, Origin, explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.evaluation.trace import Line
    from flagseal.snapshot.trail import Approved

_MARGIN = " " * 14
_TELLING = ("default-deny", "approvals")
"""The checks that say which row decided, and who filled it."""


@click.command("explain")
@click.argument("flag")
@context_option
@environment_option
@repo_option
@data_option
@format_option
def explain_command(
    flag: str,
    context_text: str,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    style: str,
) -> None:
    """Say why FLAG (namespace/name) answers as it does: answer ← rule ← snapshot ← statement ← people, policy ← commit.

    Everything is verified just now, from the pinned root and the published files alone.
    """
    context = parse_context(context_text)
    repository = find_repository(repo)
    published = published_state(data_folder(repository, environment, data))
    if environment is not None and environment != published.trust.environment:
        raise UsageError(
            f"--environment {environment}: this data is of {published.trust.environment}",
            code="OtherEnvironment",
            remedy="Run `flagseal up --environment` for it, or name its folder with --data.",
        )
    told = explain(published.head, published.build, published.trail, flag, context, now=published.now)
    print_explanation(told, published, FlagRepository(repository), style)


def print_explanation(told: Explanation, published: PublishedState, git: FlagRepository | None, style: str) -> None:
    """Print an explanation.

    Args:
        told: It.
        published: From what it was made.
        git: Knows the commits' messages, where there is a clone.
        style: ``text`` or ``json``.
    """
    if style == "json":
        print_json(_json(told, published))
        return
    click.echo("\n".join(_lines(told, published, git)))


def _lines(told: Explanation, published: PublishedState, git: FlagRepository | None) -> Iterator[str]:
    answer = told.evaluation
    shown = escaped(json.dumps(dict(told.context), ensure_ascii=False))
    yield f"{told.flag} in {told.environment}, for {shown}"
    yield ""
    yield f"answer        {escaped(json.dumps(answer.value, ensure_ascii=False))} ({answer.variant}), {answer.reason}"
    yield from _rules(told.lines)
    emergencies = [("override", it) for it in told.overrides] + [("freeze", it) for it in (told.frozen,) if it]
    for name, standing in emergencies:
        claim = standing.claim
        words = review_words(reviewed(published.head, standing))
        yield visible(f"← {name:12}{claim.incident}: {claim.deed} by {standing.person}, {claim.reason}")
        yield f"{_MARGIN}proven; from {standing.since:{INSTANT}} until {standing.until:{INSTANT}}, {words}"
    timestamp = published.chain.timestamp
    freshness = f"{'was fresh' if published.stale else 'fresh'} until {timestamp.expires:{INSTANT}}"
    yield f"← snapshot    {published.chain.version}, head {published.head.sequence}; {freshness}"
    yield f"{_MARGIN}{told.flag.partition('/')[0]}/flags.json {told.flags_digest}"
    for origin in told.origins:
        yield from _origin(origin, published, git)


def _rules(lines: tuple[Line, ...]) -> Iterator[str]:
    first = True
    for line in sorted(lines, key=lambda line: not line.answers):
        label = "← rule        " if first else _MARGIN
        verdict = "" if line.answers else "  (not asked)" if line.holds else "  (does not hold)"
        yield f"{label}{line.name}: {line.when} → {line.serves}{verdict}"
        first = False


def _origin(origin: Origin, published: PublishedState, git: FlagRepository | None) -> Iterator[str]:
    yield f"← document    {origin.subject}"
    yield f"{_MARGIN}{origin.digest}"
    if origin.approved is None:
        commit = published.trust.genesis.commit
        yield f"← genesis     trusted from the beginning, by the offline keys that signed {commit[:12]}"
        yield f"← commit      {commit} {_subject_line(git, commit)}".rstrip()
        return
    yield from _statement(origin.approved, git)


def _statement(approved: Approved, git: FlagRepository | None) -> Iterator[str]:
    statement = approved.entry.envelope.statement
    yield f"← statement   {statement.sequence} ({statement.id[:12]}), accepted {approved.accepted_at:{INSTANT}}"
    people = approved.before.policies.organisation.people
    label = "← people      "
    for approval in approved.approvals:
        name = people[approval.person].name
        yield f"{label}{approval.person} ({name}), by {' and '.join(sorted(approval.evidence))}"
        label = _MARGIN
    yield f"{_MARGIN}written by {', '.join(statement.contributors)}"
    yield f"← policy      {approved.decision.policy}"
    for check in approved.decision.checks:
        if check.id in _TELLING:
            yield f"{_MARGIN}{check.environment or 'policies'}: {check.reason}"
    ticket = f"  Ticket: {statement.ticket}" if statement.ticket else ""
    yield f"← commit      {statement.commit} {_subject_line(git, statement.commit)}{ticket}".rstrip()


def _subject_line(git: FlagRepository | None, commit: str) -> str:
    """Read the first line of a commit's message, where this clone has the commit."""
    if git is None:
        return ""
    try:
        return (git.commit(commit).message.splitlines() or [""])[0]
    except FlagsealError:
        return ""


def _json(told: Explanation, published: PublishedState) -> dict[str, object]:
    answer = told.evaluation
    return {
        "flag": told.flag,
        "key": told.key,
        "environment": told.environment,
        "context": dict(told.context),
        "answer": {
            "value": answer.value,
            "variant": answer.variant,
            "reason": answer.reason,
            "metadata": dict(answer.metadata or {}),
        },
        "rules": [
            {"name": line.name, "when": line.when, "serves": line.serves, "holds": line.holds, "answers": line.answers}
            for line in told.lines
        ],
        "overrides": [emergency_json(it, published.head) for it in told.overrides],
        "frozen": None if told.frozen is None else emergency_json(told.frozen, published.head),
        "snapshot": {
            "version": published.chain.version,
            "sequence": published.head.sequence,
            "flags": told.flags_digest,
            "freshUntil": published.chain.timestamp.expires,
        },
        "origins": [
            {
                "subject": origin.subject,
                "digest": origin.digest,
                "approval": origin.approval,
                "statement": origin.approved.entry.envelope.statement.body() if origin.approved else None,
                "approvedBy": [it.person for it in origin.approved.approvals] if origin.approved else [],
                "decision": origin.approved.decision.to_json() if origin.approved else None,
            }
            for origin in told.origins
        ],
    }
