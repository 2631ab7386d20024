"""FS404: an organisation is granted a flag once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import binding_of
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import BINDING, BINDING_FILE, ENTITLEMENT
from flagseal_validators.walk import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a grant stands, and when it is in force."""

    document: Document
    path: str
    org: str
    flag: str
    since: int
    until: int


def _check(declared: Declared) -> Iterator[Complaint]:
    everywhere: dict[tuple[str, str], list[_Place]] = {}
    for document in declared.documents:
        if document.kind == "EntitlementBinding":
            for it in _grants(document):
                everywhere.setdefault((it.org, it.flag), []).append(it)
    for document, _ in declared.bindings:
        for it in _grants(document):
            others = everywhere[it.org, it.flag]
            first = next(other for other in others if other.since < it.until and it.since < other.until)
            if (first.document, first.path) != (it.document, it.path):
                source = first.document.source
                where = f"{source.file}:{source.at(first.path).line}" if source is not None else first.document.subject
                message = f"{it.org} has {it.flag} already, by the grant in {where}"
                yield Complaint(document, it.path, message)


def _grants(document: Document) -> Iterator[_Place]:
    """Give the grants of a binding that are ever in force, in the order of the file."""
    parts = [
        (f"{path}.grants[{index}]", part["org"])
        for path, part in organisations(document)
        for index in range(len(part["grants"]))
    ]
    for (path, org), grant in zip(parts, binding_of(document).grants, strict=True):
        if grant.since < grant.until:
            yield _Place(document, path, org, grant.flag, grant.since, grant.until)


RULE = Rule(
    id="FS404",
    title="A grant that is there twice",
    severity="error",
    scope="references",
    reads=("granted", "grants"),
    why="Taking one away changes nothing, and whoever did it believes that the door is closed.",
    remedy="Keep one of the two.",
    bad=Example(
        BINDING
        + """\
  grants:
  - {flag: payments/analytics, reason: contract}
  - {flag: payments/analytics, reason: trial, until: "2026-12-05"}
""",
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    good=Example(
        BINDING + "  grants: [{flag: payments/analytics, reason: contract}]\n",
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    check=_check,
)
