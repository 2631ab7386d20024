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
    from flagseal.history.overriding import Serving
    from flagseal.model.canonical import Json
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
        frozen: The freeze by which it is served as it was, where something newer is held back.
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
    frozen: Standing | None = None


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
    serving = build.basis.serving
    flag = _find(head, serving, reference, now)
    hold = serving.holds.get(flag)
    documents = serving.state_of(flag)
    definition = documents.catalogue.flags[flag]
    resolved = documents.resolve(flag, environment) if hold is None else hold.resolved(environment)
    assert resolved is not None  # noqa: S101 (_find saw that it is served)
    incident = build.basis.rolled_back.get(flag)
    if incident is None:
        meant = resolved
        overrides: tuple[Standing, ...] = ()
    else:
        meant = resolve_flag(switched_off(definition, environment), environment, documents.catalogue)
        holding = build.emergencies.holding(build.as_of)
        overrides = tuple(it for it in holding if it.claim.rolls_back is not None and it.claim.incident == incident)
    bucketing = head.policies.environments[environment].bucketing
    published = build.files[f"{definition.namespace}/flags.json"]
    flag_set = FlagSet.load(published, bucketing=bucketing, clock=now.timestamp)
    undone = head.waiting(environment, build.as_of) if hold is None else hold.undone
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
            Origin(subject, documents[subject].digest, approval, trail.approved(approval))
            for subject in subjects
            if (approval := head.approval_without(undone, subject)) is not None
        ),
        overrides=overrides,
        frozen=None if hold is None else hold.frozen.by,
    )


def _find(head: Head, serving: Serving, reference: str, now: datetime) -> str:
    environment = serving.environment
    names = {*serving.state.catalogue.flags, *serving.holds}
    flags = {it: known for it in names if (known := serving.state_of(it).definition(it)) is not None}
    if reference in flags:
        found = [reference]
    else:
        found = [name for name, it in flags.items() if reference in {it.name, it.key}]
    if not found and reference in head.documents.catalogue.flags:
        subject = subject_of("FlagDefinition", *reference.split("/"))
        waits = [entry for entry in head.waiting(environment, now) if subject in entry.before]
        when = f"; it waits until {waits[0].effective_from:%Y-%m-%d %H:%M UTC}" if waits else ""
        if (hold := serving.holds.get(reference)) is not None:
            when = f"; {hold.frozen.by.claim.title} holds it back until {hold.frozen.until:%Y-%m-%d %H:%M UTC}"
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
