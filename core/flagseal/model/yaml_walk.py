"""YAML events as a JSON value.

Parsing is libyaml's (through PyYAML's event interface); what the events mean is decided here, iteratively, so that no
input can exhaust the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from flagseal.model import rule_ids
from flagseal.model.characters import IN_VALUE, name_of, shown
from flagseal.model.document import Position
from flagseal.model.finding import Finding
from flagseal.model.jsonpath import join
from flagseal.model.limits import DEEPEST, MOST_FINDINGS
from flagseal.model.scalars import Unclear, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json

_CONTAINER_STARTS: Final = (MappingStartEvent, SequenceStartEvent)
_ALIAS_REMEDY: Final = "Write the value out: a file says each thing where it counts."
_SYNTAX_REMEDY: Final = "Look for wrong indentation, a missing colon or quote just before this place."


class _Mark(Protocol):
    """A place in the text; line and column count from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _Frame:
    """One open mapping or list.

    Attributes:
        entries: The mapping, or None for a list.
        items: The list, or None for a mapping.
        key: The key whose value comes next; None where a key comes next.
        is_key: Whether this container stands where a key should, and is thrown away.
    """

    __slots__ = ("entries", "is_key", "items", "key")

    def __init__(self, *, mapping: bool, is_key: bool) -> None:
        self.entries: dict[str, Json] | None = {} if mapping else None
        self.items: list[Json] | None = None if mapping else []
        self.key: str | None = None
        self.is_key = is_key


