"""A foreign document, asked for what it should hold: everything else is an error that names its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.jsonpath import ROOT, child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json


class Misread(Exception):
    """Say that something is not as the origin's format has it.

    Attributes:
        place: JSONPath in the file.
        problem: What is wrong, as a sentence without its end.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place.

    Attributes:
        value: As it was read.
        path: JSONPath in the file.
    """

    value: Json
    path: str = ROOT

    def get(self, name: str) -> Node | None:
        """Give an entry of an object; None where it is missing or null.

        Raises:
            Misread: This is no object.
        """
        found = self.mapping().get(name)
        return None if found is None else Node(found, child(self.path, name))

    def need(self, name: str) -> Node:
        """Give an entry that must be there.

        Raises:
            Misread: It is not, or this is no object.
        """
        found = self.get(name)
        if found is None:
            raise Misread(self.path, f"`{name}` is missing")
        return found

    def mapping(self) -> dict[str, Json]:
        """Give it as an object.

        Raises:
            Misread: It is none.
        """
        if not isinstance(self.value, dict):
            raise Misread(self.path, "an object is expected")
        return self.value

    def entries(self) -> Iterator[tuple[str, Node]]:
        """Give each entry of an object.

        Raises:
            Misread: It is none.
        """
        for name, value in self.mapping().items():
            yield name, Node(value, child(self.path, name))

    def items(self) -> Iterator[Node]:
        """Give each item of a list.

        Raises:
            Misread: It is none.
        """
        if not isinstance(self.value, list):
            raise Misread(self.path, "a list is expected")
        for index, value in enumerate(self.value):
            yield Node(value, child(self.path, index))

    def listed(self, name: str) -> tuple[Node, ...]:
        """Give the items of an entry; none where it is missing.

        Raises:
            Misread: It is there, and no list.
        """
        found = self.get(name)
        return () if found is None else tuple(found.items())

    def text(self) -> str:
        """Give it as text.

        Raises:
            Misread: It is none.
        """
        if not isinstance(self.value, str):
            raise Misread(self.path, "text is expected")
        return self.value

    def number(self) -> int | float:
        """Give it as a number.

        Raises:
            Misread: It is none.
        """
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise Misread(self.path, "a number is expected")
        return self.value

    def whole(self) -> int:
        """Give it as a whole number.

        Raises:
            Misread: It is none.
        """
        value = self.number()
        if isinstance(value, float) and not value.is_integer():
            raise Misread(self.path, "a whole number is expected")
        return int(value)

    def boolean(self) -> bool:
        """Give it as true or false.

        Raises:
            Misread: It is neither.
        """
        if not isinstance(self.value, bool):
            raise Misread(self.path, "true or false is expected")
        return self.value

    def text_at(self, name: str, otherwise: str = "") -> str:
        """Give an entry as text, or something else where it is missing.

        Raises:
            Misread: It is there, and no text.
        """
        found = self.get(name)
        return otherwise if found is None else found.text()

    def true_at(self, name: str, *, otherwise: bool = False) -> bool:
        """Give an entry as true or false, or something else where it is missing.

        Raises:
            Misread: It is there, and neither.
        """
        found = self.get(name)
        return otherwise if found is None else found.boolean()


class NoForm(Exception):
    """Say that something of a foreign document has no form here.

    Attributes:
        place: JSONPath in the file.
        reason: As a sentence without its end.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason
