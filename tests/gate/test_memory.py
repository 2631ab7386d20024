"""With what it found before, the gate says what it says without, whatever happened in between."""

from __future__ import annotations

import os
import shutil
import zlib
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagseal_validators import gate, looking, memory, tree
from flagseal_validators.memory import Memory
from flagseal_validators.rules import RULES
from tests.gate.company import TODAY, base, document, write, write_example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal_validators.report import Report

KEY = b"a key of our own"
CHECKOUT = "flags/payments/new-checkout.yaml"
HEAD = "apiVersion: flagseal.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n"


def flag(path: str, text: str = "") -> dict[str, str]:
    """Give a flag's file."""
    return {path: document(path, text)}


def other_kind(path: str, kind: str, spec: str) -> dict[str, str]:
    """Give a file of another kind than flags."""
    _, namespace, name = path.removesuffix(".yaml").split("/")
    return {path: HEAD.format(kind=kind, name=name, namespace=namespace) + f"  {spec}\n"}


def trust_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each file a mark that is old and says what it holds, so that unchanged ones need not be read again."""

    def mark(child: os.DirEntry[str]) -> tree.Mark:
        with open(child.path, "rb") as file:  # noqa: PTH123
            return 1, 1, zlib.crc32(file.read()), 1

    monkeypatch.setattr(tree, "_mark", mark)


@pytest.fixture(name="settled", params=["read again", "by their marks"])
def how_files_are_known(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test both ways: files just written are read again, old ones are known by their marks."""
    if request.param == "by their marks":
        trust_marks(monkeypatch)


def with_memory(root: Path, today: date = TODAY) -> Report:
    """Look with what was found before."""
    return gate.validate_paths(root, today=today, memory=Memory(root / ".flagseal/cache", key=KEY))


