"""Every answer that one verified snapshot gives, as the bytes that go out.

A flag has few outcomes (a variant and a reason), so the JSON of each is written once and then looked up; what is done
for each request is evaluating, and nothing else. A book never changes what it says: the relay swaps whole books, and
whoever took one up answers from it to the end. So no bulk answer mixes two snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flagseal_relay.reply import Reply, error_reply, json_start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.evaluation import Evaluation
    from flagseal_relay.metrics import Cell, Metrics
    from flagseal_relay.source import Namespace, View

_REQUEST_ERRORS: Final = frozenset({"PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"})
_MAX_OUTCOMES: Final = 256
"""Outcomes of one flag whose JSON is kept; a flag of our own has a handful, raw targeting could make up more."""

_encode: Final = msgspec.json.Encoder().encode
_encode_sorted: Final = msgspec.json.Encoder(order="deterministic").encode


class Answer(Reply):
    """The answer for one outcome of one flag.

    Attributes:
        mark: Stands for the body in a bulk answer's ETag.
        cell: Where it is counted.
    """

    __slots__ = ("cell", "mark")

    def __init__(self, status: int, body: bytes, cell: Cell) -> None:
        super().__init__(json_start(status, len(body)), body)
        self.mark = blake2b(body, digest_size=8).digest()
        self.cell = cell


class _Entry:
    """One flag: how to evaluate it, and the answers written so far."""

    __slots__ = ("answers", "evaluate", "key")

    def __init__(self, key: str, evaluate: Callable[[str, Mapping[str, object]], Evaluation]) -> None:
        self.key = key
        self.evaluate = evaluate
        self.answers: dict[tuple[str | None, str | None], Answer] = {}


@dataclass(frozen=True, slots=True)
class Bulk:
    """The answers for all flags and one context.

    Attributes:
        etag: Quoted, as it goes into the header. Folds in the snapshot, the context and each answer: with the same
            snapshot and context an answer may still change, since rules have times from and until which they count.
        items: JSON objects, in the order of their keys.
    """

    etag: bytes
    items: list[bytes]


class Book:
    """Answers from one verified snapshot.

    Args:
        view: The snapshot.
        stale: Whether to say that it could not be refreshed in time.
        metrics: Where answers are counted.
        previous: The book before; what it wrote for unchanged namespaces is taken over.
    """

    def __init__(self, view: View, *, stale: bool, metrics: Metrics, previous: Book | None = None) -> None:
        self.view = view
        self.stale = stale
        self._metrics = metrics
        self._shelves: dict[str, tuple[Namespace, dict[str, _Entry]]] = {}
        self.ambiguous: frozenset[str] = frozenset()
        entries: dict[str, _Entry] = {}
        ambiguous: set[str] = set()
        for name, namespace in sorted(view.namespaces.items()):
            shelf = self._shelf(name, namespace, previous)
            self._shelves[name] = (namespace, shelf)
            ambiguous.update(key for key in shelf if key in entries)
            entries.update(shelf)
        if ambiguous:
            # Keys are unique in a repository. Should two namespaces yet serve one, choosing either would let the
            # owners of a cheap flag answer for a dear one.
            entries = {key: entry for key, entry in entries.items() if key not in ambiguous}
            self.ambiguous = frozenset(ambiguous)
        self._entries = entries
        self._sorted = [entries[key] for key in sorted(entries)]
        self.tag = self._digest()

    def _shelf(self, name: str, namespace: Namespace, previous: Book | None) -> dict[str, _Entry]:
        if previous is not None and previous.stale == self.stale:
            known = previous._shelves.get(name)  # noqa: SLF001 (a book of the same kind)
            if known is not None and known[0].flag_set is namespace.flag_set:
                return known[1]
        evaluate = namespace.flag_set.evaluate
        return {key: _Entry(key, evaluate) for key in namespace.flag_set.keys()}  # noqa: SIM118 (not a mapping)

    def _digest(self) -> str:
        content = [
            self.view.environment,
            self.view.version,
            self.view.sequence,
            self.stale,
            sorted(self.view.past_limit),
            [(name, namespace.etag) for name, (namespace, _) in self._shelves.items()],
        ]
        return blake2b(_encode(content), digest_size=12).hexdigest()

    def __len__(self) -> int:
        return len(self._entries)

    def metadata(self) -> dict[str, Any]:
        """Say which snapshot this is, in values that OFREP's metadata may have."""
        view = self.view
        facts: dict[str, Any] = {
            "environment": view.environment,
            "version": view.version,
            "sequence": view.sequence,
            "asOf": int(view.as_of.timestamp()),
        }
        if self.stale:
            facts["stale"] = True
        return facts

    def one(self, key: str, context: Mapping[str, object]) -> Answer:
        """Answer for one flag."""
        entry = self._entries.get(key)
        if entry is None:
            return self._not_served(key)
        evaluation = entry.evaluate(key, context)
        answer = entry.answers.get((evaluation.variant, evaluation.reason))
        return answer if answer is not None else self._write(entry, evaluation)

    def all(self, context: Mapping[str, object]) -> Bulk:
        """Answer for every flag, and count each."""
        items: list[bytes] = []
        marks: list[bytes] = []
        for entry in self._sorted:
            evaluation = entry.evaluate(entry.key, context)
            answer = entry.answers.get((evaluation.variant, evaluation.reason))
            if answer is None:
                answer = self._write(entry, evaluation)
            answer.cell.count += 1
            items.append(answer.body)
            marks.append(answer.mark)
        etag = blake2b(_encode_sorted([self.tag, context]), digest_size=16)
        etag.update(b"".join(marks))
        return Bulk(b'"' + etag.hexdigest().encode() + b'"', items)

    def _not_served(self, key: str) -> Answer:
        if key in self.ambiguous:
            details = f"More than one namespace serves flag '{key}'; neither is answered. Rename one of them."
            return _failure(400, key, "GENERAL", details, self._metrics.evaluation(key, None, "ERROR"))
        details = f"Flag '{key}' is not served in environment '{self.view.environment}'."
        return _failure(404, key, "FLAG_NOT_FOUND", details, self._metrics.not_found)

    def _write(self, entry: _Entry, evaluation: Evaluation) -> Answer:
        key = entry.key
        if evaluation.error_code is not None:
            # The message may speak of the context, so this is not kept.
            code = str(evaluation.error_code)
            details = evaluation.error_message or code
            if code not in _REQUEST_ERRORS:
                code, details = "GENERAL", f"{code}: {details}"
            metadata = self._flag_metadata(evaluation)
            cell = self._metrics.evaluation(key, None, "ERROR")
            return _failure(400, key, code, details, cell, metadata)
        body: dict[str, Any] = {"key": key, "reason": evaluation.reason}
        if evaluation.variant is not None:
            body["value"] = evaluation.value
            body["variant"] = evaluation.variant
        if metadata := self._flag_metadata(evaluation):
            body["metadata"] = metadata
        cell = self._metrics.evaluation(key, evaluation.variant, evaluation.reason)
        answer = Answer(200, _encode(body), cell)
        if len(entry.answers) < _MAX_OUTCOMES:
            entry.answers[evaluation.variant, evaluation.reason] = answer
        return answer

    def _flag_metadata(self, evaluation: Evaluation) -> dict[str, Any]:
        metadata = dict(evaluation.metadata or {})
        if self.stale:
            metadata["stale"] = True
        return metadata


def _failure(
    status: int, key: str, code: str, details: str, cell: Cell, metadata: Mapping[str, Any] | None = None
) -> Answer:
    body: dict[str, Any] = {"key": key, "errorCode": code, "errorDetails": details}
    if metadata:
        body["metadata"] = metadata
    return Answer(status, _encode(body), cell)


def not_ready(reason: str) -> Reply:
    """Answer while there is no book: OFREP knows 500 for what is not the request's fault."""
    return error_reply(500, f"No verified snapshot is loaded yet: {reason}")
