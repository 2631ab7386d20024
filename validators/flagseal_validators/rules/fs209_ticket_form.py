"""FS209: a ticket can be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared

FORM: Final = re.compile(
    r"[A-Z][A-Z0-9_]*-[1-9][0-9]*"  # PAY-1234
    r"|([A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+)?#[1-9][0-9]*"  # #12, acme/shop#12
    r"|https://[^ ]+",
    re.ASCII,
)


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.ticket is not None:
            yield from _ticket(document, "$.spec.ticket", flag.ticket)
    for document, _ in declared.bindings:
        for path, part in organisations(document):
            for index, grant in enumerate(part["grants"]):
                if "ticket" in grant:
                    yield from _ticket(document, f"{path}.grants[{index}].ticket", grant["ticket"])


def _ticket(document: Document, path: str, ticket: str) -> Iterator[Complaint]:
    if FORM.fullmatch(ticket) is None:
        yield Complaint(document, path, f"`{ticket}` is not a ticket")


RULE = Rule(
    id="FS209",
    title="Not a ticket",
    severity="error",
    scope="document",
    why="The ticket is how an auditor finds out why a flag exists.",
    remedy='Write it as PAY-1234, "#12", acme/shop#12 or https://….',
    bad=Example("ticket: ask Bob\n"),
    good=Example("ticket: PAY-1234\n"),
    check=_check,
)
