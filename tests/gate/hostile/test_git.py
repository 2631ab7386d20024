"""A repository whose configuration and attributes were set to run something, or whose history is too much."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.main import run
from tests.gate.company import base, document, write

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"
NEXT_MONTH = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()

COMMANDS = (
    ["validate"],
    ["validate", "--base", "HEAD~1"],
    ["validate", "--base", "HEAD", CHECKOUT],
    ["plan", "--base", "HEAD~1"],
    ["plan", "--base", "HEAD~1", "--head", "HEAD"],
    ["policy", "test"],
)
"""What is run on a pull request."""

CONFIGURATION = (
    "core.fsmonitor {run}",
    "core.hooksPath {hooks}",
    "core.sshCommand {run}",
    "core.gitProxy {run}",
    "core.askPass {run}",
    "core.editor {run}",
    "core.pager {run}",
    "core.alternateRefsCommand {run}",
    "core.attributesFile {attributes}",
    "pager.ls-tree {run}",
    "pager.cat-file {run}",
    "alias.ls-tree !{run}",
    "alias.rev-parse !{run}",
    "credential.helper !{run}",
    "diff.external {run}",
    "diff.evil.command {run}",
    "diff.evil.textconv {run}",
    "filter.evil.clean {run}",
    "filter.evil.smudge {run}",
    "filter.evil.process {run}",
    "filter.evil.required true",
    "merge.evil.driver {run}",
    "trailer.ticket.command {run}",
    "trailer.ticket.cmd {run}",
    "gpg.program {run}",
    "gpg.ssh.program {run}",
    "gpg.ssh.defaultKeyCommand {run}",
    "log.showSignature true",
    "sequence.editor {run}",
    "uploadpack.packObjectsHook {run}",
    "protocol.allow always",
    "protocol.ext.allow always",
    "remote.origin.url ext::{run}",
    "remote.origin.promisor true",
    "remote.origin.partialclonefilter blob:none",
    "remote.origin.uploadpack {run}",
    "remote.origin.vcs evil",
    "extensions.partialClone origin",
    "submodule.evil.url ext::{run}",
    "submodule.evil.update !{run}",
    "include.path {included}",
    "maintenance.auto true",
    "gc.auto 1",
)
"""Everything in git's configuration by which reading a repository could run a command or ask a network."""


def git(root: Path, *words: str) -> str:
    """Run git as a person with a name."""
    who = {
        "GIT_AUTHOR_NAME": "bob",
        "GIT_AUTHOR_EMAIL": "b@x",
        "GIT_COMMITTER_NAME": "bob",
        "GIT_COMMITTER_EMAIL": "b@x",
    }
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True, env=os.environ | who)
    return done.stdout.strip()


def commit(root: Path, message: str = "x") -> None:
    """Commit everything."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


@pytest.fixture(name="root")
def changed_company(tmp_path: Path) -> Path:
    """Commit the company, and a change of one flag."""
    root = write(tmp_path / "root", base() | {CHECKOUT: document(CHECKOUT, f'expires: "{NEXT_MONTH}"')})
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    write(root, {CHECKOUT: document(CHECKOUT, f'expires: "{NEXT_MONTH}"\nticket: PAY-1')})
    commit(root, "A ticket\n\nTicket: PAY-1")
    return root


@pytest.fixture
def answers(root: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """Say what the commands answer while nothing is wrong."""
    return ask(root, capsys)


def ask(root: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """Run every command; give exit codes and what was said."""
    told = []
    for command in COMMANDS:
        words = [str(root / word) if word == CHECKOUT else word for word in command]
        code = run([*words, "--repo", str(root)])
        told.append((code, capsys.readouterr().out))
    return told


def arm(root: Path, place: Path) -> Path:
    """Set a repository up so that whatever can be run is run; give the file that shows it."""
    canary = place / "canary"
    script = place / "run"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {canary}\n')
    script.chmod(0o755)
    hooks = place / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        shutil.copy(script, hooks / name)
        shutil.copy(script, root / ".git" / "hooks" / name)
    (place / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    (place / "included").write_text(f"[core]\n\tfsmonitor = {script}\n")
    words = {
        "run": str(script),
        "hooks": str(hooks),
        "attributes": str(place / "attributes"),
        "included": str(place / "included"),
    }
    with (root / ".git" / "config").open("a") as config:
        for line in CONFIGURATION:
            name, _, value = line.format(**words).partition(" ")
            section, _, key = name.rpartition(".")
            head, _, rest = section.partition(".")
            config.write(f'[{head} "{rest}"]\n' if rest else f"[{head}]\n")
            config.write(f'\t{key} = "{value}"\n')
    (root / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    (root / ".gitattributes").write_text(
        "* filter=evil diff=evil merge=evil text eol=crlf working-tree-encoding=UTF-16\n"
    )
    (root / ".gitmodules").write_text(f'[submodule "evil"]\n\tpath = flags/evil\n\turl = ext::{script}\n')
    return canary


def test_the_trap_works(root: Path, tmp_path: Path) -> None:
    """Git itself walks into it: otherwise the next test would prove nothing."""
    canary = arm(root, tmp_path)
    (root / CHECKOUT).touch()
    subprocess.run(["git", "status"], cwd=root, capture_output=True, check=False, timeout=60)
    assert canary.exists()


def test_nothing_that_a_repository_names_is_run(
    root: Path, tmp_path: Path, answers: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Hooks, filters, text conversions, monitors, pagers, aliases, remotes: all answers are what they were."""
    assert [code for code, _ in answers] == [0, 0, 0, 1, 1, 1]  # A plan of what is not approved yet gives 1.
    canary = arm(root, tmp_path)
    assert ask(root, capsys) == answers
    assert not canary.exists(), canary.read_text()


