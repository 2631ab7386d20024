"""The one writer: definitions and segments made of what importers found, with what the origin does not say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.model.document import API_VERSION
from flagseal.model.flag import RISK_TIERS
from flagseal.model.instants import is_day
from flagseal.model.loader import parse_body
from flagseal.model.uniqueness import flag_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet

_KEPT_METADATA: Final = ("owner", "riskTier", "description", "expires", "ticket")
_LONGEST_NAME: Final = 63


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the origin does not say.

    Attributes:
        owner: The team of flags whose metadata name none; None leaves those out.
        environments: Where imported flags are served.
        bucketing: How splits hash where the flags come from.
        safe_variant: The safe variant of flags that have one of this name; otherwise that whose value is false, or
            else the default variant.
        strict_equality: Read ``==`` and ``!=`` as if nothing were converted.
        partial: Leave out what has no form here instead of the flag that it belongs to.
        lists: Attributes whose values are lists.
        mapping: From environments of the origin to ours, where they are called otherwise.
    """

    owner: str | None
    environments: tuple[str, ...]
    purpose: str
    risk_tier: str
    lifecycle: str
    expires: str
    retire_when: str
    safe_variant: str | None = None
    bucketing: str = "v2"
    strict_equality: bool = False
    partial: bool = False
    lists: frozenset[str] = frozenset()
    mapping: Mapping[str, str] = field(default_factory=dict)


class LeftOut(Exception):
    """Say why no definition can be made."""


@dataclass
class Definer:
    """Make definitions, each with a name and key of its own.

    Attributes:
        file: Where they come from, as the person named it.
        namespace: Where they go.
        defaults: What the origin does not say.
        policies: Of the repository: its teams.
        names: That are taken.
        keys: That are taken, and by which document.
    """

    file: str
    namespace: str
    defaults: Defaults
    policies: PolicySet
    names: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)

    def take(self, documents: Iterable[Document]) -> None:
        """Keep the names and keys of documents from being taken twice."""
        for document in documents:
            if document.kind == "FlagDefinition" and not document.is_tombstone:
                self.keys[flag_key(document)] = document.subject
                self.names.add(document.name)
            elif document.namespace == self.namespace:
                self.names.add(document.name)

    def name_for(self, key: str) -> str:
        """Make a DNS label of a key: the key itself where it is one, numbered where it is taken.

        Raises:
            LeftOut: Nothing is left of it.
        """
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).lower()
        slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:_LONGEST_NAME].strip("-")
        if not slug:
            raise LeftOut("no name can be made of its key: rename it there first")
        number, name = 1, slug
        while name in self.names:
            number += 1
            name = f"{slug[: _LONGEST_NAME - 4].strip('-')}-{number}"
        return name

    def definition(
        self,
        name: str,
        key: str,
        variants: Mapping[str, Json],
        environments: Mapping[str, Json],
        *,
        safe: str,
        said: Mapping[str, Json],
    ) -> Document:
        """Write a flag.

        Args:
            name: From :meth:`name_for`.
            key: What applications ask for.
            variants: Values by name.
            environments: Sections as they stand in a file, by environment.
            safe: The safe variant.
            said: Metadata of the origin in our words; what is not usable is passed over.

        Raises:
            LeftOut: Nobody owns it.
            InvalidDocuments: It has no form here.
        """
        usable = {word: value for word, value in said.items() if self.usable(word, value)}
        owner = usable.get("owner", self.defaults.owner)
        if owner is None:
            raise LeftOut("it names no owner that is a team here: name one with --owner")
        spec: dict[str, Json] = {
            **({"key": key} if key != name else {}),
            "description": usable.get("description", f"Imported from {self.file}: {key}."),
            "purpose": self.defaults.purpose,
            "owner": owner,
            "riskTier": usable.get("riskTier", self.defaults.risk_tier),
            "lifecycle": self.defaults.lifecycle,
            "expires": usable.get("expires", self.defaults.expires),
            "retireWhen": self.defaults.retire_when,
            **({"ticket": usable["ticket"]} if "ticket" in usable else {}),
            "variants": dict(variants),
            "safeVariant": safe,
            "environments": dict(environments),
        }
        return self._document("FlagDefinition", name, spec, key)

    def segment(self, name: str, when: Mapping[str, Json], place: str) -> Document:
        """Write a segment.

        Raises:
            InvalidDocuments: It has no form here.
        """
        return self._document("Segment", name, {"when": dict(when)}, place)

    def _document(self, kind: str, name: str, spec: dict[str, Json], place: str) -> Document:
        metadata: Json = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        return parse_body(body, place=place)

    def safe_variant(self, variants: Mapping[str, Json], default: Json, own: str | None = None) -> str:
        """Choose the safe variant: what was asked for, the origin's own, the one that is false, the default."""
        wanted = self.defaults.safe_variant
        if wanted is not None and wanted in variants:
            return wanted
        if own is not None and own in variants:
            return own
        negative = [name for name, value in variants.items() if value is False]
        if len(negative) == 1:
            return negative[0]
        return default if isinstance(default, str) and default in variants else next(iter(variants))

    def usable(self, word: str, value: Json) -> bool:
        """Tell whether metadata of the origin mean something here."""
        if word not in _KEPT_METADATA or not isinstance(value, str) or not value:
            return False
        match word:
            case "owner":
                return value in self.policies.organisation.teams
            case "riskTier":
                return value in RISK_TIERS
            case "expires":
                return is_day(value)
            case _:
                return True