class Walk:
    """Go through the events of one text."""

    def __init__(self, text: str, file: str, *, places: dict[str, Position] | None = None) -> None:
        self.findings: list[Finding] = []
        self.places = places
        self._text = text
        self._file = file
        self._stack: list[_Frame] = []
        self._value: Json = None

    def run(self) -> Json:
        """Give the document's value, as far as it could be read."""
        try:
            self._events(CParser(self._text))
        except yaml.MarkedYAMLError as error:
            self._broken(error)
        except yaml.YAMLError as error:  # of the reader, which has no mark
            self._refuse(rule_ids.SYNTAX, None, f"this is not YAML: {shown(str(error))}", _SYNTAX_REMEDY)
        return self._value

    def _events(self, parser: CParser) -> None:  # noqa: C901 (one branch an event: this is the grammar)
        documents = 0
        while len(self.findings) < MOST_FINDINGS:
            # The stubs give the base class only; the type is looked at right below.
            event: Any = parser.get_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind in _CONTAINER_STARTS:
                if not self._open(event):
                    return
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._refuse(rule_ids.ALIAS, event.start_mark, f"`*{shown(event.anchor)}` is an alias", _ALIAS_REMEDY)
                self._take("", event.start_mark)
            elif kind is DocumentStartEvent:
                documents += 1
                if not self._document(event, documents):
                    return
            elif kind is StreamEndEvent:
                if not documents:
                    self._refuse(rule_ids.ONE_DOCUMENT, None, "the file holds no document", "Write one, or delete it.")
                return

    def _document(self, event: DocumentStartEvent, number: int) -> bool:
        if number > 1:
            message = "a second document starts here; a file holds one"
            self._refuse(rule_ids.ONE_DOCUMENT, event.start_mark, message, "Give it a file of its own.")
            return False
        if event.version or event.tags:
            self._refuse(rule_ids.TAG, event.start_mark, "the file has a %-directive", "Delete it.")
        return True

    def _scalar(self, event: ScalarEvent) -> None:
        text: str = event.value
        mark = event.start_mark
        value: Json = text
        if event.anchor is not None or event.tag is not None:
            self._decorated(event)
        elif event.implicit[0]:
            plain = read_plain(text)
            if isinstance(plain, Unclear):
                frame = self._stack[-1] if self._stack else None
                awaits_key = frame is not None and frame.entries is not None and frame.key is None
                self._refuse(plain.rule, mark, plain.message, plain.remedy, *((text,) if awaits_key else ()))
            else:
                value = plain
        elif event.style == '"' and (odd := IN_VALUE.search(text)):
            # Only this style has escapes; what stands in the text itself is found before.
            self._refuse(rule_ids.CHARACTERS, mark, f"the text holds {name_of(odd[0])}", "Leave the character out.")
        self._take(value, mark)

    def _decorated(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(rule_ids.ALIAS, event.start_mark, f"`&{shown(event.anchor)}` is an anchor", _ALIAS_REMEDY)
        if event.tag is not None:
            message = f"`{shown(event.tag)}` is a tag"
            self._refuse(rule_ids.TAG, event.start_mark, message, "Delete it; quotes make text.")

    def _take(self, value: Json, mark: _Mark | None) -> None:
        """Put a value, or a key, where it belongs."""
        if not self._stack:
            self._value = value
            self._note(mark)
            return
        frame = self._stack[-1]
        if frame.items is not None:
            self._note(mark)
            frame.items.append(value)
        elif frame.key is None:
            self._key(frame, value, mark)
        elif frame.entries is not None:
            frame.entries[frame.key] = value
            frame.key = None

    def _key(self, frame: _Frame, value: Json, mark: _Mark | None) -> None:
        if not isinstance(value, str):
            text = "null" if value is None else str(value).lower()
            message = f"the key `{text}` is not text"
            self._refuse(rule_ids.KEY_TYPE, mark, message, f'Quote it ("{text}"), or use a word.', text)
            value = text
        frame.key = value
        if frame.entries is not None and value in frame.entries:
            message = f"the key `{shown(value)}` stands here twice"
            self._refuse(rule_ids.DUPLICATE_KEY, mark, message, "Keep one of the two.")
        self._note(mark)

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> bool:
        if len(self._stack) >= DEEPEST:
            self._refuse(rule_ids.NESTING, event.start_mark, f"nesting is deeper than {DEEPEST}", "Make it flatter.")
            return False
        if event.anchor is not None or event.tag is not None:
            self._decorated(event)
        mapping = type(event) is MappingStartEvent
        parent = self._stack[-1] if self._stack else None
        is_key = parent is not None and parent.entries is not None and parent.key is None
        if is_key:
            message = f"a {'mapping' if mapping else 'list'} cannot be a key"
            self._refuse(rule_ids.KEY_TYPE, event.start_mark, message, "Use a word.")
        elif parent is None or parent.items is not None:
            self._note(event.start_mark)
        self._stack.append(_Frame(mapping=mapping, is_key=is_key))
        return True

    def _close(self) -> None:
        frame = self._stack.pop()
        value: Json = frame.entries if frame.entries is not None else frame.items
        parent = self._stack[-1] if self._stack else None
        if parent is None:
            self._value = value
        elif parent.items is not None:
            parent.items.append(value)
        elif frame.is_key:
            parent.key = ""
        elif parent.entries is not None and parent.key is not None:
            parent.entries[parent.key] = value
            parent.key = None

    def _steps(self) -> Iterator[str | int]:
        for frame in self._stack:
            if frame.items is not None:
                yield len(frame.items)
            elif frame.key is not None:
                yield frame.key

    def _note(self, mark: _Mark | None) -> None:
        if self.places is not None and mark is not None:
            self.places.setdefault(join(self._steps()), Position(mark.line + 1, mark.column + 1))

    def _broken(self, error: yaml.MarkedYAMLError) -> None:
        words = " ".join(part for part in (error.context, error.problem) if part)
        self._refuse(
            rule_ids.SYNTAX, error.problem_mark or error.context_mark, f"this is not YAML: {words}", _SYNTAX_REMEDY
        )

    def _refuse(self, rule: str, mark: _Mark | None, message: str, remedy: str, *key: str) -> None:
        line, column = (0, 0) if mark is None else (mark.line + 1, mark.column + 1)
        self.findings.append(Finding(self._file, line, column, rule, join([*self._steps(), *key]), message, remedy))