def same(root: Path, today: date = TODAY) -> Report:
    """Look both ways, and give what both say."""
    found = with_memory(root, today)
    assert found == gate.validate_paths(root, today=today)
    return found


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List what kinds of looking there were."""
    calls: list[str] = []

    def spied(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def spy(*words: object) -> object:
            found = function(*words)
            calls.append(name if found is not None else f"{name} gave up")
            return found

        return spy

    for name in ("look_at_all", "look_again"):
        monkeypatch.setattr(looking, name, spied(name, getattr(looking, name)))
    return calls


SEGMENT = other_kind("flags/payments/staff.yaml", "Segment", "when: {org: acme}")
NAMES_SEGMENT = (
    "environments: {production: {rules: [{name: a, when: {segment: staff}, serve: enabled}], default: disabled}}"
)
REQUIRES = "environments: {production: {requires: [{flag: FLAG, variant: enabled}], default: disabled}}"
GRANT = (
    '{org: acme, owner: team-payments, agreement: {id: CRM-1, from: "2026-01-01", until: "2026-12-31"}, '
    "grants: [{flag: payments/FLAG}]}"
)
NAMES = ("one", "two", "three")
TEXTS = (
    "",
    "ticket: PAY-7",
    "owner: nobody",
    "key: shared",
    'expires: "2026-11-21"',
    'expires: "2036-01-01"\nignore: [{rule: FS205, reason: agreed, until: "2026-11-23"}]',
    NAMES_SEGMENT,
    *(REQUIRES.replace("FLAG", name) for name in (*NAMES, "onne", "shop/one")),
)

files = st.one_of(
    st.builds(
        flag,
        st.sampled_from([f"flags/{it}.yaml" for it in ("payments/one", "payments/two", "shop/one", "shop/three")]),
        st.sampled_from(TEXTS),
    ),
    st.builds(
        other_kind,
        st.just("flags/payments/staff.yaml"),
        st.just("Segment"),
        st.sampled_from(["when: {org: acme}", "when: {org: globex}", "when: {org: 7", "nothing: 1"]),
    ),
    st.builds(
        lambda path, name: other_kind(
            path,
            "EntitlementBinding",
            GRANT.replace("FLAG", name)[1:-1]
            .replace(", ", "\n  ")
            .replace('{id: CRM-1\n  from: "2026-01-01"\n  until', '{id: CRM-1, from: "2026-01-01", until'),
        ),
        st.sampled_from(["flags/payments/acme.yaml", "flags/shop/acme.yaml"]),
        st.sampled_from([*NAMES, "onne"]),
    ),
    st.sampled_from(
        [
            {"flags/payments/one.yaml": "a: ["},
            {"flags/payments/stray": "x"},
            {"policies/stray": "x"},
            {"flags/payments/one.yaml": b"\xff\xfe"},
            {"flags/shop/policy.yaml": base()["policies/environments.yaml"]},
            {
                "policies/organisation.yaml": document(
                    "policies/organisation.yaml", "teams: {team-payments: {members: []}}"
                )
            },
            {"policies/organisation.yaml": document("policies/organisation.yaml", "")},
            {"policies/organisation.yaml": "a: ["},
            {"policies/one.yaml": document("flags/payments/one.yaml", "")},
        ]
    ),
)
steps = st.one_of(
    files,
    files,
    st.sampled_from(
        [
            ("remove", "flags/payments/one.yaml"),
            ("remove", "flags/shop/one.yaml"),
            ("remove", "flags/payments/staff.yaml"),
            ("remove", "policies/calendar.yaml"),
            ("remove", "policies/stray"),
            ("remove", "flags/payments"),
            ("rename", "flags/payments/one.yaml"),
            ("link", "flags/payments/two.yaml"),
            ("next day", ""),
            ("touch", CHECKOUT),
            ("forbid", "flags/payments/one.yaml"),
        ]
    ),
)


def take(root: Path, step: object) -> int:
    """Do one thing to a repository; give the days that pass."""
    if isinstance(step, dict):
        for name in step:
            (root / name).unlink(missing_ok=True)
        write(root, step)
        return 0
    assert isinstance(step, tuple)
    what, name = step
    path = root / name
    if what == "next day":
        return 1
    if not os.path.lexists(path):
        return 0
    if what == "remove":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif what == "rename":
        path.rename(path.with_name("three.yaml"))
    elif what == "link":
        path.unlink()
        path.symlink_to("new-checkout.yaml")
    elif what == "touch":
        os.utime(path)
    elif what == "forbid":
        path.chmod(0)
    return 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(taken=st.lists(steps, min_size=1, max_size=8), start=st.booleans())
def test_whatever_happens_in_between(
    tmp_path_factory: pytest.TempPathFactory, settled: None, taken: list[object], start: bool
) -> None:
    """Edits, deletions, renames, links, policies, other days: what is said is the same."""
    del settled
    root = write(tmp_path_factory.mktemp("root"), base())
    today = TODAY
    if start:
        same(root, today)
    for step in taken:
        today += timedelta(days=take(root, step))
        same(root, today)


@pytest.mark.parametrize("rule", list(RULES))
def test_no_rule_needs_more_than_it_is_given(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From nothing to mend to each rule's mistake, to its remedy, and back, with what was found before each."""
    trust_marks(monkeypatch)
    root = tmp_path / "root"

    def become(example: object) -> None:
        for name in ("flags", "policies", ".github"):
            shutil.rmtree(root / name, ignore_errors=True)
        if example is None:
            write(root, base())
        else:
            write_example(root, example)  # type: ignore[arg-type]

    root.mkdir()
    for example in (None, RULES[rule].bad, RULES[rule].good, RULES[rule].bad, None):
        become(example)
        same(root)
        same(root)


def test_after_one_change_little_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked: list[str]
) -> None:
    """Nothing if nothing changed; what changed and what refers to it; everything for a policy or another day."""
    trust_marks(monkeypatch)
    root = write(tmp_path, base() | SEGMENT)
    for number in range(5):
        write(root, flag(f"flags/shop/other-{number}.yaml"))
    write(root, flag("flags/payments/user.yaml", NAMES_SEGMENT))
    read: list[str] = []
    really = tree.read_file

    def spy(path: Path) -> bytes | None:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr("flagseal_validators.examining.read_file", spy)

    def seen() -> tuple[list[str], list[str]]:
        found = [*looked], sorted(read)
        looked.clear()
        read.clear()
        return found

    with_memory(root)
    assert seen()[0] == ["look_at_all"]
    with_memory(root)
    assert seen() == ([], [])
    policies = sorted(path.name for path in (root / "policies").iterdir())
    write(root, flag("flags/shop/other-1.yaml", "ticket: PAY-1"))
    with_memory(root)
    assert seen() == (["look_again"], sorted([*policies, "other-1.yaml"]))
    write(root, other_kind("flags/payments/staff.yaml", "Segment", "when: {org: globex}"))
    with_memory(root)
    assert seen() == (["look_again"], sorted([*policies, "staff.yaml", "user.yaml"]))
    (root / "policies/calendar.yaml").write_text(base()["policies/calendar.yaml"] + "\n")
    with_memory(root)
    assert seen()[0] == ["look_again gave up", "look_at_all"]
    with_memory(root, TODAY + timedelta(days=1))
    assert seen()[0] == ["look_at_all"]


