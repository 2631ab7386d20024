"""What the protection of the branch must hold by the policies, and what of it does not hold: pure, and the only one.

The attestor's check 9 asks it of a merged request, with the policies that were in force before; ``flagseal forge
check`` asks it of the repository as it is. Always asked for: no deletion, no force push, no push past a request,
reviews dismissed by a push, code owners, another approver than the last pusher. Policies add how many approvals, which
checks, and who may pass the rules by (docs/adr/0153, 0154).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal_validators.forge.facts import RequiredCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from flagseal.model.policies import ApprovalPolicy, Bypass, PolicyRow
    from flagseal_validators.forge.facts import Ruleset

MOST_APPROVALS: Final = 10
"""More, GitHub does not ask for."""
REMEDY: Final = (
    "Protect the branch by a ruleset: `flagseal forge setup` (docs/github.md). Requests opened before its last change"
    " are made again."
)


@dataclass(frozen=True, slots=True)
class Required:
    """What policies ask of the protection, beside what always is.

    Attributes:
        approvals: The fewest people that any row asks for whose proof is the forge's: more would hold up the others.
        most: The most that one asks for; the decision sees to those.
        checks: Checks to be required.
        bypass: Who may pass the rules by.
        workflows_open_requests: Whether a workflow opens requests; GitHub has one setting for that and for approving.
    """

    approvals: int = 1
    most: int = 1
    checks: tuple[RequiredCheck, ...] = ()
    bypass: tuple[Bypass, ...] = ()
    workflows_open_requests: bool = False

    @property
    def passers(self) -> frozenset[str]:
        """Who may pass the rules by, in the words of :attr:`Ruleset.bypass`."""
        return frozenset(passer(entry.actor, entry.id, entry.mode) for entry in self.bypass)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is not as it must be.

    Attributes:
        code: Stable, in CamelCase.
        place: Where it is to be changed.
        said: What is wrong.
        remedy: What to do.
        by_setup: Whether `flagseal forge setup` does it.
    """

    code: str
    place: str
    said: str
    remedy: str
    by_setup: bool = True


def required(policy: ApprovalPolicy, *, workflows_open_requests: bool = False) -> Required:
    """Find out what the policies ask of the protection.

    Args:
        policy: As in force before whatever is judged by it.
        workflows_open_requests: Whether a workflow of the repository opens requests.
    """
    rows = (*policy.tiers.values(), *policy.policies.values())
    counts = [_people(row) for row in rows if row.evidence != "keys"] or [1]
    return Required(
        approvals=min(MOST_APPROVALS, max(1, min(counts))),
        most=max(counts),
        checks=tuple(dict.fromkeys(RequiredCheck(check.name, check.app) for check in policy.protection.checks)),
        bypass=policy.protection.bypass,
        workflows_open_requests=workflows_open_requests,
    )


def passer(actor: str, number: int | None, mode: str) -> str:
    """Say who may pass rules by: ``team 9 (always)``; whoever has no number cannot be declared in policy."""
    return f"{actor}{'' if number is None else f' {number}'} ({mode})"


def unprotected(rulesets: Sequence[Ruleset], asked: Required, opened: datetime | None = None) -> tuple[Deviation, ...]:
    """Say what the rulesets in force on the branch do not hold; nothing if all is held.

    A ruleset counts if it may be bypassed by nobody but those whom the policies name, and has not changed since. One
    that does not count is told of only where something is missing without it: it takes nothing away from the others.

    Args:
        rulesets: Those that reach the branch.
        asked: What must be held.
        opened: When the request was opened that is judged; None asks of the branch as it is.
    """
    good: list[Ruleset] = []
    uncounted: list[Deviation] = []
    for ruleset in rulesets:
        why = _uncounted(ruleset, asked, opened)
        if why is None:
            good.append(ruleset)
        else:
            uncounted.append(Deviation(why[0], f"ruleset {ruleset.name}", why[1], REMEDY))
    found = [Deviation(code, "rules of the branch", said, REMEDY) for code, said in _lacking(good, asked)]
    return (*found, *uncounted) if found else ()


def counted(rulesets: Sequence[Ruleset], asked: Required, opened: datetime | None = None) -> tuple[Ruleset, ...]:
    """Give the rulesets that count."""
    return tuple(ruleset for ruleset in rulesets if _uncounted(ruleset, asked, opened) is None)


def _people(row: PolicyRow) -> int:
    return sum(entry.count for entry in row.approvals)


def _uncounted(ruleset: Ruleset, asked: Required, opened: datetime | None) -> tuple[str, str] | None:
    """Say why a ruleset does not count; None if it does."""
    if ruleset.bypass is None:
        return "BypassHidden", f"who may bypass {ruleset.name} is not shown to this token"
    if undeclared := [word for word in ruleset.bypass if word not in asked.passers]:
        return "MayBeBypassed", f"{ruleset.name} may be bypassed by {', '.join(undeclared)}"
    if opened is not None and ruleset.updated_at >= opened:
        at = f"{ruleset.updated_at:%Y-%m-%d %H:%M}Z"
        return "ChangedSince", f"{ruleset.name} was changed at {at}, after it was opened"
    return None


_RULES: Final = {
    "deletion": ("MayBeDeleted", "the branch may be deleted"),
    "non_fast_forward": ("MayBeForcePushed", "the branch may be force-pushed"),
    "pull_request": ("NoRequestNeeded", "it may be pushed to without a request"),
}


def _lacking(good: Sequence[Ruleset], asked: Required) -> Iterator[tuple[str, str]]:
    rules = {rule for ruleset in good for rule in ruleset.rules}
    yield from (entry for rule, entry in _RULES.items() if rule not in rules)
    approvals = max((ruleset.approvals for ruleset in good), default=0)
    if approvals == 0:
        yield "TooFewApprovals", "no approval is required"
    elif approvals < asked.approvals:
        yield "TooFewApprovals", f"approvals required: {approvals}, and every row asks for {asked.approvals} or more"
    if not any(ruleset.dismisses_on_push for ruleset in good):
        yield "ReviewsOutlivePush", "a push does not dismiss reviews"
    if not any(ruleset.code_owners for ruleset in good):
        yield "CodeOwnersNotAsked", "code owners need not approve"
    if not any(ruleset.last_push for ruleset in good):
        yield "LastPushUnseen", "the last push needs no approval by another"
    held = {check for ruleset in good for check in ruleset.checks}
    for check in asked.checks:
        if check not in held:
            yield "CheckNotRequired", f"the check {check.name} of app {check.app} is not required"
