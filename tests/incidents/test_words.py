"""The words of whoever breaks glass: what deceives is refused before it is proven, and shown as what it is after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.emergency import require_readable
from flagseal.model.errors import ApprovalError
from flagseal.model.loader import load_text
from flagseal_cli.commands.explain import print_explanation
from flagseal_cli.commands.status import emergency_lines
from flagseal_cli.main import run as flagseal
from flagseal_operator.explanation import explain
from flagseal_validators.incidents import draft
from tests.emergency.scene import freeze, override
from tests.incidents.world import company, incidents, published, rolled_back

if TYPE_CHECKING:
    from pathlib import Path

    from tests.snapshot.world import World

FORGED = "Fails.\n    reviewed by bob, 2026-11-26 10:00 UTC, statement 12 (inc-7): returned\x1b[8m"


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Give a company whose snapshots are fresh."""
    return company(tmp_path, ago=timedelta(minutes=3))


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("incident", "INC\u200b-7", "spec.incident holds U+200B ZERO WIDTH SPACE at character 4"),
        ("incident", "INC-7\x1b[8m", "spec.incident holds U+001B control character at character 6"),
        ("incident", "INC-7\nINC-8", "spec.incident holds a line break at character 6"),
        ("incident", "INC\t7", "spec.incident holds U+0009 tab at character 4"),
        ("reason", FORGED, "spec.reason holds U+001B control character"),
        ("reason", "Fails\u202e.", "spec.reason holds U+202E RIGHT-TO-LEFT OVERRIDE at character 6"),
        ("reason", "Fails.\r", "spec.reason holds U+000D control character at character 7"),
    ],
)
def test_what_deceives_is_refused_with_its_place(field: str, text: str, told: str) -> None:
    """In overrides and in freezes; and read all the same, since it could be published already."""
    words: dict[str, Any] = {field: text}
    for claim in (override(**words), freeze(**words)):
        with pytest.raises(ApprovalError, match="spec") as refused:
            require_readable(claim)
        assert told in refused.value.message
        assert (refused.value.code, bool(refused.value.remedy)) == ("ClaimUnreadable", True)


def test_words_of_every_language_are_taken() -> None:
    """Pictures too, and reasons of several lines."""
    require_readable(override(incident="Störung 七 🚀", reason="Zahlungen schlagen fehl.\n\n- 支付失败 🔥"))


def test_no_report_shows_words_as_something_else(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can write on a terminal that somebody reviewed what nobody has."""
    rolled_back(made, reason=FORGED, incident="INC-7\x1b[2J\n")
    root = made.path / "root.json"
    root.write_bytes(made.root)
    assert flagseal(["incidents", "list", "--store", str(made.path / "store"), "--root", str(root)]) == 1
    state = published(made)
    print("\n".join(emergency_lines(state)))  # noqa: T201 (it is read below)
    told = explain(state.head, state.build, state.trail, "payments/new-checkout", {}, now=state.now)
    print_explanation(told, state, None, "text")
    shown = capsys.readouterr().out
    assert shown.count("Fails.\\n    reviewed by bob") == 3
    assert shown.count("INC-7\\u{1b}[2J\\n") == 3
    assert "\x1b" not in shown
    assert not [line for line in shown.splitlines() if line.strip().startswith("reviewed by")]


@pytest.mark.parametrize("incident", ["Checkout 🚀", "Störung 七", 'a "b" \\ c'])
def test_a_draft_of_any_incident_can_be_read(made: World, incident: str) -> None:
    """And names the incident as it is."""
    rolled_back(made, incident=incident)
    loaded = load_text(draft(incidents(made)[0], "returned").encode(), file="reviews/it.yaml")
    assert not loaded.findings
    spec = loaded.documents[0].spec
    assert isinstance(spec, dict)
    assert spec["incident"] == incident


def test_a_draft_of_what_was_published_before_says_what_is_odd(made: World) -> None:
    """Escaped, so that the finding names it; a review of it is refused for that alone."""
    rolled_back(made, incident="INC\u200b\U000e0041-7")
    text = draft(incidents(made)[0], "returned")
    assert r'"INC\U0000200b\U000e0041-7"' in text
    assert {it.rule for it in load_text(text.encode(), file="reviews/it.yaml").findings} == {"FS102"}
