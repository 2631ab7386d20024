"""Every example that GitHub's page on code owners gives, and every rule it states.

The page: docs.github.com, "About code owners". Patterns follow gitignore's documentation, whose rules are here too.
"""

from __future__ import annotations

import pytest

from flagseal.codeowners import LARGEST, PLACES, parse, which


def owners(text: str, path: str) -> list[str] | None:
    """Read a file without errors and ask it for one path."""
    file, findings = parse(text.encode())
    assert findings == ()
    found = file.owners(path)
    return None if found is None else [owner.text for owner in found]


PAGE = """\
# a comment

*       @global-owner1 @global-owner2

*.js    @js-owner #This is an inline comment.

*.go docs@example.com

*.txt @octo-org/octocats

/build/logs/ @doctocat

docs/*  docs@example.com
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", ["@global-owner1", "@global-owner2"]),
        ("deep/er/file.py", ["@global-owner1", "@global-owner2"]),
        ("a.js", ["@js-owner"]),
        ("src/deep/a.js", ["@js-owner"]),
        ("main.go", ["docs@example.com"]),
        ("notes/a.txt", ["@octo-org/octocats"]),
        ("build/logs/today", ["@doctocat"]),
        ("build/logs/2026/today.txt", ["@doctocat"]),
        ("other/build/logs/today", ["@global-owner1", "@global-owner2"]),
        ("docs/getting-started.md", ["docs@example.com"]),
        ("docs/build-app/troubleshooting.md", ["@global-owner1", "@global-owner2"]),
        ("inner/docs/getting-started.md", ["@global-owner1", "@global-owner2"]),
    ],
)
def test_the_first_example_of_the_page(path: str, expected: list[str]) -> None:
    """Defaults, extensions, e-mail addresses, teams, a folder at the top, and the files of a folder only."""
    assert owners(PAGE, path) == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("apps/ @octocat", "apps/a", ["@octocat"]),
        ("apps/ @octocat", "deep/er/apps/x/y", ["@octocat"]),
        ("apps/ @octocat", "apps", None),  # a file of that name is no folder
        ("/docs/ @doctocat", "docs/a/b", ["@doctocat"]),
        ("/docs/ @doctocat", "x/docs/a", None),
        ("/scripts/ @doctocat @octocat", "scripts/run", ["@doctocat", "@octocat"]),
        ("**/logs @octocat", "build/logs/a", ["@octocat"]),
        ("**/logs @octocat", "scripts/logs/b", ["@octocat"]),
        ("**/logs @octocat", "deeply/nested/logs/c/d", ["@octocat"]),
        ("**/logs @octocat", "logs/c", ["@octocat"]),
        ("**/logs @octocat", "catalogs/c", None),
        ("/apps/ @octocat\n/apps/github", "apps/other", ["@octocat"]),
        ("/apps/ @octocat\n/apps/github", "apps/github/a", []),
        ("/apps/ @octocat\n/apps/github @doctocat", "apps/github/a", ["@doctocat"]),
        ("/apps/ @octocat\n/apps/github @doctocat", "apps/githubs/a", ["@octocat"]),
        ("/apps/ @doctocat", "apps/a", ["@doctocat"]),
        ("/apps/ @example-org/content-team", "apps/a", ["@example-org/content-team"]),
    ],
)
def test_the_further_examples_of_the_page(text: str, path: str, expected: list[str] | None) -> None:
    """Folders anywhere and at the top, several owners, `**`, a line that takes owners away, one that gives others."""
    assert owners(text, path) == expected


def test_the_last_matching_line_wins() -> None:
    """Order in the file decides, not how narrow a pattern is."""
    assert owners("/a/b/c @narrow\n* @wide", "a/b/c") == ["@wide"]


def test_owners_on_two_lines_are_not_added_up() -> None:
    """Of two lines with one pattern only the last counts."""
    assert owners("*.py @one\n*.py @two", "a.py") == ["@two"]


def test_case_counts_in_paths() -> None:
    """GitHub's file system tells cases apart."""
    assert owners("/Docs/ @a", "docs/x") is None


def test_no_line_and_a_line_without_owners_differ() -> None:
    """Nobody was named, or nobody was meant: the caller can say which."""
    assert owners("/a/ @a", "b") is None
    assert owners("* @a\nb", "b") == []


def test_the_place_under_github_comes_first() -> None:
    """.github/, then the top, then docs/: the first that is there is used, and no other."""
    assert which({"docs/CODEOWNERS", "CODEOWNERS", ".github/CODEOWNERS"}) == ".github/CODEOWNERS"
    assert which(["docs/CODEOWNERS", "CODEOWNERS"]) == "CODEOWNERS"
    assert which(["docs/CODEOWNERS"]) == "docs/CODEOWNERS"
    assert which(["src/CODEOWNERS", "codeowners"]) is None
    assert PLACES[0] == ".github/CODEOWNERS"


def test_a_file_of_three_megabytes_is_refused() -> None:
    """GitHub does not load it, so nobody would own anything."""
    line = b"* @a\n#"
    assert parse(line + b"x" * (LARGEST - len(line) - 1))[1] == ()
    file, findings = parse(line + b"x" * (LARGEST - len(line)))
    assert file.lines == ()
    assert [finding.line for finding in findings] == [0]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("foo", ["foo", "a/foo", "foo/x", "a/foo/x/y"], ["foos", "a/xfoo"]),
        ("/foo", ["foo", "foo/x"], ["a/foo"]),
        ("a/foo", ["a/foo", "a/foo/x"], ["b/a/foo"]),
        ("foo*", ["foo", "foobar", "x/foobar/y"], ["fo", "xfoo"]),
        ("f?o", ["foo", "fxo/y"], ["fo", "f/o", "fooo"]),
        ("a/?", ["a/x"], ["a/xy"]),
        ("a/*/c", ["a/b/c", "a/b/c/d"], ["a/c", "a/b/b/c"]),
        ("**/a/b", ["a/b", "x/y/a/b", "a/b/z"], ["a/x/b"]),
        ("abc/**", ["abc/x", "abc/x/y"], ["abc", "x/abc/y"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/x/b/z"], ["b", "a/x"]),
        ("**", ["a", "a/b/c"], []),
        ("**/", ["a/b", "a/b/c"], ["a"]),
        ("/**/*.yaml", ["a.yaml", "x/y/a.yaml"], ["a.yml"]),
        ("/*", ["a"], ["a/b"]),
        ("/a*b/", ["ab/x", "axxb/y"], ["ab", "a/b/x"]),
        ("a**b", ["ab", "a-b", "x/axb"], ["a/b"]),
        ("*.a.*.b", ["x.a.y.b", "x.a.a.b.b"], ["x.a.b"]),
        (r"with\ blank/", ["with blank/x"], ["with", "blank/x"]),
        (r"\!important", ["!important"], ["important"]),
        (r"a\*b", ["a*b"], ["axb"]),
        (r"a\\b", ["a\\b"], ["ab"]),
        ("a+(b).{c}|d", ["a+(b).{c}|d"], ["aa(b)xc"]),
    ],
)
def test_patterns_mean_what_gitignore_says(pattern: str, yes: list[str], no: list[str]) -> None:
    """Anchors, wildcards, crossings and escapes."""
    file, findings = parse(f"{pattern} @a".encode())
    assert findings == ()
    assert [path for path in yes if file.owners(path) is None] == []
    assert [path for path in no if file.owners(path) is not None] == []
