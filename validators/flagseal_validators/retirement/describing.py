"""What a pull request or an issue about a flag says; whatever comes from a document or a tree is neutralised in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal_validators.forge.desk import Mark, Writing
from flagseal_validators.plan.markup import code, prose
from flagseal_validators.retirement.people import mentions
from flagseal_validators.retirement.requiring import what_requires
from flagseal_validators.retirement.stepping import RETIRED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal_validators.forge.desk import Thread
    from flagseal_validators.retirement.references import Reference
    from flagseal_validators.retirement.stepping import Due, Serving

KIND: Final = "retire"
LABEL: Final = "flagseal-retire"
OVERDUE: Final = "flagseal-overdue"
BRANCHES: Final = "flagseal/retire/"
MOST_REFERENCES: Final = 50
QUESTIONS: Final = (
    "What failed in testing?",
    "What surprised in production?",
    "What becomes the standard?",
)
_IS_PULL: Final = frozenset({"move", "retire", "delete"})


def is_pull(due: Due) -> bool:
    """Tell whether what is due is a change, and so a pull request; otherwise an issue asks for it."""
    return due.step in {"propose", "escalate"} and due.act in _IS_PULL


def branch_of(due: Due) -> str:
    """Name the one branch of a flag."""
    return f"{BRANCHES}{due.reference}"


def mark_of(due: Due) -> Mark:
    """Give what is remembered at the git host: for which step, act and date something was written."""
    facts = {"step": due.step, "act": due.act, "notice": str(due.notice)} | ({"to": due.to} if due.to else {})
    return Mark.of(KIND, due.reference, facts | ({"date": due.day.isoformat()} if due.day else {}))


def writing_of(due: Due, owners: tuple[str, ...], others: tuple[str, ...]) -> Writing:
    """Write the pull request or the issue of what is due.

    Args:
        due: What. Only dates are written of it, so that the text stays as it is from day to day.
        owners: Logins to tell.
        others: Logins to tell as well once the date is past.
    """
    told = (*owners, *(others if due.step == "escalate" else ()))
    labels = (LABEL, *((OVERDUE,) if due.step == "escalate" else ()))
    body = "\n\n".join(filter(None, _sections(due, told)))
    return Writing(mark_of(due), title(due), body, labels)


def withdrawn(thread: Thread) -> Writing:
    """Write what stays of a text whose request or issue we close ourselves.

    Its mark is none that anything is due by. So nobody takes it for a person's closing, which says no.
    """
    mark = thread.mark
    if mark is None:
        raise ValueError(f"{thread.url} is none of ours")
    facts = dict(mark.facts) | {"withdrawn": "yes"}
    return Writing(Mark.of(mark.kind, mark.key, facts), thread.title, thread.content)


def escalation(due: Due, others: tuple[str, ...]) -> Writing:
    """Write the one comment that tells others."""
    mark = Mark.of(KIND, due.reference, {"step": due.step, **({"date": due.day.isoformat()} if due.day else {})})
    body = f"{mentions(others)} Nothing happened for two weeks after {due.day}. {_what(due)}"
    return Writing(mark, "", body.strip())


def title(due: Due) -> str:
    """Name what is due in one line."""
    name = due.reference
    if due.act == "review":
        return f"Review {name} by {due.day}"
    if due.step == "warn":
        return f"{name} expires on {due.day}"
    if due.act == "stuck" and due.to is not None:
        return f"Retire {name} by hand" if due.to == RETIRED else f"Move {name} to {due.to} by hand"
    match due.act:
        case "delete":
            return f"Delete {name}, which is retired"
        case "retire":
            return f"Retire {name}"
        case "move":
            return f"Move {name} to {due.to}, on its way out"
        case "wait":
            return f"{name} is retired, and cannot be deleted yet"
        case _:
            return f"{name} expired on {due.day}"


def _what(due: Due) -> str:
    """Say in one sentence what is asked for."""
    match due.act:
        case "review":
            return (
                "An entitlement is not retired by a date: look at whom it is granted to, then write the day and your "
                "name into `review`."
            )
        case "delete":
            return (
                "It is retired, no code that was searched asks for it, and nothing refers to it. This removes its file."
            )
        case "retire":
            return "Merging this retires it. Its file stays until code no longer asks for it."
        case "move":
            return f"The policies let it retire step by step. Merging this moves it to {code(due.to or '')}."
        case "wait":
            return "It is retired, and these things stand in the way of removing it."
        case "stuck":
            return f"Nothing can be proposed: {'; '.join(prose(it) for it in due.obstacles)}. {_by_hand(due)}".strip()
        case _:
            return ""


def _by_hand(due: Due) -> str:
    """Say what a person must do where a program cannot."""
    if due.to is None:
        return ""
    off = ", ".join(code(name) for name in due.switched_off)
    switch = f', and `"off": true` into {off}, where people are served differently' if off else ""
    return (
        f"Write `lifecycle: {due.to}` into {code(due.subject.path)}{switch}. Or let `flagseal fmt` put its keys on "
        "lines of their own: then a pull request follows by itself."
    )


def _sections(due: Due, told: tuple[str, ...]) -> Iterator[str]:
    subject = due.subject
    asked = _what(due) if due.step != "warn" or due.act == "review" else ""
    yield f"{code(due.reference)} {_when(due)}. {asked}".strip()
    if told:
        yield mentions(told)
    yield prose(subject.flag.description)
    yield _facts(due)
    yield "### What it serves now\n\n" + _serving(subject.serving)
    if is_pull(due):
        yield "### What this does\n\n" + "\n".join(f"- {line}" for line in effects(due))
    elif due.act == "wait":
        yield "### In the way\n\n" + "\n".join(f"- {prose(line)}" for line in due.obstacles)
    if subject.required_by and due.act not in {"delete", "wait", "review"}:
        yield "### What requires it\n\n" + "\n".join(f"- {line}" for line in what_requires(due))
    yield _references(subject.references, subject.flag.key)
    if subject.flag.purpose == "auth-protocol" and due.step != "warn":
        yield "### Before it goes\n\n" + "\n\n".join(f"**{question}**\n\n…" for question in QUESTIONS)
    if is_pull(due):
        yield (
            "---\nOne branch and one request a flag: this text and the branch are kept up to date. Commit to the "
            "branch, and it is yours: nothing is written over it. Close this, and it stays closed until the date or "
            "the step changes."
        )


def _when(due: Due) -> str:
    verb = "is due for review on" if due.act == "review" else "expires on"
    if due.left is not None and due.left <= 0:
        verb = "was due for review on" if due.act == "review" else "expired on"
    return f"is {RETIRED}" if due.subject.flag.lifecycle == RETIRED else f"{verb} {due.day}"


def _facts(due: Due) -> str:
    flag, age = due.subject.flag, due.subject.age
    rows = [("owner", code(flag.owner)), ("purpose", flag.purpose), ("lifecycle", flag.lifecycle)]
    if age is not None:
        rows.append(("first commit", f"{age.first.date()} ({age.first_commit[:12]})"))
        rows.append(("last change", f"{age.last.date()} ({age.last_commit[:12]})"))
    if flag.retire_when:
        rows.append(("retire when", prose(flag.retire_when)))
    if flag.ticket:
        rows.append(("ticket", code(flag.ticket)))
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _serving(serving: Iterable[Serving]) -> str:
    rows = ["| environment | serves | always the same |", "| --- | --- | --- |"]
    for entry in serving:
        constant = "no" if entry.constant is None else "yes"
        source = "" if entry.published else " *(by the branch)*"
        rows.append(f"| {code(entry.environment)}{source} | {_served(entry)} | {constant} |")
    return "\n".join(rows)


def _served(entry: Serving) -> str:
    if entry.constant is not None:
        return f"{code(entry.constant)} ({code(entry.value(entry.constant), longest=80)}) to everybody"
    rules = f"{entry.rules} rule{'s' * (entry.rules != 1)}, then " if entry.rules else ""
    return f"{rules}{code(entry.default)} ({code(entry.value(entry.default), longest=80)})"


def effects(due: Due) -> Iterator[str]:
    """Say in sentences what merging does, Markdown."""
    flag = due.subject.flag
    safe = code(flag.safe_variant)
    if due.act == "delete":
        yield f"The file {code(due.subject.path)} is removed."
        yield (
            f"Whoever still asks for {code(flag.key)} is told that there is no such flag, and gets the default written "
            "in their own code."
        )
        for entry in due.subject.serving:
            if entry.constant is not None:
                yield (
                    f"{code(entry.environment)} has served {code(entry.constant)} "
                    f"({code(entry.value(entry.constant), longest=80)}) to everybody."
                )
        if due.subject.only_segments:
            names = ", ".join(code(name) for name in due.subject.only_segments)
            yield f"Nothing else uses {names}. It stays, and can be removed by hand."
        return
    if due.to != flag.lifecycle:
        yield f"`lifecycle` goes from {code(flag.lifecycle)} to {code(due.to or '')}."
    for entry in due.subject.serving:
        if due.act != "retire":
            yield f"{code(entry.environment)} goes on serving what it serves."
        elif entry.constant is not None:
            yield f"{code(entry.environment)} goes on serving {code(entry.constant)} to everybody."
        else:
            yield (
                f"{code(entry.environment)} **changes**: everybody is served the safe variant {safe} "
                f"({code(entry.value(flag.safe_variant), longest=80)}). If another variant has proved itself, write it "
                "on this branch instead."
            )


def _references(found: tuple[Reference, ...] | None, key: str) -> str:
    head = f"### In code\n\nAs {code(key)}: "
    if found is None:
        return head + "no source tree was searched."
    if not found:
        return head + "no reference was found in the trees that were searched."
    lines = [f"- {_place(it)} ({it.how})" for it in found[:MOST_REFERENCES]]
    if len(found) > MOST_REFERENCES:
        lines.append(f"- and {len(found) - MOST_REFERENCES:,} more")
    return head + f"{len(found):,} reference{'s' * (len(found) != 1)}.\n\n" + "\n".join(lines)


def _place(found: Reference) -> str:
    return f"[{code(found.place)}]({found.link})" if found.link else code(found.place)
