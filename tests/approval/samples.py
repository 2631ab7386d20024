"""A statement to bend, and an organisation of two."""

from __future__ import annotations

from flagseal.approval.statement import Statement
from flagseal.model.policies import Organisation, Person
from tests.approval.keyring import SshKey

STATEMENT = Statement(
    repository_id="git:" + "1" * 40,
    repository_name="acme/flags",
    ref="refs/heads/main",
    from_commit="a" * 40,
    commit="b" * 40,
    tree="c" * 40,
    sequence=7,
    before="sha256:" + "d" * 64,
    after="sha256:" + "e" * 64,
    subjects={"FlagDefinition/payments/new-checkout": "sha256:" + "f" * 64},
    replaces={"FlagDefinition/payments/new-checkout": None},
    contributors=("bob",),
    ticket="PAY-1",
)


def organisation(**keys: tuple[str, ...]) -> Organisation:
    """Make an organisation: each person with the keys of the names given."""
    people = {
        person: Person(person, person.title(), keys=tuple(SshKey.of(name).line for name in names))
        for person, names in keys.items()
    }
    return Organisation(people, {}, {})
