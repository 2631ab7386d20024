"""Fetching over HTTPS and SSH from real servers, with credentials as they are mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.intake import advance
from flagseal.model.errors import RepositoryError
from flagseal_operator.clone import Clone
from tests.approval.keyring import SshKey
from tests.history.branch import Branch
from tests.history.company import MONDAY, flag, rule
from tests.operator.remotes import PASSWORD, USER, https_remote, ssh_remote, sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.operator.remotes import HttpsRemote, SshRemote

ON = rule({"org": {"in": ["acme"]}})


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    """Give a repository with an approved change."""
    branch = Branch.at(tmp_path / "served" / "repo", flag())
    branch.commit(flag(production=ON))
    branch.approve("alice", "dora")
    return branch


@pytest.fixture
def https(tmp_path: Path) -> Iterator[HttpsRemote]:
    """Serve it over HTTPS."""
    with https_remote(tmp_path / "served", tmp_path / "https") as remote:
        yield remote


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshRemote]:
    """Serve it over SSH."""
    server = sshd()
    if server is None:
        pytest.skip("FLAGSEAL_SSHD is not set, and this machine has no sshd: no SSH server to fetch from")
    with ssh_remote(server, tmp_path / "ssh") as remote:
        yield remote


def secret(folder: Path, **files: str) -> Path:
    """Mount a Secret."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", "-", 1) if name.startswith("ssh") else folder / name).write_text(text)
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def refused(clone: Clone) -> RepositoryError:
    """Say how a fetch is refused, and that nothing secret is in it."""
    with pytest.raises(RepositoryError) as error:
        clone.fetch(60)
    assert PASSWORD not in error.value.message
    assert not clone.exists
    return error.value


def test_a_password_and_the_banks_own_ca_let_it_in(tmp_path: Path, branch: Branch, https: HttpsRemote) -> None:
    """Branch and notes come over, and what is approved there is accepted from the clone."""
    folder = secret(tmp_path / "secret", username=USER, password=PASSWORD)
    (folder / "ca.crt").write_bytes(https.ca.read_bytes())
    clone = Clone(tmp_path / "clones", https.url(), branch.trust.ref, folder)
    clone.fetch(60)
    assert len(advance(clone.repository, branch.head, branch.trust, now=MONDAY).entries) == 1
    assert PASSWORD not in (clone.path / "config").read_text()


def test_a_ca_alone_is_enough_where_nobody_asks_for_a_password(
    tmp_path: Path, branch: Branch, https: HttpsRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the place of the machine's authorities."""
    monkeypatch.setattr("tests.operator.remotes._GitHandler.open_to_all", True)
    folder = secret(tmp_path / "secret", **{"ca.crt": https.ca.read_text()})
    clone = Clone(tmp_path / "clones", https.url(), branch.trust.ref, folder)
    clone.fetch(60)
    assert clone.repository.identity == branch.trust.repository_id
    assert {given for _, given in https.seen} == {None}


def test_a_wrong_password_is_refused_and_not_repeated(tmp_path: Path, branch: Branch, https: HttpsRemote) -> None:
    """The message names the repository and the cause, and no secret."""
    folder = secret(tmp_path / "secret", username=USER, password="wrong password", **{"ca.crt": https.ca.read_text()})
    error = refused(Clone(tmp_path / "clones", https.url(), branch.trust.ref, folder))
    assert error.code == "FetchFailed"
    assert "wrong password" not in error.message
    assert https.seen[-1][1] is not None, "it was tried"


@pytest.mark.parametrize("named", ["none", "another"])
def test_a_server_that_no_known_ca_vouches_for_hears_no_password(
    tmp_path: Path, branch: Branch, https: HttpsRemote, named: str
) -> None:
    """Not one of this machine's, and not the one that is named."""
    folder = secret(tmp_path / "secret", username=USER, password=PASSWORD)
    if named == "another":
        with https_remote(tmp_path / "served", tmp_path / "another") as another:
            (folder / "ca.crt").write_bytes(another.ca.read_bytes())
    assert refused(Clone(tmp_path / "clones", https.url(), branch.trust.ref, folder)).code == "FetchFailed"
    assert https.seen == []


def test_a_redirect_does_not_take_the_password_along(tmp_path: Path, branch: Branch, https: HttpsRemote) -> None:
    """The place it points to is never asked."""
    folder = secret(tmp_path / "secret", username=USER, password=PASSWORD, **{"ca.crt": https.ca.read_text()})
    refused(Clone(tmp_path / "clones", https.url("moved/repo"), branch.trust.ref, folder))
    assert https.seen
    assert not [path for path, _ in https.seen if path.startswith("/elsewhere")]


def test_a_key_and_a_known_host_let_it_in(tmp_path: Path, branch: Branch, ssh: SshRemote) -> None:
    """Through OpenSSH's own client and server."""
    folder = secret(tmp_path / "secret", ssh_privatekey=ssh.private.read_text(), known_hosts=ssh.known_hosts)
    clone = Clone(tmp_path / "clones", ssh.url(tmp_path / "served" / "repo"), branch.trust.ref, folder)
    clone.fetch(60)
    assert len(advance(clone.repository, branch.head, branch.trust, now=MONDAY).entries) == 1


@pytest.mark.parametrize("wrong", ["key", "host", "nobody"])
def test_another_key_and_another_host_are_refused(tmp_path: Path, branch: Branch, ssh: SshRemote, wrong: str) -> None:
    """Nobody is asked whether to trust a host that is not known."""
    stranger = SshKey.of("mallory").write(tmp_path / "stranger").read_text()
    host = SshKey.of("another host").line
    words = {
        "key": {"ssh_privatekey": stranger, "known_hosts": ssh.known_hosts},
        "host": {"ssh_privatekey": ssh.private.read_text(), "known_hosts": f"[127.0.0.1]:{ssh.port} {host}\n"},
        "nobody": {"ssh_privatekey": ssh.private.read_text(), "known_hosts": ""},
    }[wrong]
    folder = secret(tmp_path / "secret", **words)
    clone = Clone(tmp_path / "clones", ssh.url(tmp_path / "served" / "repo"), branch.trust.ref, folder)
    error = refused(clone)
    assert error.code == "FetchFailed"
    said = {"key": "permission denied", "host": "host identification has changed", "nobody": "host key verification"}
    assert said[wrong] in error.message.lower()
