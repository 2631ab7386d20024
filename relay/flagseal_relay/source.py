"""What the relay needs of whoever verifies its snapshots, and no more.

:class:`flagseal.snapshot.client.SnapshotClient` is the one that does it in production. The relay takes flags from
nowhere else: it reads no file, asks no API, and so can never serve what was not verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from flagseal.evaluation import Evaluation


class Flags(Protocol):
    """The flags of one namespace; :class:`flagseal.evaluation.FlagSet` is one."""

    def keys(self) -> Iterable[str]:
        """Give the keys served."""
        ...

    def evaluate(self, key: str, context: Mapping[str, object]) -> Evaluation:
        """Answer for one key; total."""
        ...


class SafeAnswer(Protocol):
    """What a flag serves once its snapshot is too old for its tier."""

    @property
    def tier(self) -> str:
        """Its risk tier."""
        ...

    @property
    def variant(self) -> str:
        """Its safe variant's name."""
        ...


class Namespace(Protocol):
    """One namespace of a verified snapshot."""

    @property
    def flags(self) -> bytes:
        """Its compiled flagd document, byte for byte as published."""
        ...

    @property
    def access(self) -> bytes:
        """Its ``access.json``: who may read it."""
        ...

    @property
    def safe_answers(self) -> Mapping[str, SafeAnswer]:
        """The safe answer of each key."""
        ...

    @property
    def flag_set(self) -> Flags:
        """Its flags."""
        ...

    @property
    def etag(self) -> str:
        """A name for exactly this content."""
        ...


class View(Protocol):
    """One verified snapshot; a value, so two looks at it never differ."""

    @property
    def version(self) -> int:
        """Version of the TUF snapshot role."""
        ...

    @property
    def sequence(self) -> int:
        """Sequence number of the accepted head it was built from."""
        ...

    @property
    def environment(self) -> str:
        """The environment it serves."""
        ...

    @property
    def stale(self) -> bool:
        """Whether it has expired without another taking its place; changes by time alone."""
        ...

    @property
    def expires(self) -> datetime:
        """When it becomes stale."""
        ...

    @property
    def past_limit(self) -> frozenset[str]:
        """Risk tiers for which it is too old by now, so that their flags serve the safe variant."""
        ...

    @property
    def as_of(self) -> datetime:
        """The instant for which it was built."""
        ...

    @property
    def namespaces(self) -> Mapping[str, Namespace]:
        """Its namespaces by name."""
        ...


class Outcome(Protocol):
    """What one attempt to refresh came to."""

    @property
    def reason(self) -> str | None:
        """Why the update was refused, in a word; None if nothing was."""
        ...

    @property
    def message(self) -> str:
        """The same in a sentence."""
        ...

    @property
    def remedy(self) -> str:
        """What to do about it."""
        ...


class FlagSource(Protocol):
    """Whoever holds the last verified snapshot and can look for a newer one."""

    @property
    def current(self) -> View | None:
        """The last verified snapshot; None before the first."""
        ...

    def refresh(self) -> Outcome:
        """Look for a newer snapshot, verify it, and swap it in. Blocks; called from one thread only."""
        ...


class StoredFile(Protocol):
    """A file of the store."""

    @property
    def data(self) -> bytes:
        """Its bytes."""
        ...


class Files(Protocol):
    """Read access to the files of a TUF repository; :class:`flagseal.snapshot.store.Store` gives it."""

    def get(self, name: str) -> StoredFile | None:
        """Give a file by its name in the store (``metadata/timestamp.json``), or None."""
        ...