def test_a_file_just_written_is_read_again(tmp_path: Path) -> None:
    """A change of the same size that puts the file's time back is found, however quickly it follows."""
    root = write(tmp_path, base())
    path = root / CHECKOUT
    text = path.read_text()
    assert same(root).errors == 0
    before = path.stat()
    path.write_text(text.replace("team-payments", "team-paymentz"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert same(root).errors == 1


def test_an_old_file_that_was_changed_in_secret_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size and time put back do not help: what the folder says of its last change cannot be."""
    monkeypatch.setattr(memory, "SLACK", -3_600_000_000_000)  # Everything written up to an hour from now has settled.
    root = write(tmp_path, base())
    path = root / CHECKOUT
    assert same(root).errors == 0
    before = path.stat()
    path.write_text(path.read_text().replace("team-payments", "team-paymentz"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert same(root).errors == 1


def kept(root: Path) -> Path:
    """Find the memory's file."""
    (path,) = (root / ".flagseal/cache").iterdir()
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(at=st.integers(0), length=st.integers(0, 100), instead=st.binary(max_size=100))
def test_a_spoilt_memory_is_no_memory(
    tmp_path_factory: pytest.TempPathFactory, settled: None, at: int, length: int, instead: bytes
) -> None:
    """Whatever lies there."""
    del settled
    root = write(tmp_path_factory.mktemp("root"), base() | flag(CHECKOUT, "owner: nobody"))
    with_memory(root)
    path = kept(root)
    data = path.read_bytes()
    start = at % (len(data) + 1)
    path.write_bytes(data[:start] + instead + data[start + length :])
    assert same(root).errors == 1


def test_a_memory_that_a_pull_request_brings_is_not_believed(tmp_path: Path) -> None:
    """Written by somebody who says that all is well, it lacks our seal; and ours of another repository is no better."""
    theirs = write(tmp_path / "theirs", base())
    gate.validate_paths(theirs, today=TODAY, memory=Memory(theirs / ".flagseal/cache", key=b"theirs"))
    ours = write(tmp_path / "ours", base())
    with_memory(ours)
    for source in (theirs, ours):
        root = write(tmp_path / f"root-{source.name}", base() | flag(CHECKOUT, "owner: nobody"))
        shutil.copytree(source / ".flagseal", root / ".flagseal")
        assert same(root).errors == 1


def test_other_code_does_not_believe_what_this_code_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it kept is swept away."""
    root = write(tmp_path, base())
    with_memory(root)
    first = kept(root)
    monkeypatch.setattr(memory, "_version", lambda: "another")
    with_memory(root)
    assert kept(root) != first


def test_a_memory_that_cannot_be_kept_costs_nothing_but_time(tmp_path: Path) -> None:
    """The folder may be a file, or a name may be none that can be written down."""
    root = write(tmp_path, base() | {".flagseal": "x"})
    assert same(root) == same(root)
    (root / ".flagseal").unlink()
    with open(os.fsencode(root) + b"/flags/payments/\xff.yaml", "wb") as file:  # noqa: PTH123 (bytes)
        file.write(b"a: [")
    assert same(root) == same(root)


def test_several_processes_judge_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding is told once, whoever found it; and they say how far they are."""
    monkeypatch.setattr("flagseal_validators.judging.WORTH_A_PROCESS", 4)
    root = write(tmp_path, base() | flag("flags/shop/one.yaml", REQUIRES.replace("FLAG", "two")))
    for number in range(9):
        write(root, flag(f"flags/shop/other-{number}.yaml", "owner: nobody" if number % 2 else ""))
    told: list[tuple[int, int]] = []
    report = gate.validate_paths(root, today=TODAY, processes=3, progress=lambda *it: told.append(it))
    assert report == gate.validate_paths(root, today=TODAY)
    assert report.errors == 5
    assert told[-1] == (16, 16)
