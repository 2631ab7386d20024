"""The worked examples of docs/writing-policies.md are complete: clean, tested, and guarded against every loosening."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flagseal.model.loader import load_text
from flagseal_cli.main import run

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted(path.name for path in (DOCS / "policies").iterdir())


@pytest.fixture
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Copy an example to where it is a repository of its own."""
    folder = tmp_path / "example"
    shutil.copytree(DOCS / "policies" / request.param, folder)
    (folder / ".git").mkdir()
    return folder


@pytest.mark.parametrize("repository", EXAMPLES, indirect=True)
def test_an_example_is_clean(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who copies it begins without a finding."""
    assert run(["validate", "--repo", str(repository)]) == 0
    assert "nothing to mend" in capsys.readouterr().out
    assert run(["fmt", "--check", "--repo", str(repository)]) == 0


@pytest.mark.parametrize("repository", EXAMPLES, indirect=True)
def test_an_examples_tests_notice_every_loosening(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And every row of it is exercised."""
    assert run(["policy", "test", "--mutate", "--repo", str(repository)]) == 0
    said = capsys.readouterr().out
    assert "all exercised" in said
    assert "not noticed" not in said
    assert "(case " not in said, "two cases of one name"


def test_the_page_names_every_example_and_quotes_them_as_they_are() -> None:
    """What stands in a block of YAML on the page stands in an example, line by line."""
    page = (DOCS / "writing-policies.md").read_text("utf-8")
    assert set(re.findall(r"\(policies/([a-z]+)\)", page)) == set(EXAMPLES)
    texts = [path.read_text("utf-8") for path in (DOCS / "policies").rglob("*.yaml")]
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        lines = [re.sub(r"\s+#.*", "", line) for line in block.splitlines() if line.strip() and line.strip()[0] != "#"]
        wanted = "\n".join(lines)
        plain = (
            "\n".join(re.sub(r"\s+#.*", "", it) for it in text.splitlines() if it.strip()[:1] != "#") for text in texts
        )
        assert any(wanted in text for text in plain), block


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_examples_keys_are_readable_and_nobodys(example: str) -> None:
    """Nobody shares one, and none belongs to the sample company."""
    text = (DOCS / "policies" / example / "policies/organisation.yaml").read_text("utf-8")
    assert not load_text(text.encode(), file="organisation.yaml").findings
    keys = re.findall(r"ssh-ed25519 (\S+)", text)
    sample = (DOCS.parent / "policies/organisation.yaml").read_text("utf-8")
    assert len(keys) == len(set(keys)) > 1
    assert not [key for key in keys if key in sample]
