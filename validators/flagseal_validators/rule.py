"""What a rule of the gate is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flagseal.model.document import Document
    from flagseal.model.finding import Severity
    from flagseal_validators.declared import Declared


class Complaint(msgspec.Struct, frozen=True):
    """Say what a rule finds in a document.

    Attributes:
        path: JSONPath of the place.
        remedy: What to do here; empty for the rule's own remedy.
        by_time: Whether only time brought it about: then it is an error only on files that the change touches.
    """

    document: Document
    path: str
    message: str
    remedy: str = ""
    by_time: bool = False


class Example(msgspec.Struct, frozen=True):
    """Show a rule at work; the tests run it.

    Attributes:
        text: Fields of ``spec``, which replace those of a valid file; or a whole file, from ``apiVersion`` on; or where
            a link leads.
        file: The file it stands in.
        others: More files of the same form.
        before: The text before the change, of the same form; empty where no change is looked at.
        without: Fields of the valid file that are left out.
        shown: What the rule's page shows in place of the text, where that is too long or no text.
        link: Whether the file is a symbolic link instead.
    """

    text: str | bytes
    file: str = "flags/payments/new-checkout.yaml"
    others: Mapping[str, str] = msgspec.field(default_factory=dict)
    before: str = ""
    without: tuple[str, ...] = ()
    shown: str = ""
    link: bool = False


Check: TypeAlias = "Callable[[Declared], Iterable[Complaint]]"
"""What finds complaints about the subjects, and about nothing else."""

Scope: TypeAlias = Literal["document", "references", "repository"]
"""What decides whether a rule complains about a document: that document alone; it and what it refers to, which the rule
names; or any file there is. (What a remedy suggests, as in "did you mean", may come from anywhere.)"""

Read: TypeAlias = Literal["day", "policies", "segments", "required", "granted", "grants", "before", "history"]
"""What else decides. ``day`` is the day of the check, and needs no document: a rule of scope ``document`` may read it.
The others are documents: ``policies`` all of them; ``segments`` those of the document's namespace; ``required`` the
flags that a flag requires, and those that they require; ``granted`` the flags that a binding grants; ``grants`` the
bindings that grant a flag, or one of those that a binding grants; ``before`` what the document was before the
change. ``history`` needs no document either: it is the day on which the file came to the branch, if a change is looked
at; what a rule says because of it, it says besides."""


class Rule(msgspec.Struct, frozen=True):
    """State one rule.

    Attributes:
        id: ``FS`` and three digits; never used again for something else.
        title: What is wrong, in a few words.
        severity: ``error`` or ``warning``.
        scope: What its complaints about a document follow from.
        why: What goes wrong without the rule.
        remedy: What to do, as a sentence.
        bad: Refused.
        good: Accepted.
        check: What finds it; None where the loader or the repository's layout already does.
        suppressible: Whether ``spec.ignore`` may excuse a document from it.
        reads: What it looks at besides the document; said for every scope but ``repository``.
    """

    id: str
    title: str
    severity: Severity
    scope: Scope
    why: str
    remedy: str
    bad: Example
    good: Example
    check: Check | None = None
    suppressible: bool = False
    reads: tuple[Read, ...] = ()
