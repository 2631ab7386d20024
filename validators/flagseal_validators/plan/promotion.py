"""Staging against production of the same flag: what differs, and what promoting would mean.

Promoting is judged as the change it would be: the section of one environment written in place of the other's, on top
of what is planned, by the policies that would then be in force. Nothing is promoted by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.model.canonical import canonical_json
from flagseal.model.document import Document
from flagseal.model.errors import CompileError
from flagseal.policy import Facts, decide
from flagseal.policy.state import flag_subject
from flagseal_validators.plan.sentences import changes, on_or_off, summary
from flagseal_validators.plan.values import Promotion, obstacles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.policies import PolicySet
    from flagseal.policy import State

Spec = dict[str, Any]


def promotions(flags: Iterable[str], state: State, policies: PolicySet, facts: Facts) -> Iterator[Promotion]:
    """Compare each environment without production with each that has it, flag by flag, where they differ.

    Args:
        flags: ``namespace/name`` of those to look at.
        state: All documents, after the change.
        policies: Those among them.
        facts: Of the change: who wrote it and when.
    """
    for flag in sorted(flags):
        for source, target in pairs(policies):
            if (found := promotion(flag, source, target, state, policies, facts)) is not None:
                yield found


def pairs(policies: PolicySet) -> list[tuple[str, str]]:
    """Give the pairs of environments that something is promoted between: from one without production to one with."""
    environments = sorted(policies.environments.values(), key=lambda found: found.name)
    sources = [found.name for found in environments if not found.production]
    targets = [found.name for found in environments if found.production]
    return [(source, target) for source in sources for target in targets]


def promoted(document: Document, source: str, target: str) -> Document | None:
    """Write the section of one environment in place of another's; None if that changes nothing."""
    spec = cast("Spec", document.spec)
    sections = spec["environments"]
    if source not in sections or canonical_json(sections[source]) == canonical_json(sections.get(target)):
        return None
    changed = {**spec, "environments": {**sections, target: sections[source]}}
    return Document(document.kind, document.namespace, document.name, changed)


def promotion(flag: str, source: str, target: str, state: State, policies: PolicySet, facts: Facts) -> Promotion | None:
    """Compare two environments of a flag, and judge what promoting would be; None where they serve the same.

    Args:
        flag: ``namespace/name``.
        source: The environment that is ahead.
        target: The one it would be promoted to.
        state: All documents.
        policies: Those among them.
        facts: Who would promote it, and when.
    """
    subject = flag_subject(flag)
    document = state.live(subject)
    changed = promoted(document, source, target) if document is not None else None
    if changed is None:
        return None
    after = state.changed({subject: changed})
    try:
        ahead, behind, then = state.resolve(flag, source), state.resolve(flag, target), after.resolve(flag, target)
    except CompileError:
        return None  # the decision on the change says what is wrong
    if ahead is None or then is None:
        return None
    label = on_or_off(ahead, behind, then)
    told = changes(behind, then, label) if behind is not None else (f"served: {summary(then, label)}",)
    if not told:
        return None
    decision = decide(
        Facts(
            accepted=state,
            after=after,
            subjects=(subject,),
            contributors=facts.contributors,
            approvals=(),
            now=facts.clock,
            ticket=facts.ticket,
            head="promotion",
        ),
        policies,
    )
    entry = decision.environments.get(target)
    if entry is None:
        return None
    return Promotion(
        flag=flag,
        source=source,
        target=target,
        ahead=summary(ahead, label),
        behind=summary(behind, label) if behind is not None else "",
        changes=told,
        change_class=entry.change_class,
        tier=entry.tier,
        missing=decision.missing,
        obstacles=obstacles_of(decision),
    )
