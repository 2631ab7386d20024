"""What every document has around its spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.document import API_VERSION, NAMESPACED_KINDS
from flagseal.model.schema.vocabulary import RULE_ID, day, label, listing, record, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.schema.vocabulary import JsonSchema

SCHEMA_BASE = "https://flagseal.dev/schemas/v1alpha1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def document(
    kind: str,
    description: str,
    spec: JsonSchema,
    *,
    definitions: Mapping[str, JsonSchema] | None = None,
    name: JsonSchema | None = None,
    namespaced: bool | None = None,
) -> JsonSchema:
    """Describe a whole document of a kind.

    Args:
        kind: The kind.
        description: What a document of this kind is for.
        spec: The schema of its spec.
        definitions: Shared nodes that the spec refers to.
        name: How it may be called, for resources that are no file of a repository.
        namespaced: Whether it carries a namespace; by default as :data:`~flagseal.model.document.NAMESPACED_KINDS` say.
    """
    names = {"name": name or label("What the document is called: a DNS label, and the name of its file.")}
    if namespaced if namespaced is not None else kind in NAMESPACED_KINDS:
        names["namespace"] = label(
            "The namespace, which must equal the folder that holds the file." if name is None else "The namespace."
        )
    schema: JsonSchema = {
        "$schema": DIALECT,
        "$id": f"{SCHEMA_BASE}/{kind}.json",
        "title": kind,
        **record(
            description,
            {
                "apiVersion": {"type": "string", "description": "The version of the format.", "const": API_VERSION},
                "kind": {"type": "string", "description": "What kind of document this is.", "const": kind},
                "metadata": record("What the document is called, and nothing else.", names, required=tuple(names)),
                "spec": spec,
            },
            required=("apiVersion", "kind", "metadata", "spec"),
        ),
    }
    if definitions:
        schema["$defs"] = dict(definitions)
    return schema


def ignored() -> JsonSchema:
    """Describe the list of suppressed rules; it is part of the digest, so it is approved like all else."""
    return listing(
        "Rules of the gate that this document is excused from, each with a reason and an end.",
        record(
            "A rule that is suppressed here, and why.",
            {
                "rule": text("The rule's id (FS305).", pattern=RULE_ID, longest=5),
                "reason": text("Why it does not apply here."),
                "until": day("The last day on which it is suppressed."),
            },
            required=("rule", "reason", "until"),
        ),
    )
