"""AccessPolicy and TrustTiers (access.md, auth-protocols.md): who may read, and what proves a workload."""

from __future__ import annotations

from flagseal.model.schema.envelope import document, ignored
from flagseal.model.schema.vocabulary import (
    DURATION,
    HTTPS,
    boolean,
    day,
    instant,
    label,
    listing,
    record,
    slug,
    table,
    text,
    word,
)

ISSUER_KINDS = ("workload", "ci", "human")
OPERATIONS = (
    "evaluate",
    "snapshot.read",
    "approval.attest",
    "resources.apply",
    "freeze",
    "override",
    "audit.read",
    "report.read",
)
WORKLOAD_CLASSES = ("internal", "external", "partner", "ai-agent")
PROTOCOLS = ("jwt", "mtls", "hmac", "token", "all-of", "any-of")

_NAMESPACES = listing("The namespaces.", label("A folder under flags/, which is a namespace of the cluster."), least=1)

ACCESS_POLICY = document(
    "AccessPolicy",
    "Who may read flags and run the machinery. No binding, no token.",
    record(
        "Issuers and bindings.",
        {
            "issuers": listing(
                "Who may vouch for an identity.",
                record(
                    "One issuer.",
                    {
                        "name": slug("What bindings call it."),
                        "issuer": text("The `iss` of its tokens.", pattern=HTTPS),
                        "jwks": text("Where its keys are: a URL, or `cluster` for the API server's own."),
                        "audience": text("The only `aud` that is accepted.", longest=256),
                        "kind": word("Whom it vouches for.", ISSUER_KINDS),
                    },
                    required=("name", "issuer", "audience", "kind"),
                ),
            ),
            "bindings": listing(
                "Who may do what, where, until when.",
                record(
                    "One binding.",
                    {
                        "name": text("What the binding is for, in words.", longest=128),
                        "subject": record(
                            "Whose tokens are meant.",
                            {
                                "issuer": slug("The name of an issuer above."),
                                "claims": table(
                                    "Claims that must match exactly, or by a trailing `*`.",
                                    text("The value."),
                                    keys=text("The claim.", longest=128),
                                    least=1,
                                ),
                            },
                            required=("issuer", "claims"),
                        ),
                        "role": slug("The role whose operations are granted."),
                        "operations": listing(
                            "Which of the role's operations (default: all).", word("An operation.", OPERATIONS), least=1
                        ),
                        "namespaces": _NAMESPACES,
                        "environments": listing("The environments.", label("An environment."), least=1),
                        "until": day("The last day; access ends by itself unless renewed."),
                    },
                    required=("name", "subject", "role", "until"),
                ),
            ),
            "lifetimes": record(
                "How long tokens live.",
                {
                    name: text(f"For {name} (10m).", pattern=DURATION, longest=7)
                    for name in (*ISSUER_KINDS, "high-risk")
                },
            ),
            "revoked": listing(
                "Identities and tokens that are refused.",
                {
                    **record(
                        "One revocation.",
                        {
                            "subject": text("A subject, exactly or by a trailing `*`."),
                            "class": word("A whole class of identities.", ISSUER_KINDS),
                            "jti": text("One token.", longest=256),
                            "issuedBefore": instant("Tokens issued before this instant."),
                            "reason": text("Why it is refused."),
                            "since": instant("Since when it is refused."),
                        },
                        required=("reason", "since"),
                    ),
                    "anyOf": [
                        {"required": ["subject"]},
                        {"required": ["class"]},
                        {"required": ["jti"]},
                        {"required": ["issuedBefore"]},
                    ],
                },
            ),
            "relays": listing(
                "Which relay's key may mint tokens for what.",
                record(
                    "One relay.",
                    {
                        "name": slug("The relay."),
                        "keys": listing("Key ids it may sign with.", text("A key id.", longest=256), least=1),
                        "namespaces": _NAMESPACES,
                        "audiences": listing("Audiences it may mint for.", text("An audience.", longest=256), least=1),
                    },
                    required=("name", "keys", "namespaces", "audiences"),
                ),
            ),
            "anonymous": record(
                "What is answered without a token.",
                {
                    "namespaces": listing(
                        "The namespaces.", label("A folder under flags/, which is a namespace of the cluster.")
                    ),
                    "environments": listing("The environments (default: all).", label("An environment."), least=1),
                },
                required=("namespaces",),
            ),
            "ignore": ignored(),
        },
        required=("issuers", "bindings", "lifetimes"),
    ),
)

TRUST_TIERS = document(
    "TrustTiers",
    "How far workloads are trusted, and which protocols may prove them.",
    record(
        "The trust tiers.",
        {
            "tiers": {
                "type": "object",
                "description": "Trust tiers by class of workload.",
                "properties": {
                    name: record(
                        f"Workloads of class {name}.",
                        {
                            "workloads": listing(
                                "Identities that belong to it, exactly or by a trailing `*`.", text("An identity.")
                            ),
                            "protocols": listing("What may prove them.", word("A protocol.", PROTOCOLS), least=1),
                            "onFailure": word(
                                "When the chosen protocol fails: the previous one, with a notice, or deny.",
                                ("previous", "deny"),
                            ),
                            "alert": boolean("Whether a failure alerts somebody."),
                        },
                        required=("protocols", "onFailure"),
                    )
                    for name in WORKLOAD_CLASSES
                },
                "additionalProperties": False,
                "minProperties": 1,
            },
            "ignore": ignored(),
        },
        required=("tiers",),
    ),
)
