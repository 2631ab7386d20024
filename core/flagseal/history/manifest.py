"""The manifest: every governed document with its digest, removed ones as tombstones."""

from __future__ import annotations

import json
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
        return Manifest({**self.entries, **digests})

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical JSON list of ``[subject, digest]``, sorted by subject.

        Written by the standard library, which for lists of text without surrogates gives RFC 8785's bytes, sixty times
        faster than the general way; subjects and digests are ASCII.
        """
        pairs = sorted(self.entries.items())
        text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
        return sha256_digest(text.encode("utf-8"))
