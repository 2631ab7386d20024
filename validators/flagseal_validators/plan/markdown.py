"""A plan as Markdown for a comment on a pull request: a table first, the dangerous first, the rest folded away.

Written for GitHub's dialect, within its limit. What does not fit is left out and counted, the harmless first; the text
and JSON forms hold everything. Everything that a repository says goes through
:mod:`~flagseal_validators.plan.markup`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.model.flag import RISK_TIERS
from flagseal.model.policies import CHANGE_CLASSES
from flagseal_validators.plan.markup import code, names, prose
from flagseal_validators.plan.ordering import alike, alike_promotions, counted, environments, reasons
from flagseal_validators.plan.page import Page, row
from flagseal_validators.plan.text import INSTANT, not_counted, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.policy.decision import Decision, Missing
    from flagseal_validators.plan.ordering import Alike
    from flagseal_validators.plan.replay import FlagReplay, Group, Replay
    from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan, Promotion

LIMIT: Final = 65_536
"""What GitHub takes for a comment, in UTF-16 units."""

MARKER: Final = "<!-- flagseal plan -->"
"""First line: by it a workflow finds its own comment again."""

_TOLD: Final = 12
"""Rows of changes that are not folded away."""
_ROWS: Final = 20
_FEW: Final = 3
_NAMES: Final = 8
_NEEDED: Final = 6
_ROW_LIMIT: Final = 1_200


def as_markdown(plan: Plan, *, heading: str = "", limit: int = LIMIT) -> str:
    """Render a plan.

    Args:
        plan: The plan.
        heading: What is held against what, in plain words; a line below the title.
        limit: UTF-16 units that the result may have.
    """
    page = Page(limit)
    page.add(MARKER, f"## Flagseal plan: {_title(plan)}", *([heading] if heading else []))
    if plan.decision is None:
        page.add("No governed document changes: there is nothing to approve.")
        return page.text()
    page.add(_overview(plan))
    page.add(*_in_the_way(plan))
    page.add(*_policies(plan))
    rows = [(entry, group) for entry in environments(plan) for group in alike(entry)]
    rows.sort(key=lambda it: _danger(*it))
    told = [it for it in rows if not it[1].idle]
    idle = [it for it in rows if it[1].idle]
    quiet = {name for _, group in idle for name in group.names}
    page.table("### What changes", _CHANGES, [_change(*it) for it in told[:_TOLD]], len(told[_TOLD:]))
    page.add(*_contexts(plan))
    page.folded("What changes, continued", _CHANGES, [_change(*it) for it in told[_TOLD:]], "row")
    page.folded(
        f"Where nothing that is served changes: {counted(len(quiet), 'flag')}",
        _CHANGES,
        [_change(*it) for it in idle],
        "row",
    )
    page.folded(
        f"Not the same in every environment afterwards: {counted(len({it.flag for it in plan.promotions}), 'flag')}",
        ("flag", "serves", "promoting would change", "and need"),
        [_promotion(found, flags) for found, flags in alike_promotions(plan)],
        "promotion",
    )
    if plan.promotions_left:
        page.add(f"{counted(plan.promotions_left, 'more flag')} of the change were not compared between environments.")
    page.folded(
        "Why the classes are what they are",
        ("environment", "because", "flags"),
        [*_reasons(plan, plan.decision)],
        "reason",
    )
    page.folded(
        "What is written otherwise, and changes no answer",
        ("document", "fields"),
        [(code(it.subject), "<br>".join(map(prose, it.fields))) for it in plan.subjects if it.fields],
        "document",
    )
    page.folded(
        f"What an approval would bind: {counted(len(plan.subjects), 'document')}",
        ("", "document", "before", "after"),
        [(it.verb, code(it.subject), _digest(it.before), _digest(it.after)) for it in plan.subjects],
        "document",
    )
    if plan.manifest_after is not None:
        page.add(f"Manifest {_digest(plan.manifest_before)} → {_digest(plan.manifest_after)}")
    return page.text()


# The first thing read


def _title(plan: Plan) -> str:
    if plan.decision is None:
        return "nothing changes"
    decided = plan.decision.environments.values()
    parts = [counted(len({flag for entry in decided for flag in entry.flags}), "flag")] if decided else []
    if plan.decision.policy_class is not None:
        parts.append("policies")
    classes = [entry.change_class for entry in decided]
    classes += [plan.decision.policy_class] if plan.decision.policy_class is not None else []
    told = max(classes, key=CHANGE_CLASSES.index, default="metadata")
    tiers = [entry.tier for entry in decided]
    tier = f", {max(tiers, key=RISK_TIERS.index)}" if tiers else ""
    return f"{' and '.join(parts)}, {told}{tier}"


def _overview(plan: Plan) -> str:
    decision = plan.decision
    assert decision is not None  # noqa: S101 (asked before; for mypy)
    rows = [row(("where", "class", "tier", "flags", "needs", "in force")), row(("---",) * 6)]
    for environment in environments(plan)[:_ROWS]:
        entry = decision.environments[environment.environment]
        needed = [missing for missing in decision.missing if missing.environment == environment.environment]
        rows.append(
            row(
                (
                    f"{_sign(environment.production, entry.change_class)} {code(environment.environment)}",
                    f"**{entry.change_class}**",
                    entry.tier,
                    f"{len(entry.flags):,}",
                    _needs(needed),
                    prose(when(entry, plan.clock)),
                )
            )
        )
    if decision.policy_class is not None:
        needed = [missing for missing in decision.missing if missing.environment is None]
        sign = _sign(True, decision.policy_class)  # noqa: FBT003 (policies hold everywhere)
        rows.append(row((f"{sign} policies", f"**{decision.policy_class}**", "", "", _needs(needed), "at once")))
    return "\n".join(rows)


def _sign(production: bool, change_class: str) -> str:  # noqa: FBT001 (one of two facts)
    if change_class == "widen":
        return "🔴" if production else "🟡"
    return "🟢" if change_class == "toward-safe" else "⚪"


def _needs(missing: list[Missing]) -> str:
    lines = list(dict.fromkeys(_needed(entry, missing) for entry in missing))
    told = [prose(line, longest=200) for line in lines[:_NEEDED]]
    if len(lines) > _NEEDED:
        told.append(f"and {len(lines) - _NEEDED} more")
    return "<br>".join(told) or "nobody’s approval"


def _needed(entry: Missing, missing: list[Missing]) -> str:
    """Say who is missing; once where the same people are asked for both proofs."""
    if entry.evidence is None or {replace(entry, evidence="forge"), replace(entry, evidence="keys")} - set(missing):
        return entry.text()
    role, _, who = replace(entry, evidence=None).text().partition(": ")
    return f"{role}, in the forge and by their own key: {who}"


def _in_the_way(plan: Plan) -> Iterator[str]:
    if not plan.obstacles:
        return
    remedies = {check.reason: check.remedy for check in plan.decision.failed} if plan.decision is not None else {}
    lines = ["### ⛔ In the way", ""]
    for obstacle in plan.obstacles[:_ROWS]:
        remedy = remedies.get(obstacle.partition(": ")[2], "")
        lines.append(f"- {prose(obstacle)}" + (f" → {prose(remedy)}" if remedy else ""))
    if len(plan.obstacles) > _ROWS:
        lines.append(f"- and {len(plan.obstacles) - _ROWS:,} more")
    yield "\n".join(lines)


# Policies


def _policies(plan: Plan) -> Iterator[str]:
    decision = plan.decision
    if decision is None or decision.policy_class is None:
        return
    lines = ["### What the change of policies lets whom do", ""]
    abilities = plan.authority.abilities
    lines += [
        f"- {'⚠️ ' if ability.gained else ''}{prose(ability.text(), longest=800)}" for ability in abilities[:_ROWS]
    ]
    if len(abilities) > _ROWS:
        lines.append(f"- and {len(abilities) - _ROWS:,} more of this kind")
    lines += [f"- {prose(rule)}" for rule in plan.authority.rules[:_ROWS]]
    if len(plan.authority.rules) > _ROWS:
        lines.append(f"- and {len(plan.authority.rules) - _ROWS:,} more rules")
    yield "\n".join(lines)


def _reasons(plan: Plan, decision: Decision) -> Iterator[tuple[str, ...]]:
    for entry in environments(plan):
        for reason, flags in reasons(entry, decision.environments[entry.environment].why):
            yield code(entry.environment), prose(reason), names(flags, _NAMES)
    for why in decision.policy_why:
        yield "policies", prose(why), ""


# Flags

_CHANGES: Final = ("", "flag", "where", "what changes")


def _danger(environment: EnvironmentPlan, group: Alike) -> tuple[int, int, int, int, int, str, str]:
    flag = group.first
    return (
        -int(environment.production),
        -CHANGE_CLASSES.index(flag.change_class),
        -RISK_TIERS.index(flag.tier),
        -len(flag.rebucketed),
        -(group.contexts or 0),
        environment.environment,
        flag.flag,
    )


def _change(environment: EnvironmentPlan, group: Alike) -> tuple[str, ...]:
    flag = group.first
    who = code(flag.flag)
    if len(group.flags) > 1:
        who = f"{counted(len(group.flags), 'flag')}: {names(group.names, _NAMES)}"
    sign = _sign(environment.production, flag.change_class)
    return (
        sign,
        f"{who}<br>{flag.change_class}, {flag.tier}",
        code(environment.environment),
        _joined(list(_said(flag))),
    )


def _said(flag: FlagEffect) -> Iterator[str]:
    before = prose(flag.before or "not served")
    if flag.changes:
        told = "; ".join(prose(change) for change in flag.changes[:_ROWS])
        more = f"; and {len(flag.changes) - _ROWS} more" if len(flag.changes) > _ROWS else ""
        yield f"{before} → **now** {told}{more}"
    elif flag.rebucketed:
        yield before
    else:
        why = "; ".join(prose(reason) for reason in flag.why[:_FEW])
        yield f"{before}; nothing that is served changes{f': {why}' if why else ''}"
    for cause in flag.because[:_FEW]:
        yield f"because {prose(cause)}"
    for drawn in flag.rebucketed:
        share = "some" if drawn.share is None else f"{float(100 * drawn.share):.3g} %"
        yield (
            f"🔀 **rebucketed**: {prose(drawn.cause)}, so {share} of those whom {code(drawn.rule)} splits change "
            "variant though no weight asks for it"
        )


def _joined(parts: list[str]) -> str:
    """Join what is said in a cell, as far as a cell should hold."""
    kept: list[str] = []
    room = _ROW_LIMIT
    for part in parts:
        room -= len(part)
        if kept and room < 0:
            kept.append("…")
            break
        kept.append(part)
    return "<br>".join(kept)


def _promotion(found: Promotion, flags: tuple[str, ...]) -> tuple[str, ...]:
    needs = [_needs(list(found.missing)), *(f"⛔ {prose(it)}" for it in found.obstacles[:_FEW])]
    return (
        names(flags, _NAMES),
        f"{code(found.source)}: {prose(found.ahead)}<br>{code(found.target)}: {prose(found.behind or 'not served')}",
        f"{'; '.join(prose(change) for change in found.changes[:_FEW])} ({found.change_class}, {found.tier})",
        "<br>".join(needs),
    )


# Recorded contexts


def _contexts(plan: Plan) -> Iterator[str]:
    for environment in environments(plan):
        if environment.replay is not None:
            yield from _replay(environment.environment, environment.replay)


def _replay(environment: str, replay: Replay) -> Iterator[str]:
    at = datetime.fromtimestamp(replay.at, UTC)
    said = f"{replay.changed:,} of {replay.total:,} recorded contexts are served something else"
    later = f" ⏳ {not_counted(replay)}." if replay.later else ""
    yield f"### Who changes in {code(environment)}\n\n{said} (as of {at:{INSTANT}}).{later}"
    changed = sorted((flag for flag in replay.flags if flag.changed), key=lambda flag: (-flag.changed, flag.flag))
    rows = [move for flag in changed for move in _moves(flag)]
    if rows:
        header = [row(("contexts", "flag", "from → to", "rule", "for instance")), row(("---",) * 5)]
        yield "\n".join([*header, *rows[:_TOLD]])
        if len(rows) > _TOLD:
            yield f"… and {counted(len(rows) - _TOLD, 'more way')} (`--format json`)."
    for attribute, groups in replay.groups.items():
        if groups:
            header = [row((code(attribute), "change", "of", "from → to", "for instance")), row(("---",) * 5)]
            yield "\n".join([*header, *(_group(group) for group in groups[:_TOLD])])
            if len(groups) > _TOLD:
                yield f"… and {counted(len(groups) - _TOLD, 'more value')} (`--format json`)."


def _moves(flag: FlagReplay) -> Iterator[str]:
    for moved in flag.by_rule[:_FEW]:
        yield row(
            (
                f"{moved.count:,}",
                code(flag.flag),
                " → ".join(map(code, moved.variants)),
                " → ".join(map(code, dict.fromkeys(moved.rules))),
                names(moved.examples, len(moved.examples)),
            )
        )


def _group(group: Group) -> str:
    several = len({turned.flag for turned in group.turned}) > 1
    ways = [
        f"{turned.count:,} × {f'{code(turned.flag)}: ' if several else ''}{' → '.join(map(code, turned.variants))}"
        for turned in group.turned[:_FEW]
    ]
    if len(group.turned) > _FEW:
        ways.append(f"and {len(group.turned) - _FEW:,} more")
    return row(
        (
            code(group.value, longest=80),
            f"{group.changed:,}",
            f"{group.total:,}",
            "<br>".join(ways),
            names(group.examples, len(group.examples)),
        )
    )


def _digest(digest: str | None) -> str:
    return code(f"{digest[:19]}…") if digest is not None else "none"
