"""The comment of a pull request: what the gate finds and the plan, within a forge's limit, and nobody else's words."""

from __future__ import annotations

from markdown_it import MarkdownIt

from flagseal.model.finding import Finding
from flagseal_validators.plan.page import units
from flagseal_validators.plan.request import LIMIT, as_comment, as_conflict, of_commit

HOSTILE = "</details> @acme/security #12 ![](https://evil.example/x.png) <script> | cell\n# Approved by security"


def finding(
    number: int = 1, *, severity: str = "error", message: str = "is wrong", file: str = "flags/a/b.yaml"
) -> Finding:
    """Make a finding."""
    return Finding(
        file, number, 1, "FS101", "$.spec", message, "Mend it.", "warning" if severity == "warning" else "error"
    )


def rendered(text: str) -> str:
    """Turn the comment into HTML, as a forge does."""
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def test_errors_come_first_and_warnings_after_them() -> None:
    """Counted in the title, each with its place and what to do."""
    said = as_comment([finding(7, severity="warning"), finding(3)], None, heading="From here to there")
    assert said.startswith("## Flagseal: the gate finds 1 error and 1 warning\n\nFrom here to there\n")
    assert said.index("`flags/a/b.yaml:3`") < said.index("`flags/a/b.yaml:7`")
    assert "→ Mend it." in said
    assert "Nobody can approve it as it is" in said
    assert "<table>" in rendered(said)


def test_a_warning_refuses_nobody() -> None:
    """It is shown, and that is all."""
    assert "Nobody can approve" not in as_comment([finding(severity="warning")], None)


def test_a_thousand_findings_are_counted() -> None:
    """What is shown stays readable, and fits; the rest is a number."""
    many = [finding(line, message="x" * 3_000, file=f"flags/a/{'y' * 300}{line}.yaml") for line in range(1, 1_001)]
    said = as_comment(many, None)
    assert "1,000 errors" in said
    assert "980 more findings" in said
    assert units(said) < LIMIT // 3


def test_what_a_change_contains_does_nothing_in_the_comment() -> None:
    """No link, image, mention, HTML or heading comes out of names and messages."""
    said = rendered(as_comment([finding(message=HOSTILE, file=f"flags/a/{HOSTILE}.yaml")], None))
    assert said.count("<h2>") == 1
    assert "<h1>" not in said
    for tag in ("<img", "<a ", "<script", "</details"):
        assert tag not in said
    assert said.count("<tr>") == 2


def test_the_first_line_names_the_commit_that_it_speaks_of() -> None:
    """A later push may keep the comment from being made anew; who reads it can see that."""
    said = of_commit("0a1b2c3d4e5f" + "0" * 28, as_conflict("main"))
    first, _, rest = said.partition("\n\n")
    assert first.startswith("**Of commit `0a1b2c3d4e5f`.**")
    assert "this comment is old" in first
    assert rest == as_conflict("main")


def test_a_branch_is_named_as_code() -> None:
    """Whatever it is called."""
    assert "<a " not in rendered(as_conflict("https://evil.example/`x`"))
