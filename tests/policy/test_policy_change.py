from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.document import Document
from flagseal.policy.policy_change import classify_policies

if TYPE_CHECKING:
    from collections.abc import Callable

ORGANISATION: dict[str, Any] = {
    "people": {
        "alice": {
            "name": "Alice",
            "github": {"login": "alice-m", "id": 101},
            "keys": ["ssh-ed25519 A", "ssh-ed25519 B"],
        },
        "bob": {"name": "Bob", "keys": ["ssh-ed25519 C"]},
        "frank": {"name": "Frank"},
    },
    "teams": {
        "team-payments": {"members": ["alice", {"person": "bob", "until": "2026-12-31"}]},
        "empty": {"members": []},
    },
    "roles": {
        "security": {"people": ["frank", "alice"], "environments": ["production", "staging"]},
        "manager": {"people": ["bob"], "teams": ["team-payments"]},
    },
}
ACCESS: dict[str, Any] = {
    "issuers": [{"name": "cluster", "issuer": "https://c", "audience": "flagseal", "kind": "workload"}],
    "bindings": [
        {
            "name": "payments",
            "subject": {"issuer": "cluster", "claims": {"sub": "a"}},
            "role": "flag-reader",
            "operations": ["evaluate", "snapshot.read"],
            "namespaces": ["payments", "platform"],
            "environments": ["production"],
            "until": "2027-06-30",
        },
        {"name": "ci", "subject": {"issuer": "cluster", "claims": {"sub": "b"}}, "role": "d", "until": "2027-06-30"},
    ],
    "lifetimes": {"workload": "10m", "human": "30m"},
    "revoked": [{"subject": "legacy:*", "reason": "retired", "since": "2026-11-01T00:00:00Z"}],
    "relays": [{"name": "edge", "keys": ["k1"], "namespaces": ["payments"], "audiences": ["a"]}],
    "anonymous": {"namespaces": ["platform", "storefront"], "environments": ["staging", "production"]},
}


