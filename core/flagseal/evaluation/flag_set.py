"""A flagd document, ready to answer.

Each flag is compiled when it is first asked for; after that an evaluation is one call of a function made for it. A
flag set is immutable, and any number of threads may ask at once.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from flagseal.evaluation.bucketing import BUCKETINGS
from flagseal.evaluation.flag import (
    FlagReader,
    MalformedFlag,
    always,
    merged_metadata,
    quoted,
)
from flagseal.evaluation.javascript import TooLarge
from flagseal.evaluation.jsonlogic import MalformedTargeting
from flagseal.evaluation.outcome import NO_METADATA, Evaluation, Metadata, error
from flagseal.evaluation.wire import InvalidFlagSet, flag_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, KeysView, Mapping

    from flagseal.evaluation.flag import Ready

_NO_ROOM: Final = error("GENERAL", "no room is left to evaluate", NO_METADATA)


class FlagSet:
    """Answer for every flag of a flagd document.

    Use :meth:`load`.
    """

    __slots__ = ("_flags", "_metadata", "_reader", "_ready")

    def __init__(self, flags: Mapping[str, object], reader: FlagReader) -> None:
        self._flags = flags
        self._reader = reader
        self._metadata = reader.metadata
        # Only ever grows, by whole entries: two threads that compile the same flag at once both do no harm.
        self._ready: dict[str, Ready] = {}

    @classmethod
    def load(
        cls,
        document: Mapping[str, object] | str | bytes,
        *,
        bucketing: str | None = "v2",
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Read a flagd document.

        Args:
            document: As an object, which is not kept, or as JSON.
            bucketing: How splits hash: ``v1``, ``v2`` or ``v3`` (compat.md); None for what the document's metadata
                name, as one that we compiled does, or else ``v2``.
            clock: Gives unix seconds; asked by flags that depend on the time.

        Raises:
            InvalidFlagSet: It is no flagd document, or there is no such bucketing.
        """
        parts = parts_of(document)
        if bucketing is None:
            bucketing = str(parts.metadata.get("bucketing", "v2"))
        if bucketing not in BUCKETINGS:
            raise InvalidFlagSet(
                f"no bucketing {quoted(bucketing)}", remedy=f"Use one of {', '.join(sorted(BUCKETINGS))}."
            )
        metadata = MappingProxyType(dict(parts.metadata))
        return cls(parts.flags, FlagReader(parts.evaluators, metadata, BUCKETINGS[bucketing], clock))

    def evaluate(self, key: str, context: Mapping[str, object] | None = None) -> Evaluation:
        """Answer for one flag. Raises nothing, whatever the context holds.

        Args:
            key: The flag's key.
            context: The evaluation context, ``targetingKey`` among its attributes. ``$flagd`` in it is ignored.
        """
        try:
            constant, answer = self._ready[key]
            return answer(context) if constant is None else constant
        except Exception as problem:  # noqa: BLE001 (total by contract: what a caller passes must not break the caller)
            try:
                return self._otherwise(key, context, problem)
            except Exception:  # noqa: BLE001 (the caller's own recursion has left no room even to say so)
                return _NO_ROOM

    def keys(self) -> KeysView[str]:
        """Give the keys of all flags, the malformed and disabled ones included."""
        return self._flags.keys()

    @property
    def metadata(self) -> Metadata:
        """Metadata of the flag set."""
        return self._metadata

    def flag_metadata(self, key: str) -> Metadata:
        """Give the metadata that a flag's evaluations carry; for an unknown or malformed one, those of the flag set."""
        try:
            flag = flag_of(self._flags.get(key))
            return merged_metadata(self._metadata, flag.get("metadata")) if isinstance(flag, dict) else self._metadata
        except MalformedFlag:
            return self._metadata

    # What happens once a flag, or seldom

    def _otherwise(self, key: str, context: object, problem: Exception) -> Evaluation:
        try:
            if key not in self._flags:
                return error("FLAG_NOT_FOUND", f"no flag {quoted(str(key))}", self._metadata)
            ready = self._ready.get(key)
            if ready is None:
                ready = self._ready[key] = self._compiled(key)
            elif not isinstance(problem, KeyError):
                return self._failed(key, context, problem)
            # Or another thread has compiled it since it was missing: a KeyError may say that, and not that it failed.
        except Exception as failure:  # noqa: BLE001 (total by contract)
            # Not kept: a caller deep in its own recursion may leave no room, and the next one may have it.
            return error("GENERAL", f"cannot compile here: {type(failure).__name__}", self._metadata)
        try:
            return ready[1](context)
        except Exception as failure:  # noqa: BLE001 (total by contract)
            return self._failed(key, context, failure)

    def _failed(self, key: str, context: object, problem: Exception) -> Evaluation:
        metadata = self.flag_metadata(key)
        if isinstance(problem, MalformedTargeting):
            return error("PARSE_ERROR", f"malformed targeting: {problem}", metadata)
        if isinstance(problem, TooLarge):
            return error("GENERAL", "targeting makes too much of this context", metadata)
        if context is not None and not hasattr(type(context), "keys"):
            return error("INVALID_CONTEXT", "the evaluation context is not a mapping", metadata)
        return error("GENERAL", f"evaluation failed: {type(problem).__name__}", metadata)

    def _compiled(self, key: str) -> Ready:
        try:
            return self._reader.read(key, flag_of(self._flags[key]))
        except MalformedFlag as problem:
            return always(error("PARSE_ERROR", f"malformed flag: {problem}", self.flag_metadata(key)))
