"""Habits of the repository itself that no linter knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def tracked(*patterns: str) -> list[str]:
    """List the files that git knows or could be told of, by pattern."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    )
    return [name for name in done.stdout.splitlines() if (TOP / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_links_of_the_documentation_lead_somewhere(page: Path) -> None:
    """A link to a file of this repository finds it."""
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_operator_folder_is_no_package() -> None:
    """A package called operator would shadow the standard library's."""
    assert not (TOP / "operator" / "__init__.py").exists()


def test_every_folder_of_tests_is_a_package() -> None:
    """Otherwise tests/operator would shadow the standard library's operator."""
    folders = {Path(name).parent for name in tracked("tests/*.py")}
    assert [folder for folder in folders if not (TOP / folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-forge.txt", "constraints-bench.txt"])
def test_pins_carry_hashes_and_no_address(name: str) -> None:
    """A pin names a package, a version and hashes; where it is fetched from is the machine's business."""
    text = (TOP / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--?(i|index|extra|find|trusted)", text, re.MULTILINE)
    pins = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(pins) > 20
    assert [pin.splitlines()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_every_namespace_has_an_owner() -> None:
    """CODEOWNERS names each folder under flags/, and policies/."""
    owned = {line.split()[0] for line in (TOP / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines() if line}
    folders = {f"/{Path(name).parent.as_posix()}/" for name in tracked("flags/*.yaml")} | {"/policies/"}
    assert folders <= owned


def test_decisions_are_numbered_once() -> None:
    """No two pages of docs/adr share a number, and each says its own in the title."""
    pages = sorted((TOP / "docs/adr").glob("[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(numbers) == len(set(numbers))
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]}. "), page.name


def test_the_format_page_shows_the_sample_as_it_is() -> None:
    """The first example of docs/flag-format.md is the sample's new-checkout, comments aside."""
    example = re.search(r"```yaml\n(.*?)```", (TOP / "docs/flag-format.md").read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    sample = (TOP / "flags/payments/new-checkout.yaml").read_text(encoding="utf-8")
    assert without_comments(example.group(1)) == without_comments(sample)


def without_comments(text: str) -> list[str]:
    """Give the lines of a YAML text that hold more than a comment, without it."""
    return [line for line in (re.sub(r"\s*#.*", "", line) for line in text.splitlines()) if line]


def test_the_catalogue_of_attacks_names_tests_that_exist() -> None:
    """Each test that docs/attacks.md points to is there."""
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (TOP / "docs/attacks.md").read_text(encoding="utf-8"))
    assert len(named) > 50
    texts = {file: (TOP / "tests/attacks" / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{test}" for file, test in named if f"def {test}(" not in texts[file]] == []