def class_of(kind: str, spec: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> str:
    """Edit a copy of a policy document, and class the change."""
    changed = copy.deepcopy(spec)
    edit(changed)
    before, after = Document(kind, None, "d", spec), Document(kind, None, "d", changed)
    assert before.digest != after.digest, "the edit changed nothing"
    return classify_policies([(before, after)])[0]


REMOVALS: list[Callable[[dict[str, Any]], object]] = [
    lambda s: s["people"].pop("bob"),
    lambda s: s["people"]["alice"]["keys"].pop(),
    lambda s: s["people"]["alice"].pop("keys"),
    lambda s: s["people"]["alice"].pop("github"),
    lambda s: s["teams"].pop("team-payments"),
    lambda s: s["teams"]["team-payments"]["members"].pop(0),
    lambda s: s["teams"]["team-payments"]["members"].__setitem__(0, {"person": "alice", "until": "2027-01-01"}),
    lambda s: s["teams"]["team-payments"]["members"][1].__setitem__("until", "2026-11-30"),
    lambda s: s["roles"].pop("manager"),
    lambda s: s["roles"]["security"]["people"].remove("alice"),
    lambda s: s["roles"]["manager"].pop("teams"),
    lambda s: s["roles"]["security"]["environments"].remove("staging"),
    lambda s: s["roles"]["manager"].__setitem__("environments", ["staging"]),
]


@pytest.mark.parametrize("number", range(len(REMOVALS)))
def test_taking_people_keys_members_or_roles_away_is_toward_safe(number: int) -> None:
    """The way to remove an approver must not be hard."""
    assert class_of("Organisation", ORGANISATION, REMOVALS[number]) == "toward-safe"


ADDITIONS: list[Callable[[dict[str, Any]], object]] = [
    lambda s: s["people"].__setitem__("mallory", {"name": "Mallory"}),
    lambda s: s["people"]["bob"]["keys"].append("ssh-ed25519 M"),
    lambda s: s["people"]["bob"].__setitem__("keys", ["ssh-ed25519 M"]),
    lambda s: s["people"]["frank"].__setitem__("keys", ["ssh-ed25519 M"]),
    lambda s: s["people"]["alice"]["github"].__setitem__("id", 666),
    lambda s: s["people"]["bob"].__setitem__("github", {"login": "m", "id": 666}),
    lambda s: s["people"]["bob"].__setitem__("kubernetes", {"username": "m"}),
    lambda s: s["people"]["bob"].__setitem__("name", "Alice"),
    lambda s: s["teams"].__setitem__("new", {"members": []}),
    lambda s: s["teams"]["team-payments"].__setitem__("description", "ours"),
    lambda s: s["teams"]["empty"]["members"].append("bob"),
    lambda s: s["teams"]["team-payments"]["members"].append("bob"),
    lambda s: s["teams"]["team-payments"]["members"].__setitem__(1, "bob"),
    lambda s: s["teams"]["team-payments"]["members"][1].__setitem__("until", "2027-12-31"),
    lambda s: s["teams"]["team-payments"]["members"][1].pop("until"),
    lambda s: s["roles"].__setitem__("new", {"people": []}),
    lambda s: s["roles"]["security"]["people"].append("bob"),
    lambda s: s["roles"]["security"].__setitem__("teams", ["team-payments"]),
    lambda s: s["roles"]["security"].pop("environments"),
    lambda s: s["roles"]["security"].__setitem__("environments", []),
    lambda s: s["roles"]["security"]["environments"].append("qa"),
    lambda s: s["roles"]["security"].__setitem__("environments", ["qa"]),
    lambda s: s.__setitem__("ignore", [{"rule": "FS601", "reason": "x", "until": "2027-01-01"}]),
    lambda s: (s["people"].pop("bob"), s["people"]["frank"].__setitem__("keys", ["ssh-ed25519 C"])),
]


@pytest.mark.parametrize("number", range(len(ADDITIONS)))
def test_whatever_may_let_somebody_do_more_widens(number: int) -> None:
    """A removal that empties a list of limits, and a removal beside an addition, among them."""
    assert class_of("Organisation", ORGANISATION, ADDITIONS[number]) == "widen"


ACCESS_REMOVALS: list[Callable[[dict[str, Any]], object]] = [
    lambda s: s["issuers"].pop(),
    lambda s: s["bindings"].pop(),
    lambda s: s["bindings"].clear(),
    lambda s: s["bindings"].reverse(),
    lambda s: s["bindings"][0].__setitem__("until", "2026-12-01"),
    lambda s: s["bindings"][0]["operations"].pop(),
    lambda s: s["bindings"][1].__setitem__("operations", ["evaluate"]),
    lambda s: s["bindings"][0]["namespaces"].pop(),
    lambda s: s["lifetimes"].__setitem__("workload", "90s"),
    lambda s: s["revoked"].append({"jti": "x", "reason": "stolen", "since": "2026-11-20T00:00:00Z"}),
    lambda s: s["relays"].pop(),
    lambda s: s.pop("anonymous"),
    lambda s: s["anonymous"]["namespaces"].pop(),
    lambda s: s["anonymous"]["environments"].pop(),
]


@pytest.mark.parametrize("number", range(len(ACCESS_REMOVALS)))
def test_taking_access_away_is_toward_safe(number: int) -> None:
    """A revocation is added by one approval and without a window (access.md)."""
    assert class_of("AccessPolicy", ACCESS, ACCESS_REMOVALS[number]) == "toward-safe"


ACCESS_ADDITIONS: list[Callable[[dict[str, Any]], object]] = [
    lambda s: s["issuers"][0].__setitem__("issuer", "https://evil"),
    lambda s: s["bindings"].append({**s["bindings"][1], "name": "more"}),
    lambda s: s["bindings"].append(s["bindings"][1]),
    lambda s: s["bindings"][0]["subject"]["claims"].__setitem__("sub", "*"),
    lambda s: s["bindings"][0]["subject"]["claims"].pop("sub"),
    lambda s: s["bindings"][0].__setitem__("role", "flag-deployer"),
    lambda s: s["bindings"][0].__setitem__("until", "2028-06-30"),
    lambda s: s["bindings"][0].pop("operations"),
    lambda s: s["bindings"][0].pop("namespaces"),
    lambda s: s["bindings"][0].pop("environments"),
    lambda s: s["bindings"][1].__setitem__("namespaces", ["payments"]),
    lambda s: s["lifetimes"].__setitem__("workload", "11m"),
    lambda s: s["lifetimes"].__setitem__("workload", "1h"),
    lambda s: s["lifetimes"].pop("human"),
    lambda s: s["lifetimes"].__setitem__("ci", "1m"),
    lambda s: s["revoked"].clear(),
    lambda s: s["revoked"][0].__setitem__("subject", "nobody"),
    lambda s: s["relays"][0]["keys"].append("k2"),
    lambda s: s["anonymous"]["namespaces"].append("payments"),
    lambda s: s["anonymous"]["namespaces"].clear(),
    lambda s: s["anonymous"].pop("environments"),
    lambda s: s.__setitem__("surprise", True),
]


@pytest.mark.parametrize("number", range(len(ACCESS_ADDITIONS)))
def test_whatever_may_open_access_widens(number: int) -> None:
    """Binding fields whose absence may mean everything among them."""
    assert class_of("AccessPolicy", ACCESS, ACCESS_ADDITIONS[number]) == "widen"


def test_anonymous_access_that_was_not_there_widens() -> None:
    """Answering without a token is authority for everybody."""
    without = {name: value for name, value in ACCESS.items() if name != "anonymous"}
    assert class_of("AccessPolicy", without, lambda s: s.__setitem__("anonymous", {"namespaces": []})) == "widen"


@pytest.mark.parametrize(
    ("kind", "spec", "edit"),
    [
        (
            "ApprovalPolicy",
            {"tiers": {"sensitive": {"production": {"widen": {"approvals": [{"role": "owner", "count": 1}]}}}}},
            lambda s: s["tiers"]["sensitive"]["production"]["widen"]["approvals"].pop(),
        ),
        ("ApprovalPolicy", {"tiers": {"sensitive": {}}}, lambda s: s["tiers"].pop("sensitive")),
        ("ChangeCalendar", {"windows": {}, "blackouts": [{"name": "x"}]}, lambda s: s["blackouts"].pop()),
        ("ChangeCalendar", {"windows": {}, "blackouts": []}, lambda s: s["blackouts"].append({"name": "x"})),
        ("EnvironmentList", {"environments": {"a": {"production": True}}}, lambda s: s["environments"].pop("a")),
        ("LifecyclePolicy", {"maxLifetime": {"release": "180d"}}, lambda s: s["maxLifetime"].pop("release")),
        ("TrustTiers", {"tiers": {"partner": {"protocols": ["jwt", "mtls"]}}}, lambda s: s["tiers"].clear()),
    ],
)  # fmt: skip
def test_a_removal_from_any_other_policy_is_not_a_removal_of_authority(
    kind: str, spec: dict[str, Any], edit: Callable[[dict[str, Any]], object]
) -> None:
    """Dropping an approval, a row or a blackout makes changes easier; adding one can block the way back."""
    assert class_of(kind, spec, edit) == "widen"


def test_creating_or_deleting_a_policy_document_widens() -> None:
    """Also under another name: the one that goes took its revocations with it."""
    document = Document("AccessPolicy", None, "access", ACCESS)
    assert classify_policies([(None, document)])[0] == "widen"
    assert classify_policies([(document.tombstone(), document)])[0] == "widen"
    assert classify_policies([(document, document.tombstone())])[0] == "widen"
    assert classify_policies([(document, None)])[0] == "widen"


def test_one_widening_document_makes_the_whole_change_widen_and_says_which() -> None:
    """A removal beside it does not help."""
    fewer = copy.deepcopy(ORGANISATION)
    fewer["people"].pop("bob")
    more = copy.deepcopy(ACCESS)
    more["lifetimes"]["workload"] = "1d"
    found, why = classify_policies(
        [
            (Document("Organisation", None, "o", ORGANISATION), Document("Organisation", None, "o", fewer)),
            (Document("AccessPolicy", None, "a", ACCESS), Document("AccessPolicy", None, "a", more)),
        ]
    )
    assert found == "widen"
    assert why == ("AccessPolicy/a: tokens of workload may live longer",)


def test_a_number_that_becomes_a_boolean_is_a_change() -> None:
    """Python takes True for 1; JSON, and whoever reads the policy, does not."""
    assert class_of("AccessPolicy", {**ACCESS, "x": 1}, lambda s: s.__setitem__("x", True)) == "widen"
