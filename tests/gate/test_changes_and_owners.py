"""Rules that look beyond the documents: at the change that made them, and at who owns their paths."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal_validators import gate
from flagseal_validators.examining import Means, examine
from flagseal_validators.memory import Memory
from flagseal_validators.touched import Base
from tests.gate.company import TODAY, base, document, write
from tests.repository.gitrepo import GitRepository

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"
OWNERS = ".github/CODEOWNERS"
ACCESS = """\
apiVersion: flagseal.dev/v1alpha1
kind: AccessPolicy
metadata: {name: access}
spec:
  issuers: [{name: cluster, issuer: "https://kubernetes.default.svc", audience: flagseal, kind: workload}]
  bindings:
  - {name: the API, subject: {issuer: cluster, claims: {sub: api}}, %s}
  lifetimes: {workload: 10m}
"""


def found(root: Path, files: dict[str, str], before: dict[str, str] | None = None) -> list[str]:
    """Tell what the gate says of the company with other files: ``file:line:column rule``."""
    earlier = {path: text.encode() for path, text in (before or {}).items()}
    report = gate.validate_paths(write(root, base() | files), today=TODAY, before=earlier)
    return [f"{it.file.rpartition('/')[2]}:{it.line}:{it.column} {it.rule}" for it in report.findings]


def day_after(day: str) -> str:
    """Give the next day."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def flag(text: str) -> dict[str, str]:
    """Give the flag's file."""
    return {CHECKOUT: document(CHECKOUT, text)}


@pytest.mark.parametrize(
    ("step", "following", "expected"),
    [
        ("draft", "review", []),
        ("draft", "draft", []),
        ("canary", "retired", []),
        ("draft", "canary", ["new-checkout.yaml:14:3 FS214"]),
        ("canary", "draft", ["new-checkout.yaml:14:3 FS214"]),
    ],
)
def test_a_step_of_life_follows_the_last(tmp_path: Path, step: str, following: str, expected: list[str]) -> None:
    """As the policy says; to stay is no step, and any may lead to the end."""
    assert found(tmp_path, flag(f"lifecycle: {following}"), flag(f"lifecycle: {step}")) == expected


def test_without_a_change_nothing_is_said_of_one(tmp_path: Path) -> None:
    """Nor of a flag that is new, or that could not be read before."""
    other = "flags/payments/other.yaml"
    assert found(tmp_path, flag("lifecycle: canary")) == []
    assert found(tmp_path, flag("lifecycle: canary"), {other: document(other, "")}) == []
    assert found(tmp_path, flag("lifecycle: canary"), {CHECKOUT: "a: ["}) == []


SPLIT = "environments:\n  staging:\n    rules:\n    - {name: a tenth, %s}\n    default: disabled\n"


@pytest.mark.parametrize(
    ("earlier", "later", "moves"),
    [
        ("split: {enabled: 10, disabled: 90}", "split: {enabled: 20, disabled: 80}", False),
        ("split: {enabled: 10, disabled: 90}", "split: {enabled: 10, disabled: 90}, by: org", True),
        ("split: {enabled: 10, disabled: 90}, by: org", "split: {enabled: 10, disabled: 90}", True),
        ("split: {enabled: 10, disabled: 90}", "split: {enabled: 10, disabled: 90}, salt: spring", True),
        ("split: {enabled: 10, disabled: 90}", "split: {enabled: 10, disabled: 90}, salt: new-checkout", False),
        (
            "split: [{variant: enabled, weight: 1}, {variant: disabled, weight: 1}]",
            "split: [{variant: disabled, weight: 1}, {variant: enabled, weight: 1}]",
            True,
        ),
        ("split: {enabled: 10, disabled: 90}", "serve: enabled", False),
        ("serve: enabled", "split: {enabled: 10, disabled: 90}", False),
    ],
)
def test_who_changes_variant_though_no_weight_did_is_found(
    tmp_path: Path, earlier: str, later: str, moves: bool
) -> None:
    """Another attribute, salt or order; a weight, or a split that comes or goes, is what was asked for."""
    said = found(tmp_path, flag(SPLIT % later), flag(SPLIT % earlier))
    assert said == (["new-checkout.yaml:17:9 FS325"] if moves else [])


