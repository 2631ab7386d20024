"""What is due and what became of it, for a terminal and for programs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible
from flagseal_validators.retirement.describing import branch_of, is_pull, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from flagseal.model.canonical import Json
    from flagseal_validators.retirement.bot import Outcome
    from flagseal_validators.retirement.branches import Edit
    from flagseal_validators.retirement.stepping import Due, Step

_HEADS: Final[dict[Step, str]] = {
    "escalate": "Overdue: others are told as well",
    "propose": "Due",
    "warn": "Soon",
    "none": "",
}
_MOST_PLACES: Final = 5


def as_text(
    found: Iterable[Due],
    today: date,
    outcomes: Sequence[Outcome] | None,
    edits: Mapping[str, Edit] | None,
    contents: Mapping[str, bytes],
) -> str:
    """Write what is due for a terminal.

    Args:
        found: Of every flag.
        today: UTC.
        outcomes: What became of it; None if nothing was done.
        edits: The changes to show; None to show none.
        contents: What the files of the edits hold.
    """
    told = {outcome.flag: outcome for outcome in outcomes or () if outcome.done != "closed"}
    every = sorted((due for due in found if due.step != "none"), key=lambda due: due.urgency)
    lines: list[str] = [] if every else ["Nothing is due."]
    last = ""
    for due in every:
        if _HEADS[due.step] != last:
            last = _HEADS[due.step]
            lines += ([""] if lines else []) + [last]
        lines.append(f"  {due.reference}: {_dated(due, today)}; {_act(due)}")
        lines += [f"    {line}" for line in _more(due, told.get(due.reference))]
        if edits is not None and due.reference in edits:
            lines += [f"    {line}" for line in _diff(edits[due.reference], contents)]
    gone = [outcome for outcome in outcomes or () if outcome.done == "closed"]
    if gone:
        lines += ["", "Closed", *(f"  {it.flag}: {it.why} {it.url}".rstrip() for it in gone)]
    return "\n".join(map(visible, lines)) + "\n"


def as_json(found: Iterable[Due], today: date, outcomes: Sequence[Outcome] | None) -> dict[str, Json]:
    """Write what is due for a program (``validators/schemas/output/retire.json``)."""
    told = {outcome.flag: outcome for outcome in outcomes or () if outcome.done != "closed"}
    every = sorted((due for due in found if due.step != "none"), key=lambda due: due.urgency)
    flags: list[Json] = [_entry(due, told.get(due.reference)) for due in every]
    closed: list[Json] = [*dict.fromkeys(it.flag for it in outcomes or () if it.done == "closed")]
    return {"today": today.isoformat(), "flags": flags, "closed": closed}


def _entry(due: Due, outcome: Outcome | None) -> dict[str, Json]:
    references = due.subject.references
    return {
        "flag": due.reference,
        "owner": due.subject.flag.owner,
        "step": due.step,
        "act": due.act,
        "lifecycle": due.subject.flag.lifecycle,
        "to": due.to,
        "date": due.day.isoformat() if due.day else None,
        "daysLeft": due.left,
        "title": title(due),
        "branch": branch_of(due) if is_pull(due) else None,
        "constant": {it.environment: it.constant for it in due.subject.serving},
        "obstacles": [*due.obstacles],
        "references": None if references is None else [it.place for it in references],
        "done": outcome.done if outcome else None,
        "why": outcome.why if outcome else "",
        "url": outcome.url if outcome else "",
    }


def _dated(due: Due, today: date) -> str:
    del today
    if due.day is None or due.left is None:
        return "has no date"
    what = "review" if due.subject.flag.purpose == "entitlement" else "expiry"
    days = f"{abs(due.left)} day{'s' * (abs(due.left) != 1)}"
    when = "today" if due.left == 0 else f"in {days}" if due.left > 0 else f"{days} ago"
    return f"{what} {due.day} ({when})"


def _act(due: Due) -> str:
    if due.act == "review":
        return "to be reviewed"
    if due.step == "warn":
        return "its owner is warned"
    match due.act:
        case "delete":
            return "to be deleted"
        case "retire":
            return "to be retired"
        case "move":
            return f"to move from {due.subject.flag.lifecycle} to {due.to}"
        case "wait":
            return "retired, and not to be deleted yet"
        case _:
            return "nothing can be proposed"


def _more(due: Due, outcome: Outcome | None) -> Iterator[str]:
    flag, subject = due.subject.flag, due.subject
    yield f"owner {flag.owner}; {_served(due)}"
    yield from (f"in the way: {line}" for line in due.obstacles)
    if due.act in {"move", "retire", "stuck"}:
        yield from (f"required by {it.flag} in {it.environment}" for it in subject.required_by)
    for it in (subject.references or ())[:_MOST_PLACES]:
        yield f"in code: {it.place} ({it.how})"
    if subject.references and len(subject.references) > _MOST_PLACES:
        yield f"in code: {len(subject.references) - _MOST_PLACES} more"
    if subject.only_segments and due.act == "delete":
        yield f"nothing else uses segment {', '.join(subject.only_segments)}; it stays"
    if outcome is not None:
        yield " ".join(filter(None, (f"→ {outcome.done}", f"({outcome.why})" * bool(outcome.why), outcome.url)))
    elif is_pull(due):
        yield f"pull request from {branch_of(due)}: {title(due)}"
    else:
        yield f"issue: {title(due)}"


def _served(due: Due) -> str:
    said = [
        f"{it.environment} serves {it.constant} to everybody"
        if it.constant is not None
        else f"{it.environment} serves by {it.rules} rule{'s' * (it.rules != 1)}"
        for it in due.subject.serving
    ]
    return ", ".join(said) or "served nowhere"


def _diff(edit: Edit, contents: Mapping[str, bytes]) -> Iterator[str]:
    if edit.content is None:
        yield f"- {edit.path}"
        return
    before = contents[edit.flag].decode("utf-8", "replace").splitlines()
    after = edit.content.decode("utf-8", "replace").splitlines()
    for line in difflib.unified_diff(before, after, lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield line
