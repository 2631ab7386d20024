"""Workflows changed so that a pull request gets more than it may: the linters that every change passes notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_cli.workflows import attestor_files, flag_workflows
from tests.workflows.conftest import linted
from tests.workflows.linters import security, syntax

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["linted"]

JUDGE = 'run: flagseal validate --base "$BASE" --format github --write sarif "$SARIF"'
CHECKOUT = "      with:\n        fetch-depth: 0\n        persist-credentials: false\n"


def spoilt(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Change a workflow that ships, at places that are there."""
    text = {**flag_workflows(), **attestor_files("acme/flags")}[f".github/workflows/{name}.yaml"]
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    target = tmp_path / ".github" / "workflows" / f"{name}.yaml"
    target.parent.mkdir(parents=True)
    target.write_text(text)
    return target


@pytest.mark.parametrize(
    ("name", "changes", "rule"),
    [
        pytest.param(
            "check",
            [(JUDGE, 'run: flagseal validate --base "${{ github.event.pull_request.head.ref }}"')],
            "template-injection",
            id="run words of the request's author in a script",
        ),
        pytest.param(
            "comment",
            [
                ("# zizmor: ignore[dangerous-triggers]", "#"),
                ("  workflow_run:", "  pull_request_target:"),
                ("    workflows: [check]\n    types: [completed]\n", "    branches: [main]\n"),
                ("    if: github.event.workflow_run.event == 'pull_request'\n", ""),
                (CHECKOUT, CHECKOUT.replace("      with:\n", "      with:\n        ref: ${{ github.head_ref }}\n")),
            ],
            "dangerous-triggers",
            id="check the request out where the token may write",
        ),
        pytest.param(
            "retire",
            [("actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "actions/checkout@v6")],
            "unpinned-uses",
            id="move a tag of an action",
        ),
        pytest.param(
            "check",
            [("permissions: {}\n", "permissions: write-all\n")],
            "excessive-permissions",
            id="be given every right",
        ),
        pytest.param(
            "attest",
            [
                (f"        permission-{right}\n", "")
                for right in (
                    "administration: write",
                    "checks: read",
                    "contents: write",
                    "pull-requests: read",
                    "statuses: read",
                )
            ],
            "github-app",
            id="take a token with all rights of the app",
        ),
        pytest.param(
            "attest", [("    environment: attestor\n", "")], "secrets-outside-env", id="read secrets anywhere"
        ),
        pytest.param(
            "approve",
            [("      with:\n        persist-credentials: false\n", "")],
            "artipacked",
            id="find the token in .git",
        ),
        pytest.param(
            "check",
            [("  pull_request:\n", "  pull_request_target:\n")],
            "dangerous-triggers",
            id="run the request with the branch's rights",
        ),
    ],
)
def test_give_a_pull_request_more_than_it_may_have(
    tmp_path: Path, name: str, changes: list[tuple[str, str]], rule: str
) -> None:
    """Whoever loosens a workflow, by mistake or not, is named by the rule that they break."""
    found = security(spoilt(tmp_path, name, *changes))
    assert f"{rule}: {name}.yaml" in found, found


@pytest.mark.usefixtures("linted")
@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        pytest.param(
            "check",
            [(JUDGE, 'run: flagseal validate --base "${{ github.event.pull_request.title }}"')],
            "potentially untrusted",
            id="run words of the request's author in a script",
        ),
        pytest.param(
            "check",
            [("      contents: read\n", "      contents: everything\n")],
            "is invalid as permission of scope",
            id="ask for a right that does not exist",
        ),
        pytest.param(
            "attest", [("secrets.FLAGSEAL_ATTESTOR_KEY", "secret.KEY")], "undefined variable", id="read from nowhere"
        ),
        pytest.param("attest", [('> "$KEY")', "> $KEY)")], "SC2086", id="let a path fall into words"),
    ],
)
def test_break_a_workflow_so_that_it_does_not_do_what_it_says(
    tmp_path: Path, name: str, changes: list[tuple[str, str]], words: str
) -> None:
    """What a runner would refuse, or take otherwise than it reads."""
    found = syntax(spoilt(tmp_path, name, *changes))
    assert any(words in line for line in found), found
