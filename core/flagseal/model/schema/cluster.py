"""The kinds that exist only in a cluster (operator.md, Resources): what carries, declares and holds there.

None of them is a document of a repository, so the loader goes on refusing them in files; they are written in the same
words, and become custom resource definitions by the same way.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flagseal.model.document import API_VERSION, POLICY_KINDS
from flagseal.model.schema.envelope import document
from flagseal.model.schema.vocabulary import (
    DNS_LABEL,
    DURATION,
    exactly_one_of,
    instant,
    integer,
    label,
    listing,
    record,
    text,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.schema.vocabulary import JsonSchema

BASE64 = "^[A-Za-z0-9+/]+={0,2}$"
CARRIER = "^[0-9a-f]{64}(-[1-9][0-9]{0,3})?$"
"""A SHA-256 in hexadecimal; the second and later objects that carry the same statement count on from -2."""

POLICY_NAME = f"^({'|'.join(kind.lower() for kind in POLICY_KINDS)})[.][a-z0-9]([-a-z0-9]*[a-z0-9])?$"
GIT_URL = (
    "^(https://[^ @/]+(/[^ ]*)?|ssh://[A-Za-z0-9_][^ /]*/[^ ]*|file:///[^ ]*"
    "|[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^ ]+)$"
)
"""Nothing that git reads as an option or as a helper to run, and no password: those lie beside it, in a Secret."""

LARGEST_OBJECT: Final = 512 * 1024
"""Bytes of one resource: etcd takes 1.5 MiB, and a watch carries many."""

MOST_PIECES: Final = 32
"""Objects that the payload of one statement may be spread over."""

OVERRIDE_ACTIONS = ("rollback", "freeze")
APPLY_MODES = ("everything", "approvals")

_LONGEST_PAYLOAD = LARGEST_OBJECT
_LONGEST_SIGNATURE = 11_000
_INCIDENT = text("The incident that it belongs to, as your incident system calls it.", longest=128)
_REASON = text("Why, in words for whoever reviews it.")
_UNTIL = instant("When it ends by itself (RFC 3339, UTC); never later than policy allows.")
_ENVIRONMENT = label("The environment that is meant; an operator of another one leaves it alone.")


_NAME = label("What the resource is called.")


def _ends(kind: str) -> JsonSchema:
    return label(f"End the {kind} of this name now, in place of starting one. It needs a proof of its own.")


_SIGNATURES = listing(
    "The signatures. Being listed here proves nothing: each is verified.",
    record(
        "One signature, and whose key it claims to be by.",
        {
            "keyid": text("The key that it claims.", longest=256),
            "sig": text("The signature, in base64.", pattern=BASE64, longest=_LONGEST_SIGNATURE),
        },
        required=("keyid", "sig"),
    ),
)
_TYPE = text("The type of the payload.", longest=256)

_ENVELOPE = record(
    "One DSSE envelope: an approval statement with every signature collected for it.",
    {
        "payload": text("The statement, in base64.", pattern=BASE64, longest=_LONGEST_PAYLOAD),
        "payloadType": _TYPE,
        "signatures": _SIGNATURES,
    },
    required=("payload", "payloadType", "signatures"),
)

_PIECE = record(
    "A piece of one statement that is too large for an object. Its number is that in this object's name; the whole "
    "counts once all are there and hash to that name.",
    {
        "of": integer("How many pieces there are.", least=1, most=MOST_PIECES),
        "payload": text("This piece of the statement, in base64.", pattern=BASE64, longest=_LONGEST_PAYLOAD),
        "payloadType": _TYPE,
        "signatures": _SIGNATURES,
    },
    required=("of", "payload", "payloadType", "signatures"),
)

FLAG_APPROVAL = document(
    "FlagApproval",
    "Approval statements, and the documents that they approve. It only carries: who wrote it proves nothing.",
    {
        **record(
            "What is carried: envelopes or a piece of one, documents, or both.",
            {
                "envelopes": listing("Approval statements as they were signed.", _ENVELOPE, least=1),
                "piece": _PIECE,
                "documents": listing(
                    "Documents, each as text: its canonical JSON (RFC 8785), which no tool on the way can change.",
                    text("The canonical JSON of one document.", longest=LARGEST_OBJECT),
                    least=1,
                ),
            },
        ),
        "anyOf": [{"required": ["envelopes"]}, {"required": ["piece"]}, {"required": ["documents"]}],
    },
    name=text(
        "The SHA-256 of the statement's payload (or of the genesis manifest) in hexadecimal; what does not fit into "
        "one object goes on in others, called the same with -2, -3 and so on.",
        pattern=CARRIER,
        longest=69,
    ),
    namespaced=False,
)

FLAG_POLICY = document(
    "FlagPolicy",
    "One document of the policies/ folder, whole. It only carries: the approved history decides which is in force.",
    record(
        "The one document that is carried.",
        {
            "document": record(
                "The document as in git.",
                {
                    "apiVersion": {"type": "string", "description": "The version of the format.", "const": API_VERSION},
                    "kind": word("What kind of policy this is.", POLICY_KINDS),
                    "metadata": record(
                        "What the document is called, and nothing else.",
                        {"name": label("What the document is called.")},
                        required=("name",),
                    ),
                    "spec": {
                        "type": "object",
                        "description": "What the policy says; its kind has a schema of its own.",
                    },
                },
                required=("apiVersion", "kind", "metadata", "spec"),
            ),
        },
        required=("document",),
    ),
    name=text("The policy's kind in lower case, a dot, and its name.", pattern=POLICY_NAME, longest=127),
    namespaced=False,
)

FLAG_REPOSITORY = document(
    "FlagRepository",
    "A git repository to take approvals, and documents, from. Branch, identity and genesis come from trust.json alone.",
    record(
        "Where it is, and what is taken from it.",
        {
            "url": text(
                "Where git fetches from: https, ssh or file; without a password.", pattern=GIT_URL, longest=1024
            ),
            "interval": text("How often it is looked at (default: 30s).", pattern=DURATION, longest=7),
            "apply": word(
                "Write resources of every kind, or approvals only, beside a tool that delivers the others.", APPLY_MODES
            ),
            "credentials": text(
                "The folder with the credentials, below the operator's --credentials folder: a mounted Secret.",
                pattern=DNS_LABEL,
                longest=63,
            ),
        },
        required=("url", "apply"),
    ),
    name=_NAME,
    namespaced=False,
)

FLAG_FREEZE = document(
    "FlagFreeze",
    "A change freeze: approvals go on being accepted, and nothing takes effect in its scope until it ends.",
    exactly_one_of(
        record(
            "What is frozen, why and until when; or which freeze ends.",
            {
                "namespaces": listing(
                    "The namespaces that are frozen (default: all).",
                    label("A namespace; flags that come into it later are held too."),
                    least=1,
                ),
                "environment": _ENVIRONMENT,
                "incident": _INCIDENT,
                "reason": _REASON,
                "until": _UNTIL,
                "ends": _ends("FlagFreeze"),
            },
            required=("environment", "incident", "reason"),
        ),
        "until",
        "ends",
    ),
    name=_NAME,
    namespaced=False,
)

EMERGENCY_OVERRIDE = document(
    "EmergencyOverride",
    "Break-glass: one flag goes to its safe variant for everyone, or stays as it is, for a limited time.",
    {
        **exactly_one_of(
            record(
                "Which flag, what happens to it, why and until when; or which override ends.",
                {
                    "flag": label("The flag, by its name; it lies in the same namespace."),
                    "environment": _ENVIRONMENT,
                    "action": word(
                        "Serve the safe variant to everyone, or let no change take effect.", OVERRIDE_ACTIONS
                    ),
                    "incident": _INCIDENT,
                    "reason": _REASON,
                    "until": _UNTIL,
                    "ends": _ends("EmergencyOverride"),
                },
                required=("flag", "environment", "incident", "reason"),
            ),
            "until",
            "ends",
        ),
        "dependentRequired": {"until": ["action"]},
    },
    name=_NAME,
    namespaced=True,
)

CLUSTER_SCHEMAS: Final[Mapping[str, JsonSchema]] = MappingProxyType(
    {
        "FlagPolicy": FLAG_POLICY,
        "FlagApproval": FLAG_APPROVAL,
        "FlagRepository": FLAG_REPOSITORY,
        "FlagFreeze": FLAG_FREEZE,
        "EmergencyOverride": EMERGENCY_OVERRIDE,
    }
)
"""By kind. Treat every node as immutable."""
