"""What ``--help`` lists, and in which words."""

from __future__ import annotations

import pytest

from flagseal_cli.main import COMMANDS, SECTIONS, run


def test_every_command_is_listed_once_under_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The sections together are all commands."""
    assert len(COMMANDS) == sum(len(commands) for commands in SECTIONS.values())
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert [line.removesuffix(":") for line in said.splitlines() if line.removesuffix(":") in SECTIONS] == [*SECTIONS]


GROUPS = ["approvals", "cluster", "facts", "forge", "import", "incidents", "operator", "policy", "snapshot", "trust"]


@pytest.mark.parametrize("name", GROUPS)
def test_a_list_of_commands_says_whole_sentences(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is cut where a narrow terminal ends."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run([name, "--help"]) == 0
    listed = capsys.readouterr().out.partition("\nCommands:\n")[2]
    assert listed
    assert "..." not in listed
