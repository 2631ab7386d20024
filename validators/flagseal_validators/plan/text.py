"""A plan as text for a reviewer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.policy.decision import Decision, EnvironmentDecision, Missing
    from flagseal_validators.plan.replay import Replay
    from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan

_INSTANT: Final = "%Y-%m-%d %H:%M UTC"
_SHOWN: Final = 10
_FEW: Final = 3
"""Flags that are listed one by one though nothing that they serve changes."""


def as_text(plan: Plan) -> str:
    """Render a plan, most important first."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    decision = plan.decision
    if decision is None:
        yield "No governed document changes: there is nothing to approve."
        return
    for environment in plan.environments:
        yield from _environment(environment, decision.environments[environment.environment], decision)
        yield ""
    yield from _policies(plan, decision)
    changed = [subject for subject in plan.subjects if subject.fields]
    if changed:
        yield "Changes no answer"
        for subject in changed:
            yield f"  {subject.subject}: {'; '.join(subject.fields)}"
        yield ""
    if plan.obstacles:
        yield "In the way"
        remedies = {check.reason: check.remedy for check in decision.failed}
        for obstacle in plan.obstacles:
            yield f"  {obstacle}"
            if remedy := remedies.get(obstacle.partition(": ")[2]):
                yield f"      → {remedy}"
        yield ""
    yield "An approval would bind"
    for subject in plan.subjects:
        yield f"  {subject.verb} {subject.subject}"
        yield f"      {subject.before or 'none'} → {subject.after}"
    if plan.manifest_before is not None:
        yield f"  manifest {plan.manifest_before} → {plan.manifest_after}"
    yield f"  policy   {decision.policy}"


def _environment(environment: EnvironmentPlan, entry: EnvironmentDecision, decision: Decision) -> Iterator[str]:
    name = environment.environment
    yield f"{name}: {entry.change_class}, {entry.tier}"
    idle = {flag.flag for flag in environment.flags if not flag.changes and not flag.rebucketed}
    unsaid = idle if len(idle) > _FEW else set()
    for flag in environment.flags:
        if flag.flag not in unsaid:
            yield from _flag(flag)
    if unsaid:
        yield f"  and {len(unsaid):,} flags of which nothing that is served changes"
    for why in entry.why[:_SHOWN]:
        yield f"  because  {why}"
    if len(entry.why) > _SHOWN:
        yield f"  because  of {len(entry.why) - _SHOWN:,} more reasons (--format json)"
    yield from _needed([missing for missing in decision.missing if missing.environment == name])
    yield f"  in force {_when(entry)}"
    if environment.replay is not None:
        yield from _replay(environment.replay)


def _flag(flag: FlagEffect) -> Iterator[str]:
    before = flag.before or "not served"
    now = f"; now {'; '.join(flag.changes)}" if flag.changes else "; nothing that is served changes"
    yield f"  {flag.flag}: {before}{'' if flag.rebucketed and not flag.changes else now}"
    if flag.causes:
        yield f"      through {', '.join(flag.causes)}"
    for drawn in flag.rebucketed:
        share = "some" if drawn.share is None else f"{float(100 * drawn.share):.3g} %"
        yield f"      REBUCKETED: {drawn.cause}, so {share} of those whom {drawn.rule!r} splits change variant"
        yield "      though no weight asks for it"


def _needed(missing: list[Missing]) -> Iterator[str]:
    if not missing:
        yield "  needs    nobody's approval beyond those given"
    for number, entry in enumerate(missing):
        yield f"  {'needs   ' if number == 0 else '        '} {entry.text()}"


def _when(entry: EnvironmentDecision) -> str:
    if entry.toward_safe_now:
        return "at once: it serves nobody anything new but the safe variant"
    if entry.effective_from is None:
        return "never: there is no time at which it may take effect"
    return f"from {entry.effective_from:{_INSTANT}}, if it is approved by then"


def _policies(plan: Plan, decision: Decision) -> Iterator[str]:
    if decision.policy_class is None:
        return
    yield f"policies: {decision.policy_class}"
    for why in decision.policy_why:
        yield f"  because  {why}"
    for sentence in plan.authority:
        yield f"  {sentence}"
    yield from _needed([missing for missing in decision.missing if missing.environment is None])
    yield "  in force at once, when it is accepted"
    yield ""


def _replay(replay: Replay) -> Iterator[str]:
    at = datetime.fromtimestamp(replay.at, UTC)
    yield f"  contexts {replay.changed:,} of {replay.total:,} are served something else (as of {at:{_INSTANT}})"
    for flag in replay.flags:
        for moved in flag.by_rule[:_SHOWN]:
            rules = " → ".join(dict.fromkeys(moved.rules))
            yield f"      {moved.count:,} × {flag.flag}: {' → '.join(moved.variants)} (rule: {rules})"
        if len(flag.by_rule) > _SHOWN:
            yield f"      and {len(flag.by_rule) - _SHOWN:,} more ways in {flag.flag}"
    for attribute, groups in replay.groups.items():
        for group in groups[:_SHOWN]:
            yield f"      {visible(attribute)} {visible(group.value)}: {group.changed:,} of {group.total:,}"
        if len(groups) > _SHOWN:
            yield f"      and {len(groups) - _SHOWN:,} more values of {attribute}"
