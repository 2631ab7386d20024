"""Fetching from a repository that somebody else writes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from flagseal.intake import advance
from flagseal.model.errors import RepositoryError
from flagseal_operator.clone import Clone, credentials_folder
from tests.history.branch import Branch
from tests.history.company import MONDAY, flag, rule

if TYPE_CHECKING:
    from pathlib import Path

ON = rule({"org": {"in": ["acme"]}})


def test_a_clone_has_the_branch_and_its_notes_and_follows_both(tmp_path: Path) -> None:
    """What is approved at the remote is accepted from the clone, through the same object."""
    branch = Branch.at(tmp_path / "repo", flag())
    clone = Clone(tmp_path / "clones", f"file://{tmp_path}/repo", branch.trust.ref)
    clone.fetch()
    assert clone.repository.identity == branch.trust.repository_id
    assert advance(clone.repository, branch.head, branch.trust, now=MONDAY).entries == ()
    branch.commit(flag(production=ON))
    branch.approve("alice")
    clone.fetch()
    branch.approve("dora")
    clone.fetch()
    assert len(advance(clone.repository, branch.head, branch.trust, now=MONDAY).entries) == 1


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c id", "--upload-pack=id", "https://bob:secret@host/x", "/etc", "http://host/x", "file:///x\n--evil"],
)
def test_what_git_would_run_or_reveal_is_no_url(url: str, tmp_path: Path) -> None:
    """Options, helpers and passwords are refused before git sees them."""
    with pytest.raises(RepositoryError) as refused:
        Clone(tmp_path, url, "refs/heads/main")
    assert refused.value.code == "UrlRefused"
    assert "secret" not in refused.value.message


def test_a_remote_that_is_gone_is_said_and_what_was_fetched_stays(tmp_path: Path) -> None:
    """The last state is read on."""
    branch = Branch.at(tmp_path / "repo", flag())
    clone = Clone(tmp_path / "clones", f"file://{tmp_path}/repo", branch.trust.ref)
    clone.fetch()
    (tmp_path / "repo").rename(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError) as refused:
        clone.fetch()
    assert refused.value.code == "FetchFailed"
    assert clone.repository.resolve(branch.trust.ref) == branch.trust.genesis.commit


@pytest.mark.parametrize("name", ["..", "a/b", "", "x\n"])
def test_credentials_lie_in_their_folder_and_nowhere_else(name: str, tmp_path: Path) -> None:
    """No name leads out of it."""
    with pytest.raises(RepositoryError):
        credentials_folder(tmp_path, name)


def test_a_remote_that_hangs_is_left(tmp_path: Path) -> None:
    """A server that never answers costs the seconds it is given, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        clone = Clone(tmp_path / "clones", f"https://127.0.0.1:{silent.getsockname()[1]}/x", "refs/heads/main")
        with pytest.raises(RepositoryError) as refused:
            clone.fetch(1.0)
    assert refused.value.code == "FetchTooSlow"


def test_a_password_that_is_missing_is_no_password(tmp_path: Path) -> None:
    """Half a Secret is refused before anybody is asked."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "username").write_text("bot")
    clone = Clone(tmp_path / "clones", "https://127.0.0.1:1/x", "refs/heads/main", tmp_path / "secret")
    with pytest.raises(RepositoryError) as refused:
        clone.fetch()
    assert refused.value.code == "CredentialsMissing"