def test_what_files_held_is_read_from_the_base(tmp_path: Path) -> None:
    """Where the branch parted from it; a file that was not there is left out."""
    root = tmp_path / "company"
    repository = GitRepository.at(root)
    write(root, base())
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message", "the beginning")
    write(root, {CHECKOUT: "changed"})
    held = Base.of(root, "HEAD").contents([CHECKOUT, "flags/payments/new.yaml"])
    assert held == {CHECKOUT: base()[CHECKOUT].encode()}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_what_is_remembered_of_files_tells_what_a_change_touches(tmp_path: Path, object_format: str) -> None:
    """As reading every file does, whatever git's object ids are."""
    root = tmp_path / "company"
    repository = GitRepository.at(root)
    if object_format != "sha1":
        shutil.rmtree(root / ".git")
        repository.git("init", "--quiet", f"--object-format={object_format}")
    others = {f"flags/payments/{name}.yaml": "x: 1\n" for name in ("same", "edited", "gone", "link", "again")}
    repository.put({**base(), **others})
    repository.git("add", ".")
    repository.git("commit", "--quiet", "--message", "the beginning")
    repository.put({"flags/payments/edited.yaml": "x: 2\n", "flags/payments/gone.yaml": None, "flags/note": "x"})
    repository.put({"flags/payments/again.yaml": "x: 1\n", "flags/payments/new.yaml": "x: 1\n"})
    (root / "flags/payments/link.yaml").unlink()
    (root / "flags/payments/link.yaml").symlink_to("same.yaml")
    for _ in range(2):
        memory = Memory(root / ".flagseal/cache", key=b"ours")
        examined = examine(root, Means(TODAY), memory)
        known = {it.path: it.blob for it in examined.files}
        compared = Base.of(root, "HEAD")
        touched = compared.touched(examined.listed, known)
        assert touched == compared.touched(examined.listed, {})
        assert touched == {f"flags/payments/{name}.yaml" for name in ("edited", "link", "new")} | {"flags/note"}


# How long a flag lives


@pytest.fixture(name="repository")
def history(tmp_path: Path) -> GitRepository:
    """Commit the company in January, a change in May, and a flag of a branch, merged in October."""
    repository = GitRepository.at(tmp_path / "company").put(dict(base()))

    def commit(day: str) -> None:
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message", "x", date=f"{day}T12:00:00Z")

    commit("2026-01-10")
    repository.put({"flags/payments/between.yaml": document("flags/payments/between.yaml", "")})
    commit("2026-05-01")
    repository.git("switch", "--quiet", "--create", "feature")
    repository.put({"flags/payments/late.yaml": document("flags/payments/late.yaml", "")})
    commit("2026-02-01")
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", "x", "feature", date="2026-10-01T12:00:00Z")
    return repository


def lives(repository: GitRepository, name: str, expires: str) -> list[str]:
    """Change a flag's expiry, and give what is said of it."""
    path = f"flags/payments/{name}.yaml"
    repository.put({path: document(path, f'expires: "{expires}"')})
    report = gate.validate_paths(repository.path, today=TODAY, base=Base.of(repository.path, "HEAD"))
    return [it.message for it in report.findings if it.rule == "FS205" and it.file == path]


def test_a_life_counts_from_the_day_the_file_came_to_the_branch(repository: GitRepository) -> None:
    """That of its oldest commit there, or of its merge; for what is new it is today; and each is said once."""
    for name, first, last in (
        ("new-checkout", "2026-01-10", "2026-07-09"),
        ("between", "2026-05-01", "2026-10-28"),
        ("late", "2026-10-01", "2027-03-30"),
    ):
        assert lives(repository, name, last) == []
        (message,) = lives(repository, name, day_after(last))
        assert message.endswith(f"this one came on {first}")
    assert lives(repository, "unheard-of", "2027-05-21") == []
    (message,) = lives(repository, "new-checkout", "2027-05-22")
    assert message.endswith("this one would live past 2027-05-21")


def test_a_file_that_changed_since_is_as_old_as_it_was(repository: GitRepository) -> None:
    """Changes of a file, and its going and coming, begin no new life."""
    path = repository.path / CHECKOUT
    text = path.read_text()
    for change in (text.replace("canary", "draft"), None, text):
        repository.put({CHECKOUT: change})
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message", "x", date="2026-11-01T12:00:00Z")
    assert len(lives(repository, "new-checkout", "2027-01-01")) == 1


def test_where_history_is_cut_off_it_begins_there(repository: GitRepository, tmp_path: Path) -> None:
    """A shallow clone knows no more, and the gate says less instead of nothing."""
    clone = GitRepository(tmp_path / "clone")
    repository.git("clone", "--quiet", "--depth", "1", repository.path.as_uri(), str(clone.path))
    assert lives(clone, "new-checkout", "2027-03-30") == []
    assert len(lives(clone, "new-checkout", "2027-03-31")) == 1


# CODEOWNERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* @acme/team-payments\n", []),
        ("* @acme/Team-Payments\n", []),
        ("* @acme/team-payment\n", ["CODEOWNERS:1:3 FS613"]),
        ("# teams\n*  @acme/team-payments @mallory\n", ["CODEOWNERS:2:24 FS613"]),
        ("* alice@example.com\n", ["CODEOWNERS:1:3 FS613"]),
        ("* @acme/team-payments\n/flags/ @acne/team-payments @ACME/team-payments\n", ["CODEOWNERS:2:9 FS613"]),
        ("/flags/ @acme/team-payments\n/.github/ @acme/team-payments\n", ["approvals.yaml:0:0 FS612"]),
        ("* @acme/team-payments\n/flags/payments/\n", ["new-checkout.yaml:0:0 FS612"]),
        ("/flags/ @acme/team-payments\n/policies/ @acme/team-payments\n", ["CODEOWNERS:0:0 FS612"]),
        ("* @acme/team-payments\n/flags/**/*.yaml\n", ["new-checkout.yaml:0:0 FS612"]),
        ("* @acme/team-payments\n[Flags] @acme/team-payments\n", ["CODEOWNERS:2:1 FS611"]),
        ("* @acme/team-payments @\n", ["CODEOWNERS:1:23 FS611"]),
    ],
)
def test_every_path_has_owners_that_are_known(tmp_path: Path, text: str, expected: list[str]) -> None:
    """The last line that matches decides; a line without owners takes them away."""
    assert found(tmp_path, {OWNERS: text}) == expected


def test_a_person_is_known_by_the_account_in_the_forge(tmp_path: Path) -> None:
    """Whatever its case."""
    people = "people: {alice: {name: A, github: {login: alice-m, id: 1}}, bob: {name: B}}"
    files = {"policies/organisation.yaml": document("policies/organisation.yaml", people), OWNERS: "* @Alice-M\n"}
    assert found(tmp_path, files) == []


def test_a_missing_file_is_found_where_there_is_a_forge(tmp_path: Path) -> None:
    """A folder of files that no forge has is left alone; the other places where GitHub looks count."""
    root = write(tmp_path, base())
    (root / OWNERS).unlink()
    report = gate.validate_paths(root, today=TODAY)
    assert [(it.file, it.rule) for it in report.findings] == [(OWNERS, "FS612")]
    write(root, {"CODEOWNERS": "* @acme/team-payments\n"})
    assert gate.validate_paths(root, today=TODAY).findings == ()
    (root / "CODEOWNERS").unlink()
    (root / ".github").rmdir()
    assert gate.validate_paths(root, today=TODAY).findings == ()


def test_a_linked_codeowners_file_is_not_followed(tmp_path: Path) -> None:
    """It is as good as none."""
    root = write(tmp_path, base() | {"elsewhere": "* @acme/team-payments\n"})
    (root / OWNERS).unlink()
    (root / OWNERS).symlink_to(root / "elsewhere")
    assert [it.rule for it in gate.validate_paths(root, today=TODAY).findings] == ["FS612"]


# Access


@pytest.mark.parametrize(
    ("binding", "rule", "at"),
    [
        ('role: flag-reader, until: "2026-11-22"', "", ""),
        ('role: flag-reader, until: "2026-11-21"', "FS615", "until"),
        ('role: flag-reader, operations: [snapshot.read, audit.read], until: "2027-06-30"', "FS616", "audit.read"),
        ('role: flag-approver, operations: [evaluate], until: "2027-06-30"', "FS616", "evaluate"),
        ('role: flag-raeder, until: "2027-06-30"', "FS616", "role"),
    ],
)
def test_access_is_what_its_role_has_and_ends(tmp_path: Path, binding: str, rule: str, at: str) -> None:
    """The last day counts."""
    text = ACCESS % binding
    column = text.splitlines()[6].index(at) + 1
    expected = [f"access.yaml:7:{column} {rule}"] if rule else []
    assert found(tmp_path, {"policies/access.yaml": text}) == expected


@pytest.mark.parametrize(
    ("anonymous", "expected"),
    [
        ("{namespaces: [payments], environments: [staging]}", []),
        ("{namespaces: [], environments: [production]}", []),
        ("{namespaces: [payments], environments: [staging, production]}", ["FS614"]),
        ("{namespaces: [payments]}", ["FS614"]),
    ],
)
def test_production_is_open_to_nobody_unknown(tmp_path: Path, anonymous: str, expected: list[str]) -> None:
    """Not by default either."""
    text = ACCESS % 'role: flag-reader, until: "2027-06-30"' + f"  anonymous: {anonymous}\n"
    assert [it[-5:] for it in found(tmp_path, {"policies/access.yaml": text})] == expected
