"""Claims of emergencies as resources carry them, in a cluster or as files: read, and believed for nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import yaml

from flagseal.emergency import RECEIPT_TYPE, Offer, Proof, parse_claim
from flagseal.model.canonical import sha256_digest
from flagseal.model.document import API_VERSION
from flagseal.model.errors import ApprovalError
from flagseal_operator.resources import NAMESPACED, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from flagseal_operator.inventory import Inventory

PROOF_ANNOTATION: Final = "flagseal.dev/proof"
PROOF_LABEL: Final = "flagseal.dev/proof"
SIGNED: Final = "signed"
"""Value of the label on what a person signed: admission is not asked, so it may be down when that is created."""

KINDS: Final = ("EmergencyOverride", "FlagFreeze")
_LARGEST_FILE: Final = 256 * 1024


def read_offer(body: Mapping[str, Any]) -> Offer:
    """Read a resource.

    Raises:
        ApprovalError: ``ClaimMalformed``, ``ProofMalformed``; ``Unproven``, where a receipt stands on what admission
            has passed over (docs/adr/0100).
    """
    metadata = body.get("metadata")
    kind, name = body.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(kind, str) or not isinstance(name, str):
        raise ApprovalError(
            "It has no kind and name.", code="ClaimMalformed", remedy="Write it as `flagseal override`."
        )
    namespace = metadata.get("namespace") if kind in NAMESPACED else None
    claim = parse_claim(kind, None if namespace is None else str(namespace), name, body.get("spec"))
    annotations = metadata.get("annotations")
    text = annotations.get(PROOF_ANNOTATION) if isinstance(annotations, dict) else None
    proof = None if text is None else Proof.parse(str(text))
    if proof is not None and proof.kind == RECEIPT_TYPE and is_labelled(metadata):
        raise ApprovalError(
            f"{claim.title}: it is labelled {PROOF_LABEL}={SIGNED}, so no webhook has seen it, and a"
            " receipt on it proves nothing.",
            code="Unproven",
            remedy="Create it anew without the label, or sign it with your own key (`flagseal override`).",
        )
    return Offer(claim, proof)


def is_labelled(metadata: Mapping[str, Any]) -> bool:
    """Tell whether a resource says that a person signed it, and so passes admission by."""
    labels = metadata.get("labels")
    return isinstance(labels, dict) and labels.get(PROOF_LABEL) == SIGNED


class ClusterEmergencies:
    """The claims in a cluster.

    Args:
        inventory: What the cluster holds.
        environment: The one that is served; claims for another are left alone.
    """

    def __init__(self, inventory: Inventory, environment: str) -> None:
        self._inventory = inventory
        self._environment = environment
        self.refused: dict[Ref, ApprovalError] = {}

    def offers(self) -> Sequence[Offer]:
        """Give every claim that can be read; of the others remember why not."""
        found, refused = [], {}
        for kind in KINDS:
            for ref, seen in self._inventory.of(kind).items():
                if not isinstance(seen.content, dict) or not self._is_ours(seen.content):
                    continue
                try:
                    found.append(read_offer(seen.content))
                except ApprovalError as error:
                    refused[ref] = error
        self.refused = refused
        return found

    def _is_ours(self, body: Mapping[str, Any]) -> bool:
        spec = body.get("spec")
        return isinstance(spec, dict) and spec.get("environment") == self._environment


class FolderEmergencies:
    """The claims in a folder of YAML files, as ``flagseal override`` writes them; what cannot be read is passed over.

    Args:
        folder: Where they lie; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fingerprint(self) -> str:
        """Give a value that changes whenever a file comes, goes or changes."""
        return sha256_digest(b"".join(path.name.encode() + b"\0" + data + b"\0" for path, data in self._files()))

    def offers(self) -> Sequence[Offer]:
        """Give every claim that can be read."""
        found = []
        for _, data in self._files():
            try:
                body = yaml.safe_load(data)
                if isinstance(body, dict) and body.get("apiVersion") == API_VERSION:
                    found.append(read_offer(body))
            except (yaml.YAMLError, ValueError, RecursionError, ApprovalError):
                continue
        return found

    def _files(self) -> Iterator[tuple[Path, bytes]]:
        for path in sorted(self._folder.glob("*.yaml")):
            with contextlib.suppress(OSError):  # it may go while it is looked at
                if path.is_file() and path.stat().st_size <= _LARGEST_FILE:
                    yield path, path.read_bytes()
