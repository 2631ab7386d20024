"""Organisation and EnvironmentList (formats.md, Policies): who is who, and where flags are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.schema.envelope import document, ignored
from flagseal.model.schema.vocabulary import (
    DURATION,
    GITHUB_LOGIN,
    LARGEST_ID,
    SLUG,
    TIERS,
    boolean,
    day,
    integer,
    label,
    listing,
    record,
    slug,
    table,
    text,
    word,
)

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

OPENSSH_KEY = "^(ssh-ed25519|sk-ssh-ed25519@openssh[.]com|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]+={0,2}( [^ ].*)?$"

_PERSON = record(
    "One human being, however many accounts and keys.",
    {
        "name": text("The person's name.", longest=256),
        "github": record(
            "The account in the forge.",
            {
                "login": text("The account's name.", pattern=GITHUB_LOGIN, longest=39),
                "id": integer("The account's number, which survives a change of name.", least=1, most=LARGEST_ID),
            },
            required=("login", "id"),
        ),
        "kubernetes": record(
            "The account in the clusters.",
            {"username": text("The name the API server authenticates.", longest=256)},
            required=("username",),
        ),
        "keys": listing(
            "Public keys that the person signs commits and approvals with, in OpenSSH form.",
            text("A public key: ssh-ed25519 AAAA… comment.", pattern=OPENSSH_KEY, longest=4096),
        ),
    },
    required=("name",),
)

_MEMBER: JsonSchema = {
    "type": ["string", "object"],
    "description": "A person, or a person whose membership ends by itself.",
    "pattern": SLUG,
    "minLength": 1,
    "maxLength": 63,
    "properties": {
        "person": slug("The person."),
        "until": day("The last day of the membership."),
    },
    "required": ["person"],
    "additionalProperties": False,
}

ORGANISATION = document(
    "Organisation",
    "Who is who: people with their accounts and keys, teams, and roles.",
    record(
        "The organisation.",
        {
            "people": table("People, by a short name.", _PERSON, keys=slug("The person's short name."), least=1),
            "teams": table(
                "Teams; a flag's owner is one.",
                record(
                    "One team.",
                    {
                        "description": text("What the team does."),
                        "members": listing("Who belongs to it.", _MEMBER),
                    },
                    required=("members",),
                ),
                keys=slug("The team's name."),
            ),
            "roles": table(
                "Roles that approval rows ask for. `owner` is reserved: the flag's own team.",
                {
                    **record(
                        "Who holds the role.",
                        {
                            "people": listing("People who hold it.", slug("A person.")),
                            "teams": listing("Teams whose members hold it.", slug("A team.")),
                            "environments": listing(
                                "The environments in which it counts (default: all).", label("An environment."), least=1
                            ),
                        },
                    ),
                    "anyOf": [{"required": ["people"]}, {"required": ["teams"]}],
                },
                keys=slug("The role's name."),
            ),
            "ignore": ignored(),
        },
        required=("people", "teams", "roles"),
    ),
)

ENVIRONMENT_LIST = document(
    "EnvironmentList",
    "The environments in which flags are served.",
    record(
        "The environments.",
        {
            "environments": table(
                "Environments, by name.",
                record(
                    "One environment.",
                    {
                        "production": boolean("Whether the rows for production hold here."),
                        "regions": listing("Where it runs.", text("A region.", longest=63)),
                        "bucketing": word(
                            "How splits hash (default: v2); changing it moves people.", ("v1", "v2", "v3")
                        ),
                        "staleness": {
                            "type": "object",
                            "description": "What happens once a snapshot is too old, by tier (default: keep).",
                            "properties": {
                                tier: record(
                                    f"For flags of tier {tier}.",
                                    {
                                        "limit": text("The age that is too old (15m).", pattern=DURATION, longest=7),
                                        "onStale": word(
                                            "Keep the last good answer, or serve the safe variant.", ("keep", "safe")
                                        ),
                                    },
                                    required=("limit", "onStale"),
                                )
                                for tier in TIERS
                            },
                            "additionalProperties": False,
                        },
                    },
                    required=("production",),
                ),
                keys=label("The environment's name."),
                least=1,
            ),
            "ignore": ignored(),
        },
        required=("environments",),
    ),
)
