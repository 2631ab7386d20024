"""Where an answer comes from, top down: answer ← rule ← snapshot ← statement ← people, policy ← commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.evaluation import Evaluation, FlagSet
from flagseal.evaluation.compile import switched_off
from flagseal.evaluation.resolve import resolve_flag
from flagseal.evaluation.trace import Line, trace
from flagseal.model.canonical import sha256_digest
from flagseal.model.document import subject_of
from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.emergency import Standing
    from flagseal.history import Build, Head
    from flagseal.model.canonical import Json
    from flagseal.policy.state import State
    from flagseal.snapshot.trail import Approved, Trail


@dataclass(frozen=True)
class Origin:
    """By what one document is in effect.

    Attributes:
        subject: The document.
        digest: Its content.
        approval: The statement's id, or ``genesis:<commit>``.
        approved: The statement, decided again; None for what was there at genesis.
    """

    subject: str
    digest: str
    approval: str
    approved: Approved | None


@dataclass(frozen=True)
class Explanation:
    """One flag's answer for one context, with everything that led to it.

    Attributes:
        flag: ``namespace/name``.
        key: What applications ask for.
        evaluation: The answer, from the published bytes.
        lines: The rules in order, and what each did.
        flags_digest: Of the published flagd document.
        origins: The definition's first, then those of the documents it refers to.
        overrides: Those by which everyone is served the safe variant, whatever the rules say.
    """

    flag: str
    key: str
    environment: str
    context: Mapping[str, Json]
    evaluation: Evaluation
    lines: tuple[Line, ...]
    flags_digest: str
    origins: tuple[Origin, ...]
    overrides: tuple[Standing, ...] = ()


def explain(
    head: Head,
    build: Build,
    trail: Trail,
    reference: str,
    context: Mapping[str, Json],
    *,
    now: datetime,
) -> Explanation:
    """Explain what a flag answers.

    Args:
        head: The verified head.
        build: What it compiles to.
        trail: Its history.
        reference: ``namespace/name``; a name or key alone will do, since both are unique.
        context: The evaluation context.
        now: The clock.

    Raises:
        UsageError: No such flag is in effect there.
    """
    environment = build.environment
    documents = head.effective(environment, now)
    flag = _find(documents, head, reference, environment, now)
    definition = documents.catalogue.flags[flag]
    resolved = resolve_flag(definition, environment, documents.catalogue)
    incident = build.basis.rolled_back.get(flag)
    if incident is None:
        meant = resolved
        overrides: tuple[Standing, ...] = ()
    else:
        meant = resolve_flag(switched_off(definition, environment), environment, documents.catalogue)
        overrides = tuple(it for it in build.emergencies.holding(build.as_of) if it.claim.incident == incident)
    bucketing = head.policies.environments[environment].bucketing
    published = build.files[f"{definition.namespace}/flags.json"]
    flag_set = FlagSet.load(published, bucketing=bucketing, clock=now.timestamp)
    approvals = head.effective_approvals(environment, now)
    subjects = (subject_of("FlagDefinition", definition.namespace, definition.name), *resolved.dependencies)
    return Explanation(
        flag=flag,
        key=definition.key,
        environment=environment,
        context=context,
        evaluation=flag_set.evaluate(definition.key, dict(context)),
        lines=trace(meant, context, bucketing=bucketing, clock=now.timestamp),
        flags_digest=sha256_digest(published),
        origins=tuple(
            Origin(subject, documents[subject].digest, approvals[subject], trail.approved(approvals[subject]))
            for subject in subjects
        ),
        overrides=overrides,
    )


def _find(documents: State, head: Head, reference: str, environment: str, now: datetime) -> str:
    flags = documents.catalogue.flags
    if reference in flags:
        found = [reference]
    else:
        found = [name for name, it in flags.items() if reference in {it.name, it.key}]
    if not found and reference in head.documents.catalogue.flags:
        subject = subject_of("FlagDefinition", *reference.split("/"))
        waits = [entry for entry in head.waiting(environment, now) if subject in entry.before]
        when = f"; it waits until {waits[0].effective_from:%Y-%m-%d %H:%M UTC}" if waits else ""
        raise UsageError(
            f"{reference}: is accepted, and not in effect in {environment} yet{when}",
            code="NotInEffect",
            remedy="`flagseal status` shows all that waits.",
        )
    if len(found) != 1:
        raise UsageError(
            f"{reference}: no such flag is in effect",
            code="UnknownFlag",
            remedy="Name it as namespace/name; `flagseal snapshot show` lists them all.",
        )
    if environment not in flags[found[0]].environments:
        raise UsageError(
            f"{found[0]}: is not served in {environment}",
            code="NotServed",
            remedy=f"It is served in {', '.join(sorted(flags[found[0]].environments))}.",
        )
    return found[0]
