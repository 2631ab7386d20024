"""What the rules are about: pages for the terminal, and ``docs/rules``: ``python -m flagseal_validators.rule_pages``.

``docs/rules/FSxxx.md`` for each rule, and ``README.md`` that lists them, made from :mod:`flagseal_validators.rules`.
With ``--check``, write nothing and exit 1 if a file differs from its source.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import UsageError
from flagseal.model.problem import did_you_mean
from flagseal_validators.generated import GeneratedFiles
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flagseal_validators.rule import Example, Read, Rule

FOLDER: Final = Path(__file__).parents[2] / "docs" / "rules"

FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "FS1": ("Form", "What a file must be before anything can be read from it, and where it lies."),
    "FS2": ("Ownership and life", "Whose a flag is, how long it lives, and what excuses it."),
    "FS3": ("Meaning", "What a flag does, found by reasoning over everything it could be asked."),
    "FS4": ("Entitlements", "What customers may do, and the agreements that say so."),
    "FS5": ("Authentication", "Flags that choose how a workload proves who it is."),
    "FS6": ("The repository and its policies", "Who owns which path, and whether the policies can be obeyed."),
    "FS7": ("Reviews", "Whether what is said of an emergency afterwards is said of it, by somebody, and in full."),
}
"""Title and purpose of the rules whose ids begin alike."""

_READS: Final[Mapping[Read, str]] = {
    "day": "the day of the check",
    "policies": "the policies",
    "segments": "the segments of its namespace",
    "required": "the flags it requires",
    "granted": "the flags it grants",
    "grants": "the grants of the flag",
    "before": "what it was before the change",
    "history": "the day on which its file came to the branch (with `--base`)",
}

_ABOUT: Final = """\
# The rules of the gate

`flagseal validate` holds every rule against the repository, and names file, line, column and remedy of each finding.
An error fails the check, a warning does not. What only time brings about (an expiry that has passed) is an error on
files that the change touches, and a warning on all others.

A document is excused from a rule that can be suppressed by
`spec.ignore: [{rule: FS305, reason: staging has no such customers, until: "2026-12-31"}]`: with a reason, up to a day,
and approved like all else."""

_WIDTH: Final = 100
_SUPPRESSIBLE: Final = ("It cannot be suppressed.", "It can be suppressed by `spec.ignore`.")


def rule(rule_id: str) -> Rule:
    """Find a rule.

    Raises:
        UsageError: There is no such rule.
    """
    found = RULES.get(rule_id)
    if found is None:
        raise UsageError(
            f"there is no rule {ascii(rule_id)[1:-1]}",
            code="NoSuchRule",
            remedy=did_you_mean(rule_id, RULES) or "`flagseal rule` lists them.",
        )
    return found


def as_text(found: Rule) -> str:
    """Write a rule's page for a terminal."""
    parts = [
        f"{found.id} {found.title} ({found.severity})",
        textwrap.fill(found.why, _WIDTH),
        textwrap.fill(f"{found.remedy} {_SUPPRESSIBLE[found.suppressible]}", _WIDTH),
        *(
            f"{title}\n\n{textwrap.indent(text.rstrip(), '    ')}"
            for title, example in (("Found:", found.bad), ("Accepted:", found.good))
            for text in ["\n".join(_files(example))]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def listing() -> str:
    """List all rules for a terminal, a line each."""
    lines: list[str] = []
    for family, (title, _) in FAMILIES.items():
        lines += ["", title]
        lines += [f"  {it.id}  {it.severity:<8} {it.title}" for it in RULES.values() if it.id.startswith(family)]
    return "\n".join(lines[1:]) + "\n"


def generated() -> Mapping[str, str]:
    """Give every file of ``docs/rules`` by name, as it must be."""
    return {"README.md": _catalogue(), **{f"{it.id}.md": _page(it) for it in RULES.values()}}


def _page(found: Rule) -> str:
    reads = [_READS[it] for it in found.reads]
    looks = {
        "document": "the document alone",
        "references": "the document",
        "repository": "every file",
    }[found.scope]
    parts = [
        f"# {found.id}: {found.title}",
        f"{'An error' if found.severity == 'error' else 'A warning'}. {_SUPPRESSIBLE[found.suppressible]}",
        found.why,
        f"**What to do.** {found.remedy}",
        f"**What it looks at.** {_listed([looks, *reads]).capitalize()}.",
        "## Found",
        _blocks(found.bad),
        "## Accepted",
        _blocks(found.good),
        f"All rules are in the [catalogue](README.md); `flagseal rule {found.id}` prints this page.",
    ]
    return "\n\n".join(parts) + "\n"


def _catalogue() -> str:
    parts = [_ABOUT]
    for family, (title, purpose) in FAMILIES.items():
        rows = [it for it in RULES.values() if it.id.startswith(family)]
        if rows:
            table = ["| rule | severity | suppressible | finds |", "| --- | --- | --- | --- |"]
            table += [
                f"| [{it.id}]({it.id}.md) | {it.severity} | {'yes' if it.suppressible else 'no'} | {it.title} |"
                for it in rows
            ]
            parts += [f"## {family}xx: {title.lower()}", purpose, "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _blocks(example: Example) -> str:
    return "\n\n".join(f"```yaml\n{text.rstrip()}\n```" for text in _files(example))


def _files(example: Example) -> Iterator[str]:
    """Give each file of an example as text, those besides the first with their names."""
    text = example.shown or (example.text if isinstance(example.text, str) else example.text.decode("latin-1"))
    if example.before:
        yield f"# before the change\n{example.before.rstrip()}\n"
        text = f"# after it\n{text}"
    yield text.rstrip("\n") + "\n"
    for name, other in example.others.items():
        yield f"# {name}\n{other.rstrip()}\n"


def main(arguments: Sequence[str]) -> int:
    """Write or check the files; give the exit code."""
    return files().run(arguments)


def files(folder: Path = FOLDER) -> GeneratedFiles:
    """Give the files where they lie."""
    return GeneratedFiles(folder, ".md", generated(), "python -m flagseal_validators.rule_pages")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
