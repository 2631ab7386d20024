"""Policies as one set, and what invalidates the whole of it (formats.md, Policies)."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time

import pytest

from flagseal.model.canonical import canonical_json
from flagseal.model.document import Document
from flagseal.model.errors import InvalidPolicies
from flagseal.model.policies import Member, PolicySet, Role, RoleCount, Staleness
from flagseal.model.policy_set import load_policies
from tests.model.samples import (
    ACCESS,
    APPROVALS,
    CALENDAR,
    ENVIRONMENTS,
    FLAG,
    LIFECYCLE,
    ORGANISATION,
    POLICIES,
    POLICY_TEST,
    TRUST_TIERS,
    load,
    public_key,
    spoilt,
)


def documents(*texts: str) -> list[Document]:
    """Load texts, all of which must load."""
    loaded = [load(text) for text in texts]
    assert [finding.text() for each in loaded for finding in each.findings] == []
    return [document for each in loaded for document in each.documents]


def changed(sample: str, old: str, new: str) -> list[Document]:
    """Give all policies with one passage of one of them replaced."""
    return documents(*(spoilt(text, old, new) if text is sample else text for text in (*POLICIES, ACCESS)))


def violations(given: list[Document]) -> list[str]:
    """Tell what load_policies refuses: ``line:column rule path``."""
    with pytest.raises(InvalidPolicies) as refused:
        load_policies(given)
    return [f"{found.line}:{found.column} {found.rule} {found.path}" for found in refused.value.findings]


@pytest.fixture(name="policies")
def valid_policies() -> PolicySet:
    """Give the samples as a set."""
    return load_policies(documents(*POLICIES, ACCESS, TRUST_TIERS))


def test_people_teams_and_roles_are_read(policies: PolicySet) -> None:
    """Accounts, keys, memberships with an end, roles of some environments."""
    organisation = policies.organisation
    alice, bob = organisation.people["alice"], organisation.people["bob"]
    assert (alice.name, alice.github_login, alice.github_id, alice.kubernetes_username) == (
        "Alice",
        "alice-m",
        101,
        None,
    )
    assert (bob.github_id, bob.kubernetes_username, bob.keys) == (None, "bob@example.com", (public_key(2, "bob"),))
    assert organisation.teams == {"team-payments": (Member("alice"), Member("bob", date(2026, 12, 31)))}
    assert organisation.roles["security"] == Role("security", people=("alice",), environments=("production",))


def test_environments_are_read(policies: PolicySet) -> None:
    """Bucketing has a default; staleness is in seconds."""
    production, staging = policies.environments["production"], policies.environments["staging"]
    assert (production.production, production.bucketing) == (True, "v3")
    assert production.staleness == {"sensitive": Staleness(900, "safe")}
    assert (staging.production, staging.bucketing, staging.staleness) == (False, "v2", {})


def test_rows_are_read(policies: PolicySet) -> None:
    """A row knows where it stands; only rows that are written exist."""
    row = policies.approval.tiers["sensitive", "production", "widen"]
    assert row.place == "tiers.sensitive.production.widen"
    assert row.approvals == (RoleCount("owner", 1), RoleCount("security", 1))
    assert (row.evidence, row.after, row.ticket_required, row.window, row.max_step) == (
        "both", ("staging",), True, "business-hours", 25,
    )  # fmt: skip
    assert set(policies.approval.tiers) == {
        ("sensitive", "production", "widen"),
        ("sensitive", "production", "toward-safe"),
    }
    assert set(policies.approval.policies) == {"widen"}


def test_lifecycle_and_calendar_are_read(policies: PolicySet) -> None:
    """Days are numbers, clocks are times, 24:00 is the midnight after."""
    assert policies.lifecycle.max_lifetime_days == {"release": 180, "experiment": 90}
    assert (policies.lifecycle.review_days, policies.lifecycle.warn_before_days) == ({"entitlement": 90}, 14)
    assert policies.lifecycle.transitions == {"draft": ("review",), "*": ("retired",)}
    hours, late = policies.calendar.windows["business-hours"], policies.calendar.windows["late"]
    assert (hours.timezone, hours.days, hours.start, hours.end) == (
        "Europe/Berlin",
        frozenset({0, 3}),
        time(9),
        time(16),
    )
    assert (late.start, late.end) == (time(22), time(0))
    assert policies.calendar.blackouts[0].since == datetime(2026, 12, 20, tzinfo=UTC)
    assert policies.calendar.blackouts[0].until == datetime(2027, 1, 3, tzinfo=UTC)


def test_the_access_policy_is_optional_and_kept_as_it_is(policies: PolicySet) -> None:
    """It belongs to the relay."""
    assert isinstance(policies.access, dict)
    assert load_policies(documents(*POLICIES)).access is None


def test_flags_tests_and_tombstones_are_passed_over(policies: PolicySet) -> None:
    """The set can be read from all documents of a repository."""
    given = documents(*POLICIES, ACCESS, TRUST_TIERS, FLAG, POLICY_TEST)
    removed = Document("Organisation", None, "old", None)
    assert load_policies([*given, removed]) == policies


def test_the_digest_is_over_the_canonical_forms_sorted_by_kind_and_name(policies: PolicySet) -> None:
    """Neither the order of files nor anything but the documents counts."""
    given = documents(*POLICIES, ACCESS, TRUST_TIERS)
    bodies = [document.body() for document in sorted(given, key=lambda document: document.kind)]
    assert policies.digest == "sha256:" + hashlib.sha256(canonical_json(bodies)).hexdigest()
    assert load_policies(reversed(given)).digest == policies.digest
    assert load_policies([*given, *documents(FLAG)]).digest == policies.digest
    assert load_policies(given[:-1]).digest != policies.digest


@pytest.mark.parametrize("text", POLICIES, ids=lambda text: text.splitlines()[1])
def test_each_required_kind_stands_exactly_once(text: str) -> None:
    """Without it, or with two of it, there is no set."""
    assert violations(documents(*(other for other in POLICIES if other is not text))) == ["0:0 FS601 $"]
    again = text.replace("metadata: {name: ", "metadata: {name: second-")
    assert violations(documents(*POLICIES, again)) == ["2:1 FS601 $.kind"]


CASES = [
    (ORGANISATION, public_key(2, "bob"), public_key(1, "bob"), "7:70 FS602 $.spec.people.bob.keys[0]"),
    (ORGANISATION, public_key(2, "bob"), public_key(1, "another comment"), "7:70 FS602 $.spec.people.bob.keys[0]"),
    (ORGANISATION, public_key(2, "bob"), public_key(1).rsplit(" ", 1)[0], "7:70 FS602 $.spec.people.bob.keys[0]"),
    (ORGANISATION, "{name: Bob, ", "{name: Bob, github: {login: Alice-M, id: 7}, ",
     "7:31 FS603 $.spec.people.bob.github.login"),
    (ORGANISATION, "{name: Bob, ", "{name: Bob, github: {login: bob, id: 101}, ",
     "7:43 FS603 $.spec.people.bob.github.id"),
    (ORGANISATION, "{name: Alice, ", "{name: Alice, kubernetes: {username: bob@example.com}, ",
     "7:35 FS603 $.spec.people.bob.kubernetes.username"),
    (ORGANISATION, "    flag-approver:", "    owner: {people: [bob]}\n    flag-approver:",
     "11:5 FS604 $.spec.roles.owner"),
    (ORGANISATION, "members: [alice,", "members: [alise,", "9:31 FS605 $.spec.teams.team-payments.members[0]"),
    (ORGANISATION, "person: bob", "person: rob", "9:39 FS605 $.spec.teams.team-payments.members[1].person"),
    (ORGANISATION, "{teams: [team-payments]}", "{teams: [team-shop]}",
     "11:29 FS605 $.spec.roles.flag-approver.teams[0]"),
    (ORGANISATION, "{people: [alice],", "{people: [alice, eve],", "12:32 FS605 $.spec.roles.security.people[1]"),
    (ORGANISATION, "[production]}", "[live]}", "12:48 FS605 $.spec.roles.security.environments[0]"),
    (ORGANISATION, public_key(2, "bob"), "ssh-ed25519 AAAA bob", "7:70 FS607 $.spec.people.bob.keys[0]"),
    (APPROVALS, "{role: owner, count: 1}, {role: security", "{role: owner, count: 1}, {role: sekurity",
     "10:49 FS605 $.spec.tiers.sensitive.production.widen.approvals[1].role"),
    (APPROVALS, "after: [staging]", "after: [stage]", "12:19 FS605 $.spec.tiers.sensitive.production.widen.after[0]"),
    (APPROVALS, "window: business-hours", "window: always",
     "14:11 FS605 $.spec.tiers.sensitive.production.widen.window"),
    (APPROVALS, "{role: security, count: 1}], evidence: keys", "{role: owner, count: 1}], evidence: keys",
     "18:13 FS605 $.spec.policies.widen.approvals"),
    (CALENDAR, "Europe/Berlin", "Europe/Atlantis", "6:22 FS606 $.spec.windows.business-hours.timezone"),
    (CALENDAR, "Europe/Berlin", "Europe/Berlin/Mitte", "6:22 FS606 $.spec.windows.business-hours.timezone"),
    (CALENDAR, 'to: "16:00"', 'to: "09:00"', "6:80 FS608 $.spec.windows.business-hours.to"),
    (CALENDAR, 'until: "2027-01-03T00:00:00Z"', 'until: "2026-12-20T00:00:00Z"',
     "9:52 FS608 $.spec.blackouts[0].until"),
    (ACCESS, "subject: {issuer: cluster", "subject: {issuer: cluter", "9:15 FS605 $.spec.bindings[0].subject.issuer"),
    (ACCESS, "environments: [production]", "environments: [live]", "13:20 FS605 $.spec.bindings[0].environments[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "old", "new", "found"), CASES, ids=[case[3] for case in CASES])
def test_a_set_that_contradicts_itself_is_refused(sample: str, old: str, new: str, found: str) -> None:
    """Each violation invalidates the whole set, and is told at its place."""
    assert violations(changed(sample, old, new)) == [found]


def test_all_violations_are_told_at_once() -> None:
    """They come together, sorted by file and place."""
    broken = spoilt(spoilt(ORGANISATION, "person: bob", "person: rob"), "{people: [alice],", "{people: [eve],")
    given = documents(broken, ENVIRONMENTS, spoilt(APPROVALS, "[staging]", "[x]"), LIFECYCLE, CALENDAR)
    assert [found.split()[1] for found in violations(given)] == ["FS605", "FS605", "FS605"]


def test_a_person_may_list_one_key_twice() -> None:
    """A key belongs to one person; how often is their business."""
    key = public_key(2, "bob")
    load_policies(changed(ORGANISATION, f'["{key}"]', f'["{key}", "{public_key(2, "again")}"]'))


def test_violations_of_documents_without_a_file_name_the_subject() -> None:
    """Policies from a bundle have no file."""
    given = [Document(d.kind, None, d.name, d.spec) for d in changed(CALENDAR, "Europe/Berlin", "Europe/Nowhere")]
    with pytest.raises(InvalidPolicies) as refused:
        load_policies(given)
    assert [found.file for found in refused.value.findings] == ["ChangeCalendar/calendar"]
