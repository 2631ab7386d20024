"""Where things stand in a flag: its parts with their JSONPaths, for rules that point at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.model.jsonpath import child

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared
    from flagseal_validators.reasoning import Clause


def spec(document: Document) -> Mapping[str, Any]:
    """Give a document's spec."""
    return cast("Mapping[str, Any]", document.spec)


def sections(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give each environment of a flag: name, path, section."""
    for name, section in spec(document)["environments"].items():
        yield name, child("$.spec.environments", name), section


def rules(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each rule of a flag, of all environments: path, rule."""
    for _, path, section in sections(document):
        for index, rule in enumerate(section.get("rules", ())):
            yield f"{path}.rules[{index}]", rule


def requirements(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give each prerequisite of a flag: environment, path, requirement."""
    for name, path, section in sections(document):
        for index, requirement in enumerate(section.get("requires", ())):
            yield name, f"{path}.requires[{index}]", requirement


def conditions(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each whole condition of a flag or a segment: path, condition."""
    if document.kind == "Segment":
        yield "$.spec.when", spec(document)["when"]
    elif document.kind == "FlagDefinition":
        for path, rule in rules(document):
            if "when" in rule:
                yield f"{path}.when", rule["when"]


def entries(condition: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, Any]]:
    """Give each entry of a condition, of nested ones too: path, word, operand."""
    for word, operand in condition.items():
        place = child(path, word)
        yield place, word, operand
        if word in {"all", "any"}:
            for index, part in enumerate(operand):
                yield from entries(part, f"{place}[{index}]")
        elif word == "not":
            yield from entries(operand, place)


def named(clauses: Iterable[Clause]) -> str:
    """Name rules and targets in a sentence."""
    names = [f"`{it.name}`" if it.name is not None else "one of the targets" for it in clauses]
    return " and ".join(dict.fromkeys(names))


def organisations(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each organisation of a binding: path, part."""
    content = spec(document)
    if "bindings" in content:
        for index, part in enumerate(content["bindings"]):
            yield f"$.spec.bindings[{index}]", part
    else:
        yield "$.spec", content


def owners(declared: Declared) -> Iterator[tuple[Document, str, str]]:
    """Give each owner that flags and bindings name: document, path, team."""
    for document, flag in declared.flags:
        yield document, "$.spec.owner", flag.owner
    for document, _ in declared.bindings:
        for path, part in organisations(document):
            yield document, f"{path}.owner", part["owner"]
