"""The flags that require one that is to end, and what its end does to them (docs/adr/0164)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import qualified
from flagseal.model.document import subject_of
from flagseal_validators.plan.markup import code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.evaluation.catalogue import Catalogue
    from flagseal_validators.retirement.stepping import Due, Serving


@dataclass(frozen=True, slots=True)
class Requirer:
    """A flag that requires another one in an environment.

    Attributes:
        flag: ``namespace/name`` of the one that requires.
        owner: Its team.
        environment: Where.
        variant: What the other one has to serve; otherwise everybody is served ``safe``.
        safe: Its own safe variant.
        off: Whether it is off there, so that nothing it requires matters.
        further: Flags that require it in turn, through any number of others.
    """

    flag: str
    owner: str
    environment: str
    variant: str
    safe: str
    off: bool
    further: tuple[str, ...]


def requirers(reference: str, environment: str, catalogue: Catalogue) -> Iterator[Requirer]:
    """Find the flags that require one in an environment, by name.

    Args:
        reference: ``namespace/name`` of the one that is required.
        environment: Where.
        catalogue: What is known there.
    """
    subject = subject_of("FlagDefinition", *reference.split("/"))
    for name in sorted(catalogue.dependents(subject)):
        flag = catalogue.flags[name]
        section = flag.environments.get(environment)
        for requirement in section.requires if section is not None else ():
            if section is not None and qualified(requirement.flag, flag.namespace) == reference:
                further = catalogue.dependents(subject_of("FlagDefinition", *name.split("/")))
                yield Requirer(
                    flag=name,
                    owner=flag.owner,
                    environment=environment,
                    variant=requirement.variant,
                    safe=flag.safe_variant,
                    off=section.off,
                    further=tuple(sorted(further)),
                )


def what_requires(due: Due) -> Iterator[str]:
    """Say in sentences which flags require this one, and what the step that is due does to each, Markdown."""
    serving = {entry.environment: entry for entry in due.subject.serving}
    for it in due.subject.required_by:
        yield (
            f"{code(it.flag)} (owner {code(it.owner)}) requires it to serve {code(it.variant)} in "
            f"{code(it.environment)}. {_then(due, it, serving.get(it.environment))}"
        )
    if due.subject.required_by:
        yield "Its file cannot go before none of them requires it any more."


def _then(due: Due, it: Requirer, entry: Serving | None) -> str:
    """Say what becomes of one of them."""
    if it.off:
        return "It is off there, so nothing changes for it."
    if it.environment not in due.switched_off or entry is None:
        if entry is None or entry.constant is None or entry.constant == it.variant:
            return "Nothing changes for it."
        return f"That is not so now, and stays so: everybody is served its safe variant {code(it.safe)}."
    if due.subject.flag.safe_variant == it.variant:
        then = "That **holds for everybody** from then on, so its own rules decide for everybody."
    else:
        then = f"That **holds for nobody** any more, so everybody is served its safe variant {code(it.safe)}."
    names = ", ".join(map(code, it.further))
    return f"{then} {names} may change with it." if names else then
