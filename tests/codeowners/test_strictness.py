"""What is an error, and where it is said to be."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.codeowners import Owner, Pattern, parse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("* @a\n!docs/ @a", 2, 1, "negate"),
        (r"\#file @a", 1, 1, "`#`"),
        ("a#b @a", 1, 2, "`#`"),
        ("src/[abc].py @a", 1, 5, "range"),
        (r"src/\[slug\].js @a", 1, 5, "range"),
        ("[Section] @a", 1, 1, "sections"),
        ("a] @a", 1, 2, "range"),
        ("/ @a", 1, 1, "matches nothing"),
        ("a//b @a", 1, 2, "slashes"),
        ("a*** @a", 1, 2, "asterisks"),
        ("./a @a", 1, 1, "`.`"),
        ("a/../b @a", 1, 3, "`..`"),
        ("a\\", 1, 2, "escapes nothing"),
        (r"a\/b @a", 1, 2, "slash"),
        ("  a @a", 1, 1, "blanks before"),
        ("* user", 1, 3, "no owner"),
        ("* @a #ok\nb @a#glued", 2, 3, "no owner"),
        ("* @-a", 1, 3, "no owner"),
        ("* @a--b", 1, 3, "no owner"),
        ("* @a/b/c", 1, 3, "no owner"),
        ("* @a/", 1, 3, "no owner"),
        ("* @dependabot[bot]", 1, 3, "no owner"),
        ("* @a, @b", 1, 3, "no owner"),
        ("* a@b", 1, 3, "no owner"),
        ("* @" + "a" * 40, 1, 3, "no owner"),
        ("* @\u0430lice", 1, 3, "no owner"),
        ("*\u00a0@a", 1, 2, "U+00A0"),
        ("a\u202eb @a", 1, 2, "U+202E"),
        ("\ufeff* @a", 1, 1, "U+FEFF"),
        ("* @a\x00", 1, 5, "U+0000"),
        ("* @a\r@b", 1, 5, "U+000D"),
    ],
)
def test_an_error_is_found_at_its_place(text: str, line: int, column: int, part: str) -> None:
    """Each names file, line and column, says what is wrong, and what to do."""
    _, findings = parse(text.encode(), file="docs/CODEOWNERS")
    assert [(finding.file, finding.line, finding.column) for finding in findings] == [("docs/CODEOWNERS", line, column)]
    assert part in findings[0].message
    assert findings[0].remedy


def test_bytes_that_are_not_utf8_are_refused_at_their_line() -> None:
    """Whoever decodes them otherwise would read other paths."""
    file, findings = parse(b"* @a\n\xff @b\n")
    assert (file.lines, [finding.line for finding in findings]) == ((), [2])


def test_every_error_is_told_at_once() -> None:
    """A pattern and two owners wrong on one line are three places."""
    _, findings = parse(b"!a b @@c\n[x]\n")
    assert [(finding.line, finding.column) for finding in findings] == [(1, 1), (1, 4), (1, 6), (2, 1)]


def test_blank_lines_comments_and_both_line_ends_say_nothing() -> None:
    """What GitHub ignores is no error."""
    file, findings = parse(b"# c\r\n\r\n   # indented\n\t\n*\t@a\t#c\r\n")
    assert findings == ()
    assert [(line.number, line.pattern.text, line.owners) for line in file.lines] == [(5, "*", (Owner("user", "a"),))]


def test_owners_are_told_apart_by_their_kind() -> None:
    """Users, teams, addresses, accounts an enterprise manages; one named twice is one."""
    file, findings = parse(b"* @Alice @alice @acme/pay_ops a.b+c@mail.example.com @bob_acme\n")
    assert findings == ()
    assert file.owners("x") == (
        Owner("user", "Alice"),
        Owner("team", "acme/pay_ops"),
        Owner("email", "a.b+c@mail.example.com"),
        Owner("user", "bob_acme"),
    )


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 4000),
        ("**/a/" * 200 + "b", "a/" * 2000 + "c"),
        ("?*" * 300 + "b", "a" * 4000),
    ],
)
def test_no_pattern_makes_a_match_explode(pattern: str, path: str) -> None:
    """These take longer than the universe has where a reader backtracks; the test ends, or hangs."""
    assert not Pattern(pattern).matches(path)


NAMES = st.lists(st.sampled_from(["a", "b", "ab", "ba", "a.b"]), min_size=1, max_size=4).map("/".join)
PIECES = st.sampled_from(["a", "b", "*", "**", "?", "a*", "*b", "a.b", "*.*"])
PATTERNS = st.builds(
    lambda lead, pieces, trail: lead + "/".join(pieces) + trail,
    st.sampled_from(["", "/"]),
    st.lists(PIECES, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)


@pytest.fixture(scope="module")
def ignoring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository whose ignore file the property writes."""
    folder = tmp_path_factory.mktemp("ignoring")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@settings(max_examples=150, deadline=None)
@given(pattern=PATTERNS, paths=st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_patterns_match_what_git_would_ignore(ignoring: Path, pattern: str, paths: list[str]) -> None:
    """Git itself agrees on every pattern, but for the one exception that GitHub documents (a last `*`)."""
    if pattern.strip("/").split("/")[-1] == "*" and not pattern.endswith("/"):
        return
    (ignoring / ".gitignore").write_text(f"{pattern}\n", encoding="utf-8")
    asked = "".join(f"{path}\0" for path in paths)
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=ignoring,
        input=asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {path for path in paths if Pattern(pattern).matches(path)} == set(done.stdout.split("\0")[:-1])
