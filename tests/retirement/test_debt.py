"""The report of what should not be there any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from flagseal.model.policies import LifecyclePolicy
from flagseal_cli.main import run
from flagseal_validators.retirement.ages import Age
from flagseal_validators.retirement.debt import Report, report
from flagseal_validators.retirement.debt_pages import as_markdown, as_text
from flagseal_validators.retirement.looking import subjects
from flagseal_validators.retirement.schema import DEBT_SCHEMA, RETIRE_SCHEMA
from tests.history.branch import path_of, text_of
from tests.history.company import flag, policies, rule
from tests.repository.gitrepo import GitRepository

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.document import Document

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
POLICY = LifecyclePolicy({}, {}, 14, {"*": ("retired",)})
SPLIT = rule(split={"enabled": 1, "disabled": 1})


def reported(*documents: Document, age: int = 10, unchanged: int = 5, references: Any = None) -> Report:  # noqa: ANN401
    """Report on flags of one age."""
    known = Age(NOW - timedelta(days=age), "a" * 40, NOW - timedelta(days=unchanged), "b" * 40)
    return report(subjects(documents, now=NOW, ages={"": known}, references=references), NOW.date(), POLICY)


def why(document: Document, **more: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Say what there is to say of one flag."""
    return next((entry.why for entry in reported(document, **more).entries), ())


def test_each_kind_of_debt_is_named() -> None:
    """Past its date, without one, unreviewed, long the same for everybody, retired; and what is soon due."""
    entitled: dict[str, Any] = {"purpose": "entitlement", "production": SPLIT}
    assert why(flag(expires="2026-11-22", production=SPLIT)) == ("expired",)
    assert why(flag(expires="2026-11-23", production=SPLIT)) == ("expires-soon",)
    assert why(flag(review={"every": "30d", "last": "2026-10-01"}, **entitled)) == ("review-overdue",)
    assert why(flag(**entitled)) == ("no-expiry",)
    assert why(flag(lifecycle="retired")) == ("retired",)
    assert why(flag(), unchanged=30) == ("constant",)
    assert why(flag(), unchanged=29) == ()
    assert why(flag(production=SPLIT), unchanged=300) == ()


def test_one_number_counts_each_flag_once() -> None:
    """Two reasons are one flag; what is soon due is none."""
    found = reported(
        flag("a", expires="2026-11-01"), flag("b", expires="2026-11-30", production=SPLIT), flag("c"), unchanged=90
    )
    assert (found.flags, found.total) == (3, 2)
    assert found.reasons == {"expired": 1, "constant": 2, "expires-soon": 1}


@pytest.mark.parametrize(
    ("age", "bracket"),
    [
        (0, "under 90 days"),
        (89, "under 90 days"),
        (90, "90 to 179 days"),
        (180, "180 to 364 days"),
        (365, "a year and more"),
    ],
)
def test_debt_is_counted_by_owner_and_age(age: int, bracket: str) -> None:
    """Whoever owes most comes first."""
    documents = (
        flag("a", expires="2026-11-01"), flag("b", expires="2026-11-01", owner="team-search"),
        flag("c", expires="2026-11-01", owner="team-search"),
    )  # fmt: skip
    assert reported(*documents, age=age).owners == (("team-search", {bracket: 2}), ("team-payments", {bracket: 1}))


def test_a_terminal_and_a_page_say_the_same() -> None:
    """The number first, then by owner; where code still asks is said if it was searched."""
    found = reported(flag("a", expires="2026-11-01"), flag("b"), references={}, age=100)
    text, page = as_text(found), as_markdown(found)
    assert text.startswith("1 of 2 flags is debt.\n")
    assert "  payments/a  expired 22 days ago, on 2026-11-01; not in code; 100 days old" in text
    assert "| `team-payments` | 1 | 1 |" in page
    assert "| `payments/a` | `team-payments` | 100\N{NO-BREAK SPACE}d |" in page
    assert as_text(reported(flag())) == "No debt among 1 flag.\n"


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """A flag repository with an old flag and a source tree beside it."""
    flags = (
        flag("checkout", expires="2020-01-01"),
        flag("done", lifecycle="retired"),
        flag("fine", expires="2099-01-01"),
    )
    repository = GitRepository.at(tmp_path / "flags")
    repository.put({path_of(entry): text_of(entry) for entry in (*policies(), *flags)})
    repository.commit("begin")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text('client.get_boolean_value("done", False)\n')
    return tmp_path


def test_the_commands_write_what_their_schemas_say(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Closed schemas: a field more would be refused."""
    where = ["--repo", str(company / "flags"), "--sources", str(company / "src"), "--format", "json"]
    for command, schema in (("debt", DEBT_SCHEMA), ("retire", RETIRE_SCHEMA)):
        assert run([command, *where]) == 0
        written = json.loads(capsys.readouterr().out)
        assert [error.message for error in Draft202012Validator(schema).iter_errors(written)] == []
        entry = next(it for it in written["entries" if command == "debt" else "flags"] if it["flag"] == "payments/done")
        assert entry["references"] == (1 if command == "debt" else ["a.py:1"])


def test_a_dry_run_shows_the_change_and_touches_nothing(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, refs and objects are what they were; no host is asked, for there is no token."""
    top = company / "flags"

    def everything() -> dict[str, bytes]:
        files = (path for path in top.rglob("*") if path.is_file() and ".flagseal" not in path.parts)
        return {str(path): path.read_bytes() for path in files}

    before = everything()
    assert run(["retire", "--dry-run", "--open-pull-requests", "--repo", str(top)]) == 0
    out = capsys.readouterr()
    assert '    -    "lifecycle": "canary",\n    +    "lifecycle": "retired",\n' in out.out
    assert "in the way: no source tree was searched for it (--sources)" in out.out
    assert "Nothing was written (--dry-run)." in out.err
    assert everything() == before


@pytest.mark.parametrize("name", ["--upload-pack=x", "a..b", "-x", "a b", ""])
def test_no_name_of_a_branch_is_an_option(company: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A base that is no branch is refused before anything is fetched."""
    assert run(["retire", "--open-pull-requests", f"--base={name or '-'}", "--repo", str(company / "flags")]) == 2
    assert "BadBranch" in capsys.readouterr().err
