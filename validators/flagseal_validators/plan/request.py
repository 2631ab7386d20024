"""What is said in a pull request: what the gate finds, and the plan. One comment, within a forge's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal_validators.plan.markdown import MARKER, as_markdown
from flagseal_validators.plan.markup import code, names, prose
from flagseal_validators.plan.page import Page, units
from flagseal_validators.report import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.finding import Finding
    from flagseal_validators.plan.values import Plan

LIMIT: Final = 64_000
"""UTF-16 units, less than a forge takes: a mark and line ends come on top."""
_ROOM_FOR_FINDINGS: Final = 16_000
_SHOWN: Final = 20
_PLACE: Final = 120


def as_comment(
    findings: Sequence[Finding], plan: Plan | None, *, heading: str = "", guarded: Sequence[str] = ()
) -> str:
    """Write the comment.

    Args:
        findings: What the gate finds in what would land.
        plan: What landing it would do; None where that cannot be told yet.
        heading: What is held against what, in plain words.
        guarded: Paths that change, and decide about approval though they are no documents.
    """
    gate = _guarded(guarded) + _gate(findings, heading if plan is None else "")
    if plan is None:
        return gate
    told = as_markdown(plan, heading=heading, limit=LIMIT - units(gate))
    return f"{told.removeprefix(MARKER).lstrip()}\n{gate}"


def as_conflict(branch: str) -> str:
    """Write the comment of a request that cannot be merged as it is."""
    remedy = "Bring it up to date, and this is made anew."
    return f"## Flagseal: nothing to plan\n\nIt conflicts with {code(branch)}. {remedy}\n"


def as_unreadable(why: str, remedy: str) -> str:
    """Write the comment of a request whose files the gate cannot even be run on.

    Args:
        why: A sentence; names in it may be anybody's.
        remedy: What to do.
    """
    told = f"What would land cannot be looked at. {prose(why)} {prose(remedy)}".strip()
    return (
        f"## Flagseal: nothing to plan\n\n{told}\n\nNobody can approve it as it is: the attestor refuses it as well.\n"
    )


def of_commit(commit: str, text: str) -> str:
    """Put before a comment which commit it speaks of: what would make it anew can be kept from running."""
    old = "If the request's last commit is another one, this comment is old"
    return f"**Of commit {code(commit[:12])}.** {old}: do not go by it.\n\n{text}"


def _guarded(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    needs = "What decides who is asked, and what runs here, needs the approvals of a change of policies, listed or not"
    return f"**Guarded**: {needs}: {names(paths, _SHOWN)}.\n\n"


def _gate(findings: Sequence[Finding], heading: str) -> str:
    errors = [it for it in findings if it.severity == "error"]
    warnings = [it for it in findings if it.severity == "warning"]
    page = Page(_ROOM_FOR_FINDINGS)
    if not findings:
        page.add("**Gate**: nothing to mend in flags and policies.")
        return page.text()
    parts = [counted(len(errors), "error")] * bool(errors) + [counted(len(warnings), "warning")] * bool(warnings)
    page.add(f"## Flagseal: the gate finds {' and '.join(parts)}", heading)
    rows: list[tuple[str, ...]] = [
        (
            code(":".join(str(part) for part in (it.file, it.line) if part), longest=_PLACE),
            f"{it.rule} {it.severity}",
            prose(it.message) + (f" → {prose(it.remedy)}" if it.remedy else ""),
        )
        for it in (*errors, *warnings)
    ]
    page.table("", ("where", "rule", "what"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        page.add(f"… and {counted(len(rows) - _SHOWN, 'more finding')}: `flagseal validate` shows them all.")
    if errors:
        page.add("Nobody can approve it as it is: the attestor runs the gate again on what lands.")
    return page.text()
