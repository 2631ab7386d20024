"""A plan as text for a reviewer at a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from flagseal.model.characters import visible
from flagseal_validators.plan.ordering import alike, alike_promotions, counted, environments, listed, reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.policy.decision import Decision, EnvironmentDecision, Missing
    from flagseal_validators.plan.ordering import Alike
    from flagseal_validators.plan.replay import Group, Replay
    from flagseal_validators.plan.values import EnvironmentPlan, Plan

Tone = Literal["plain", "heading", "danger", "warning", "dim"]

_CODES: Final[dict[Tone, str]] = {
    "heading": "\x1b[1m",
    "danger": "\x1b[1;31m",
    "warning": "\x1b[33m",
    "dim": "\x1b[2m",
}
_RESET: Final = "\x1b[0m"

INSTANT: Final = "%Y-%m-%d %H:%M UTC"
_SHOWN: Final = 10
_GROUPS: Final = 40
"""Groups of flags that are told one by one in an environment."""
_FEW: Final = 3
"""Flags that are listed one by one though nothing that they serve changes."""
_NARROWEST: Final = 40


@dataclass(frozen=True, slots=True)
class _Line:
    """One line.

    Attributes:
        text: With its indentation.
        tone: How it is coloured.
        hang: By how much more its continuation is indented.
    """

    text: str
    tone: Tone = "plain"
    hang: int = 4


def as_text(plan: Plan, *, width: int | None = None, colour: bool = False) -> str:
    """Render a plan, most important first.

    Args:
        plan: The plan.
        width: Columns at which lines are broken; None breaks none, as for a file.
        colour: Whether to use colours of the terminal.
    """
    return "\n".join(_painted(_lines(plan), width, colour=colour)) + "\n"


def _painted(lines: Iterable[_Line], width: int | None, *, colour: bool) -> Iterator[str]:
    for line in lines:
        parts = [line.text]
        if width is not None and len(line.text) > max(width, _NARROWEST):
            indent = len(line.text) - len(line.text.lstrip()) + line.hang
            parts = textwrap.wrap(
                line.text,
                max(width, _NARROWEST),
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
        code = _CODES.get(line.tone, "") if colour else ""
        yield from (f"{code}{part}{_RESET}" if code else part for part in parts)


def _lines(plan: Plan) -> Iterator[_Line]:
    decision = plan.decision
    if decision is None:
        yield _Line("No governed document changes: there is nothing to approve.")
        return
    for environment in environments(plan):
        yield from _environment(environment, decision, plan.clock)
        yield _Line("")
    yield from _policies(plan, decision)
    yield from _promotions(plan)
    changed = [subject for subject in plan.subjects if subject.fields]
    if changed:
        yield _Line("Changes no answer", "heading")
        for subject in changed[:_GROUPS]:
            yield _Line(f"  {subject.subject}: {'; '.join(subject.fields)}")
        yield from _rest(len(changed) - _GROUPS, "document")
        yield _Line("")
    if plan.obstacles:
        yield _Line("In the way", "danger")
        remedies = {check.reason: check.remedy for check in decision.failed}
        for obstacle in plan.obstacles:
            yield _Line(f"  {obstacle}")
            if remedy := remedies.get(obstacle.partition(": ")[2]):
                yield _Line(f"      → {remedy}")
        yield _Line("")
    yield _Line("An approval would bind", "heading")
    for subject in plan.subjects:
        yield _Line(f"  {subject.verb} {subject.subject}", "dim")
        yield _Line(f"      {subject.before or 'none'} → {subject.after}", "dim")
    if plan.manifest_before is not None:
        yield _Line(f"  manifest {plan.manifest_before} → {plan.manifest_after}", "dim")
    yield _Line(f"  policy   {decision.policy}", "dim")


def _environment(environment: EnvironmentPlan, decision: Decision, clock: datetime) -> Iterator[_Line]:
    name = environment.environment
    entry = decision.environments[name]
    dangerous = environment.production and entry.change_class == "widen"
    yield _Line(f"{name}: {entry.change_class}, {entry.tier}", "danger" if dangerous else "heading")
    groups = alike(environment)
    idle = [flag for group in groups if group.idle for flag in group.names]
    told = [group for group in groups if not group.idle or len(idle) <= _FEW]
    for group in told[:_GROUPS]:
        yield from _flags(group)
    yield from _rest(sum(len(group.flags) for group in told[_GROUPS:]), "flag")
    if len(idle) > _FEW:
        yield _Line(f"  and {counted(len(idle), 'flag')} of which nothing that is served changes")
    every = reasons(environment, entry.why)
    for reason, flags in every[:_SHOWN]:
        yield _Line(f"  because  {f'{listed(flags, _FEW)}: ' if flags else ''}{reason}", hang=9)
    if len(every) > _SHOWN:
        yield _Line(f"  because  of {len(every) - _SHOWN:,} more reasons (--format json)")
    yield from _needed([missing for missing in decision.missing if missing.environment == name])
    yield _Line(f"  in force {when(entry, clock)}", hang=9)
    if environment.replay is not None:
        yield from _replay(environment.replay)


def _flags(group: Alike) -> Iterator[_Line]:
    flag = group.first
    before = flag.before or "not served"
    now = f"; now {'; '.join(flag.changes)}" if flag.changes else "; nothing that is served changes"
    who = flag.flag if len(group.flags) == 1 else counted(len(group.flags), "flag")
    yield _Line(f"  {who}: {before}{'' if flag.rebucketed and not flag.changes else now}")
    if len(group.flags) > 1:
        yield _Line(f"      {listed(group.names, _SHOWN)}", "dim", hang=0)
    for cause in flag.because:
        yield _Line(f"      because {cause}", hang=8)
    for drawn in flag.rebucketed:
        share = "some" if drawn.share is None else f"{float(100 * drawn.share):.3g} %"
        yield _Line(
            f"      REBUCKETED: {drawn.cause}, so {share} of those whom {drawn.rule!r} splits change variant"
            " though no weight asks for it",
            "warning",
        )


def _needed(missing: list[Missing]) -> Iterator[_Line]:
    if not missing:
        yield _Line("  needs    nobody's approval beyond those given")
    for number, entry in enumerate(missing):
        yield _Line(f"  {'needs   ' if number == 0 else '        '} {entry.text()}", hang=9)


def when(entry: EnvironmentDecision, clock: datetime) -> str:
    """Say from when a change is in force, to be read after "in force".

    Args:
        entry: What was decided.
        clock: By which time.
    """
    if entry.toward_safe_now:
        return "at once: it serves nobody anything new but the safe variant"
    if entry.effective_from is None:
        return "never: there is no time at which it may take effect"
    if entry.effective_from <= clock:
        return "at once, if it is approved now"
    return f"from {entry.effective_from:{INSTANT}}, if it is approved by then"


def _policies(plan: Plan, decision: Decision) -> Iterator[_Line]:
    if decision.policy_class is None:
        return
    yield _Line(f"policies: {decision.policy_class}", "danger" if decision.policy_class == "widen" else "heading")
    for ability in plan.authority.abilities:
        yield _Line(f"  {ability.text()}", "warning" if ability.gained else "plain")
    for rule in plan.authority.rules:
        yield _Line(f"  {rule}")
    for why in decision.policy_why:
        yield _Line(f"  because  {why}", hang=9)
    yield from _needed([missing for missing in decision.missing if missing.environment is None])
    yield _Line("  in force at once, when it is accepted")
    yield _Line("")


def _promotions(plan: Plan) -> Iterator[_Line]:
    groups = alike_promotions(plan)
    if not groups:
        return
    yield _Line("Not the same everywhere afterwards", "heading")
    for found, flags in groups[:_SHOWN]:
        behind = found.behind or "not served"
        yield _Line(f"  {listed(flags, _FEW)}: {found.source} serves {found.ahead}; {found.target}: {behind}")
        yield _Line(f"      promoting would be {found.change_class}, {found.tier}: {'; '.join(found.changes)}")
        needs = "; ".join(entry.text() for entry in found.missing) or "nobody's approval"
        yield _Line(f"      it would need {needs}", hang=8)
        for obstacle in found.obstacles:
            yield _Line(f"      in the way: {obstacle}", hang=8)
    yield from _rest(sum(len(flags) for _, flags in groups[_SHOWN:]), "flag")
    if plan.promotions_left:
        yield _Line(f"  {counted(plan.promotions_left, 'more flag')} of the change were not compared")
    yield _Line("")


def not_counted(replay: Replay) -> str:
    """Say that something begins or ends later than what was replayed."""
    first, *more = (f"{datetime.fromtimestamp(it, UTC):{INSTANT}}" for it in replay.later)
    rest = f" and {counted(len(more), 'more instant')}" if more else ""
    return f"Not counted is what begins or ends later: {first}{rest}"


def _replay(replay: Replay) -> Iterator[_Line]:
    at = datetime.fromtimestamp(replay.at, UTC)
    yield _Line(f"  contexts {replay.changed:,} of {replay.total:,} are served something else (as of {at:{INSTANT}})")
    if replay.later:
        yield _Line(f"      {not_counted(replay)}")
    changed = sorted((flag for flag in replay.flags if flag.changed), key=lambda flag: (-flag.changed, flag.flag))
    for flag in changed[:_SHOWN]:
        for moved in flag.by_rule[:_SHOWN]:
            rules = " → ".join(dict.fromkeys(moved.rules))
            yield _Line(
                f"      {moved.count:,} × {flag.flag}: {' → '.join(moved.variants)} (rule: {rules})"
                f"{_examples(moved.examples)}"
            )
        if len(flag.by_rule) > _SHOWN:
            yield _Line(f"      and {len(flag.by_rule) - _SHOWN:,} more ways in {flag.flag}")
    if len(changed) > _SHOWN:
        yield _Line(f"      and {counted(len(changed) - _SHOWN, 'more flag')} in which somebody changes")
    for attribute, groups in replay.groups.items():
        for group in groups[:_SHOWN]:
            yield _Line(f"      {visible(attribute)} {_group(group)}")
        if len(groups) > _SHOWN:
            yield _Line(f"      and {len(groups) - _SHOWN:,} more values of {visible(attribute)}")


def _group(group: Group) -> str:
    several = len({turned.flag for turned in group.turned}) > 1
    ways = ", ".join(
        f"{turned.count:,} × {f'{turned.flag}: ' if several else ''}{' → '.join(turned.variants)}"
        for turned in group.turned[:_FEW]
    )
    more = f" and {len(group.turned) - _FEW:,} more ways" if len(group.turned) > _FEW else ""
    told = f": {group.changed:,} of {group.total:,} ({ways}{more})"
    return f"{visible(group.value)}{told}{_examples(group.examples)}"


def _examples(keys: tuple[str, ...]) -> str:
    return f", for instance {', '.join(map(visible, keys))}" if keys else ""


def _rest(number: int, word: str) -> Iterator[_Line]:
    if number > 0:
        yield _Line(f"  and {counted(number, f'more {word}')} (--format json)")