def test_no_network_is_asked(
    root: Path,
    answers: list[tuple[int, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With sockets forbidden, and git's own transports out of reach, the answers are the same."""

    def forbidden(*words: object, **named: object) -> None:
        raise AssertionError(f"a socket: {words} {named}")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, forbidden)
    git(root, "remote", "add", "origin", "https://flags.invalid/x.git")
    git(root, "config", "remote.origin.promisor", "true")
    monkeypatch.setenv("GIT_TRACE_CURL", str(root.parent / "curl"))
    monkeypatch.setenv("GIT_TRACE", str(root.parent / "trace"))
    assert ask(root, capsys) == answers
    assert not (root.parent / "curl").exists()
    trace = (root.parent / "trace").read_text()
    assert "built-in: git ls-tree" in trace
    assert not [
        line for line in trace.splitlines() if "remote-http" in line or "fetch" in line or "run_command" in line
    ]


def test_a_missing_object_is_not_fetched(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A partial clone whose remote would run a command: the answer is that the object is missing."""
    blob = git(root, "rev-parse", f"HEAD~1:{CHECKOUT}")
    canary = arm(root, tmp_path)
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert run(["plan", "--base", "HEAD~1", "--repo", str(root)]) == 2
    assert "ObjectMissing" in capsys.readouterr().err
    assert not canary.exists(), canary.read_text()


def test_a_git_file_that_points_elsewhere_runs_nothing_and_reads_our_files(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files judged are those that lie here; only history may come from where it points."""
    elsewhere = write(tmp_path / "elsewhere", base() | {CHECKOUT: document(CHECKOUT, f'expires: "{NEXT_MONTH}"')})
    git(elsewhere, "init", "--quiet", "--initial-branch", "main")
    commit(elsewhere)
    canary = arm(elsewhere, tmp_path)
    shutil.rmtree(root / ".git")
    (root / ".git").write_text("gitdir: ../elsewhere/.git\n")
    write(root, {CHECKOUT: document(CHECKOUT, "owner: nobody")})
    for words in (["validate"], ["validate", "--base", "HEAD"]):
        assert run([*words, "--repo", str(root)]) == 1
        assert "FS201" in capsys.readouterr().out
    assert not canary.exists(), canary.read_text()


@pytest.mark.parametrize("target", ["nowhere", "/dev/zero", ".", "root/.git", "x" * 5000])
def test_a_git_file_that_points_at_nothing_is_a_message(
    root: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are judged by themselves; what needs history says that there is none."""
    shutil.rmtree(root / ".git")
    (root / ".git").write_text(f"gitdir: {target}\n")
    assert run(["validate", "--repo", str(root)]) == 0
    capsys.readouterr()
    assert run(["validate", "--base", "HEAD", "--repo", str(root)]) == 2
    said = capsys.readouterr().err
    assert "Internal" not in said
    assert "error[" in said


def test_a_worktree_elsewhere_is_not_taken_for_ours(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``core.worktree`` may name any folder; the files judged are those beside ``.git``."""
    other = write(tmp_path / "other", base())
    git(root, "config", "core.worktree", str(other))
    write(root, {CHECKOUT: document(CHECKOUT, "owner: nobody")})
    for words in (["validate"], ["validate", "--base", "HEAD"]):
        assert run([*words, "--repo", str(root)]) == 1
        assert "FS201" in capsys.readouterr().out


def test_a_submodule_is_neither_entered_nor_fetched(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the tree and checked out."""
    inner = write(tmp_path / "inner", {"flag.yaml": document(CHECKOUT, "")})
    git(inner, "init", "--quiet")
    commit(inner)
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "flags/sub")
    commit(root)
    canary = arm(root, tmp_path)
    assert run(["validate", "--base", "HEAD~1", "--repo", str(root)]) == 1
    assert "flags/sub" in capsys.readouterr().out
    assert run(["plan", "--base", "HEAD~1", "--head", "HEAD", "--repo", str(root)]) == 2
    assert "FS151" in capsys.readouterr().err
    assert not canary.exists(), canary.read_text()


def test_a_hundred_thousand_refs_are_no_matter(
    root: Path, answers: list[tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Branches, tags and notes of others."""
    head = git(root, "rev-parse", "HEAD")
    with (root / ".git" / "packed-refs").open("w") as refs:
        refs.write("# pack-refs with: peeled fully-peeled sorted \n")
        names = [f"refs/{kind}/{number:06}" for kind in ("heads", "notes", "tags") for number in range(34_000)]
        refs.writelines(f"{head} {name}\n" for name in sorted(names))
    assert ask(root, capsys) == answers


def test_a_revision_named_like_an_option_is_a_revision(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither git nor we take it for one."""
    for base_of in ("--output=canary", "-h", "--upload-pack=x", "HEAD:flags", "@{upstream}", ":/x", "HEAD\x00"):
        assert run(["validate", f"--base={base_of}", "--repo", str(root)]) == 2
        said = capsys.readouterr().err
        assert "Internal" not in said
    assert not (root / "canary").exists()
