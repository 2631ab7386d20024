"""The manifest: every governed document with its digest, removed ones as tombstones."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.model.canonical import sha256_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.document import Document


@dataclass(frozen=True)
class Manifest:
    """List all subjects with their digests.

    Attributes:
        entries: Subject to ``sha256:…``.
    """

    entries: Mapping[str, str]

    @staticmethod
    def of(documents: Mapping[str, Document]) -> Manifest:
        """List documents by subject, tombstones included."""
        return Manifest({subject: document.digest for subject, document in documents.items()})

    def changed(self, digests: Mapping[str, str]) -> Manifest:
        """Give the manifest in which some subjects have other digests."""
        after = Manifest({**self.entries, **digests})
        if "_written" in vars(self):
            subjects, pieces = list(self._written[0]), list(self._written[1])
            for subject, digest in digests.items():
                at = bisect_left(subjects, subject)
                known = at < len(subjects) and subjects[at] == subject
                subjects[at : at + known] = [subject]
                pieces[at : at + known] = [_piece(subject, digest)]
            vars(after)["_written"] = (subjects, pieces)
        return after

    @cached_property
    def _written(self) -> tuple[list[str], list[bytes]]:
        """The subjects, sorted, and beside each its entry as it stands in the list; never changed in place."""
        subjects = sorted(self.entries)
        return subjects, [_piece(subject, self.entries[subject]) for subject in subjects]

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical JSON list of ``[subject, digest]``, sorted by subject.

        Put together from the entries as they were written for the manifest before: what a change costs is then one
        pass of SHA-256 over bytes that are there.
        """
        return sha256_digest(b"[" + b",".join(self._written[1]) + b"]")


def _piece(subject: str, digest: str) -> bytes:
    """Write one entry.

    The standard library gives RFC 8785's bytes for text without surrogates, and subjects and digests are ASCII.
    """
    return json.dumps([subject, digest], ensure_ascii=False, separators=(",", ":")).encode("utf-8")
