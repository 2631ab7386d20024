"""FS401: an organisation that an entitlement names has an agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flagseal.model.flag import Serve
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.condition import Test
    from flagseal.model.flag import FlagDefinition
    from flagseal_validators.declared import Declared
    from flagseal_validators.reasoning import Clause, Part


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.purpose != "entitlement":
            continue
        granted = {grant.org for _, grant in declared.catalogue.grants(flag.reference)}
        for section in declared.sections(document):
            for clause in section.clauses:
                if clause.part is not None and _opens(clause, flag):
                    for path, org in _organisations(clause.part):
                        if org not in granted:
                            message = f"no agreement grants {flag.reference} to {org}"
                            yield Complaint(document, path, message)


def _opens(clause: Clause, flag: FlagDefinition) -> bool:
    """Tell whether a rule serves something else than the safe variant, to more than those who are entitled."""
    if clause.rule is None or clause.rule.outcome == Serve(flag.safe_variant):
        return False
    parts = () if clause.part is None else (clause.part, *(clause.part.parts if clause.part.kind == "all" else ()))
    return not any(part.kind == "entitled" for part in parts)


def _organisations(part: Part) -> Iterator[tuple[str, str]]:
    """Give the organisations that a condition lets in by name, each with its place."""
    if part.kind in {"all", "any"}:
        for inner in part.parts:
            yield from _organisations(inner)
    elif part.kind == "test":
        test = cast("Test", part.condition)
        if test.path == ("org",) and test.predicate == "eq" and isinstance(test.operand, str):
            yield part.path, test.operand
        elif test.path == ("org",) and test.predicate == "in" and isinstance(test.operand, tuple):
            yield from (
                (f"{part.path}.in[{index}]", it) for index, it in enumerate(test.operand) if isinstance(it, str)
            )


_FLAG = """\
purpose: entitlement
review: {every: 90d}
environments:
  staging: {default: enabled}
  production:
    rules:
    - {name: %s, when: {%s}, serve: enabled}
    default: disabled
"""

RULE = Rule(
    id="FS401",
    title="An organisation without an agreement",
    severity="error",
    scope="references",
    reads=("segments", "grants"),
    why="An entitlement is what a contract says. Named in a rule, a customer keeps it beyond the contract.",
    remedy="Grant it in an EntitlementBinding, and ask for `entitled: true`.",
    bad=Example(_FLAG % ("a good customer", "org: acme"), without=("expires", "retireWhen")),
    good=Example(_FLAG % ("entitled organisations", "entitled: true"), without=("expires", "retireWhen")),
    check=_check,
    suppressible=True,
)
