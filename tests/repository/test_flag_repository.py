"""Reading a flag repository at a revision, with real git."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from flagseal.approval.authors import contributors
from flagseal.model.errors import RepositoryError
from flagseal.repository import FlagRepository, layout
from flagseal.repository.changes import changed_paths
from tests.approval.samples import organisation
from tests.repository.gitrepo import GitRepository, flag

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """Give a repository with one flag, committed by nobody in particular."""
    made = GitRepository.at(tmp_path / "flags")
    made.put({CHECKOUT: flag()}).commit("first")
    return made


def rules(repository: FlagRepository, revision: str = "HEAD") -> list[tuple[str, str]]:
    """Give the findings of a revision, in short."""
    return [(finding.rule, finding.file) for finding in repository.documents(revision)[1]]


def test_documents_are_those_of_the_revision(repository: GitRepository) -> None:
    """What lies in the working tree does not matter."""
    first = repository.head()
    repository.put({CHECKOUT: flag(default="enabled")}).commit("second")
    repository.put({CHECKOUT: "rubbish: ["})
    opened = repository.open()
    (before,), none = opened.documents(first)
    (after,), nothing = opened.documents("main")
    assert before.subject == after.subject == "FlagDefinition/payments/new-checkout"
    assert before.digest != after.digest
    assert none == nothing == ()
    assert after.source is not None
    assert after.source.file == CHECKOUT


def test_what_did_not_change_is_not_parsed_again(repository: GitRepository) -> None:
    """The same blob at the same path gives the same value."""
    repository.put({"flags/payments/other.yaml": flag("other")}).commit("second")
    opened = repository.open()
    first = opened.documents("HEAD~")[0][0]
    assert any(document is first for document in opened.documents("HEAD")[0])


def test_the_working_tree_is_read_without_a_commit(repository: GitRepository) -> None:
    """A developer looks ahead at what is not committed."""
    repository.put({"flags/payments/other.yaml": flag("other")})
    documents, findings = repository.open().working_tree_documents()
    assert [document.name for document in documents] == ["new-checkout", "other"]
    assert findings == ()


def test_findings_of_the_loader_come_with_the_documents(repository: GitRepository) -> None:
    """A broken file is a finding, and the others are read."""
    repository.put({"flags/payments/broken.yaml": "a: [", "flags/payments/large.yaml": "#" * 300_000}).commit()
    documents, findings = repository.open().documents("HEAD")
    assert [document.name for document in documents] == ["new-checkout"]
    assert {finding.file for finding in findings} == {"flags/payments/broken.yaml", "flags/payments/large.yaml"}


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("flags/other/new-checkout.yaml", flag(), layout.NAME_DIFFERS),
        ("flags/payments/other.yaml", flag("third"), layout.NAME_DIFFERS),
        ("flags/stray.yaml", flag("stray"), layout.MISPLACED),
        ("flags/a/b/deep.yaml", flag("deep"), layout.MISPLACED),
        ("policies/nested/x.yaml", flag("x"), layout.MISPLACED),
        ("policies/flag.yaml", flag("flag"), layout.MISPLACED),
        ("flags/shop/again.yaml", flag("again", "shop") + "  key: new-checkout\n", layout.NOT_UNIQUE),
        ("flags/shop/new-checkout.yml", flag("new-checkout", "shop"), layout.NOT_UNIQUE),
        ("flags/payments/new-checkout.yml", flag(default="enabled"), layout.NOT_UNIQUE),
    ],
)
def test_misplaced_and_double_documents_are_findings(
    repository: GitRepository, path: str, text: str, rule: str
) -> None:
    """A document's place says what it is, and nothing is there twice."""
    repository.put({path: text})
    assert (rule, path) in [(found.rule, found.file) for found in repository.open().working_tree_documents()[1]]
    repository.commit()
    assert (rule, path) in rules(repository.open())


def test_other_files_are_nobodys_business(repository: GitRepository) -> None:
    """Policy tests and whatever is not YAML are left alone."""
    names = ("README.md", "flags/README.md", "flags/payments/notes.txt", "policies/tests/a.yaml")
    others: dict[str, str | None] = dict.fromkeys(names, "x: [")
    repository.put(others).commit()
    assert rules(repository.open()) == []


def test_links_are_found_and_not_followed(repository: GitRepository, tmp_path: Path) -> None:
    """A link could show each reader another document."""
    secret = tmp_path / "secret.yaml"
    secret.write_text(flag("secret"))
    (repository.path / "flags/payments/secret.yaml").symlink_to(secret)
    (repository.path / "flags/linked").symlink_to(tmp_path)
    opened = repository.open()
    documents, findings = opened.working_tree_documents()
    assert [document.name for document in documents] == ["new-checkout"]
    assert {finding.rule for finding in findings} == {layout.NOT_A_FILE}
    repository.commit()
    documents, findings = opened.documents("HEAD")
    assert [document.name for document in documents] == ["new-checkout"]
    assert [finding.file for finding in findings] == ["flags/linked", "flags/payments/secret.yaml"]


def test_a_linked_folder_of_flags_is_found(repository: GitRepository, tmp_path: Path) -> None:
    """The folder itself may be a link as well."""
    elsewhere = tmp_path / "elsewhere"
    (repository.path / "flags").rename(elsewhere)
    (repository.path / "flags").symlink_to(elsewhere)
    opened = repository.open()
    assert opened.working_tree_documents()[0] == ()
    assert [finding.rule for finding in opened.working_tree_documents()[1]] == [layout.NOT_A_FILE]
    repository.commit()
    assert rules(opened) == [(layout.NOT_A_FILE, "flags")]


def test_submodules_are_found(repository: GitRepository, tmp_path: Path) -> None:
    """A folder whose content is another repository's is not part of this history."""
    other = GitRepository.at(tmp_path / "other")
    other.put({"hidden.yaml": flag("hidden", "sub")}).commit()
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other.path), "flags/sub")
    opened = repository.open()
    assert [finding.rule for finding in opened.working_tree_documents()[1]] == [layout.NOT_A_FILE]
    repository.commit()
    assert rules(opened) == [(layout.NOT_A_FILE, "flags/sub")]


def test_a_bare_repository_will_do(repository: GitRepository, tmp_path: Path) -> None:
    """A server has no working tree."""
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(tmp_path / "bare"))
    opened = FlagRepository(tmp_path / "bare")
    assert len(opened.documents("main")[0]) == 1
    with pytest.raises(RepositoryError) as caught:
        opened.working_tree_documents()
    assert caught.value.code == "NoWorkingTree"


def test_the_identity_is_the_first_commit(repository: GitRepository, tmp_path: Path) -> None:
    """Clones share it, and another repository has another."""
    root = repository.head()
    repository.commit("second")
    repository.git("clone", "--quiet", str(repository.path), str(tmp_path / "clone"))
    assert repository.open().identity == FlagRepository(tmp_path / "clone").identity == f"git:{root}"
    assert repository.open().branch == "refs/heads/main"


def test_what_is_no_repository_says_so(tmp_path: Path) -> None:
    """Every way of not being one has its own words."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RepositoryError) as caught:
            FlagRepository(path)
        assert caught.value.code == "NotARepository"
    empty = GitRepository.at(tmp_path / "empty")
    with pytest.raises(RepositoryError) as caught:
        _ = empty.open().identity
    assert caught.value.code == "EmptyRepository"


def test_a_detached_head_is_on_no_branch(repository: GitRepository) -> None:
    """There is nothing to guess."""
    repository.git("checkout", "--quiet", "--detach")
    with pytest.raises(RepositoryError) as caught:
        _ = repository.open().branch
    assert caught.value.code == "DetachedHead"


@pytest.mark.parametrize(
    "revision",
    ["", "nothing", "--all", "--git-dir=/", "-h", "HEAD --", "HEAD:flags", "main..main", "^main", "\0", "HEAD\nHEAD"],
)
def test_a_revision_is_a_commit_or_nothing(repository: GitRepository, revision: str) -> None:
    """Nothing that a person types becomes an option or a range."""
    with pytest.raises(RepositoryError) as caught:
        repository.open().resolve(revision)
    assert caught.value.code == "UnknownRevision"


def test_a_branch_named_like_an_option_is_a_revision(repository: GitRepository) -> None:
    """Options end before the revision begins."""
    repository.git("update-ref", "refs/heads/--output=x", "HEAD")
    assert repository.open().resolve("--output=x") == repository.head()


def test_the_first_parent_line_follows_the_branch(repository: GitRepository) -> None:
    """What was merged in is reachable, and not on the line."""
    first = repository.head()
    repository.git("checkout", "--quiet", "-b", "feature")
    side = repository.commit("side")
    repository.git("checkout", "--quiet", "main")
    second = repository.commit("second")
    merged = repository.merge("feature")
    opened = repository.open()
    assert opened.first_parent_line(first, "main") == (second, merged)
    assert opened.first_parent_line(merged, merged) == ()
    assert {commit.id for commit in opened.commits_between(first, "main")} == {side, second, merged}
    assert opened.is_ancestor(side, merged)
    assert not opened.is_ancestor(merged, side)
    with pytest.raises(RepositoryError) as caught:
        opened.first_parent_line(side, "main")
    assert caught.value.code == "HistoryRewritten"


def test_a_rewritten_branch_is_noticed(repository: GitRepository) -> None:
    """A commit that was accepted and is no longer there stops everything."""
    repository.commit("second")
    lost = repository.head()
    repository.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "other")
    with pytest.raises(RepositoryError) as caught:
        repository.open().first_parent_line(lost, "main")
    assert caught.value.code == "HistoryRewritten"


def test_a_shallow_clone_is_refused(repository: GitRepository, tmp_path: Path) -> None:
    """It cannot say who contributed."""
    repository.commit("second")
    repository.commit("third")
    source = f"file://{repository.path}"
    repository.git("clone", "--quiet", "--depth=2", source, str(tmp_path / "shallow"))
    shallow = FlagRepository(tmp_path / "shallow")
    for ask in (lambda: shallow.identity, lambda: shallow.commits_between("HEAD~", "HEAD")):
        with pytest.raises(RepositoryError) as caught:
            ask()
        assert caught.value.code == "ShallowClone"


def test_replacements_and_grafts_change_nothing(repository: GitRepository) -> None:
    """Both would let a repository show another history than the signed one."""
    first = repository.head()
    repository.put({CHECKOUT: flag(default="enabled")})
    second = repository.commit("second")
    expected = repository.open().documents(second)[0]
    repository.git("replace", second, first)
    (repository.path / ".git/info").mkdir(exist_ok=True)
    (repository.path / ".git/info/grafts").write_text(f"{second}\n")
    opened = repository.open()
    assert opened.documents(second)[0] == expected
    assert opened.commit(second).parents == (first,)
    assert opened.first_parent_line(first, second) == (second,)


def test_a_lazy_fetch_does_not_run_what_the_repository_names(repository: GitRepository, tmp_path: Path) -> None:
    """A missing object in a repository with a promisor would start its upload command."""
    sign = tmp_path / "ran"
    blob = repository.git("rev-parse", f"HEAD:{CHECKOUT}")
    (repository.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    repository.git("config", "core.repositoryFormatVersion", "1")
    repository.git("config", "extensions.partialClone", "origin")
    repository.git("config", "remote.origin.promisor", "true")
    repository.git("config", "remote.origin.url", f"ext::sh -c touch% {sign}")
    repository.git("config", "protocol.ext.allow", "always")
    with pytest.raises(RepositoryError) as caught:
        repository.open().documents("HEAD")
    assert caught.value.code == "ObjectMissing"
    assert not sign.exists()


def test_an_object_with_another_content_is_refused(repository: GitRepository) -> None:
    """An id names a content, whatever the files below it say."""
    blob = repository.git("rev-parse", f"HEAD:{CHECKOUT}")
    other = flag(default="enabled").encode()
    loose = repository.path / ".git/objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(b"blob %d\0" % len(other) + other))
    with pytest.raises(RepositoryError) as caught:
        repository.open().documents("HEAD")
    assert caught.value.code in {"ObjectCorrupt", "GitFailed"}


def test_variables_of_a_hook_do_not_point_elsewhere(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a hook git sets GIT_DIR; the repository named is the one that is read."""
    other = GitRepository.at(tmp_path / "other")
    other.commit("elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git/index"))
    assert repository.open().resolve("HEAD") != other.head()


def test_hooks_and_monitors_do_not_run(repository: GitRepository, tmp_path: Path) -> None:
    """Reading, and writing a note, start nothing that the repository brought along."""
    sign = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch {sign}\n"
    for name in ("reference-transaction", "post-index-change", "post-checkout", "monitor"):
        hook = repository.path / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(script)
        hook.chmod(0o755)
    repository.git("config", "core.fsmonitor", str(repository.path / ".git/hooks/monitor"))
    opened = repository.open()
    opened.documents("HEAD")
    opened.add_note("HEAD", b"{}")
    opened.working_tree_documents()
    assert not sign.exists()


def test_signatures_of_git_verify_over_the_stored_payload(repository: GitRepository) -> None:
    """Commits and merges signed by the real git name their people, whatever the author line says."""
    first = repository.head()
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit("by bob\n\nwith a body\n\nCo-authored-by: Alice <alice@example.com>\n", by="bob")
    repository.git("checkout", "--quiet", "main")
    repository.commit("by carol", by="carol")
    repository.merge("feature", by="alice")
    people = organisation(alice=("alice",), bob=("bob",), carol=("carol",), dora=("dora",))
    assert contributors(repository.open().commits_between(first, "main"), people) == ("alice", "bob", "carol")


def test_a_repository_of_sha256_objects_reads_the_same(tmp_path: Path) -> None:
    """Git's newer object format has its own signature header and longer ids."""
    made = GitRepository(tmp_path / "new")
    made.path.mkdir()
    made.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    first = made.put({CHECKOUT: flag()}).commit("first", by="bob")
    second = made.commit("second", by="bob")
    opened = made.open()
    assert len(opened.documents("HEAD")[0]) == 1
    assert contributors(opened.commits_between(first, second), organisation(bob=("bob",))) == ("bob",)
    assert opened.add_note("HEAD", b"{}")
    assert opened.notes("HEAD") == b"{}\n"


@pytest.mark.parametrize(
    ("message", "ticket"),
    [
        ("subject\n\nTicket: PAY-1\n", "PAY-1"),
        ("subject\n\nbody\n\nticket: PAY-2\nSigned-off-by: x\n", "PAY-2"),
        ("subject\n\nTicket: PAY-1\nTicket: PAY-3\n", "PAY-3"),
        ("Ticket: PAY-1\n", None),
        ("subject\n\nTicket: PAY-1\n\nnot the last paragraph\n", None),
        ("subject\n", None),
    ],
)
def test_a_ticket_is_a_trailer(repository: GitRepository, message: str, ticket: str | None) -> None:
    """It stands in the last paragraph, and never in the subject."""
    repository.commit(message)
    assert repository.open().trailer("HEAD", "Ticket") == ticket


def test_governed_trees_change_with_governed_files_only(repository: GitRepository) -> None:
    """A change elsewhere needs no statement, and is seen as such without reading a document."""
    before = repository.open().governed_trees("HEAD")
    repository.put({"README.md": "hello"}).commit()
    assert repository.open().governed_trees("HEAD") == before
    repository.put({CHECKOUT: flag(default="enabled")}).commit()
    assert repository.open().governed_trees("HEAD") != before


def test_many_objects_are_not_held_all_at_once(repository: GitRepository) -> None:
    """Read one after another, they take the memory of a few."""
    names = []
    for number in range(24):
        (repository.path / "blob").write_bytes(b"%04d" % number + b"x" * 1024 * 1024)
        names.append(repository.git("hash-object", "-w", "blob"))
    git = repository.open().git
    tracemalloc.start()
    try:
        sizes = [len(data or b"") for _, _, data in git.objects(names, largest=2 * 1024 * 1024)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [1024 * 1024 + 4] * 24
    assert peak < 16 * 1024 * 1024


def test_the_paths_that_differ_are_those_that_git_lists(repository: GitRepository) -> None:
    """A file that became a folder, a mode, a rename, a submodule, one that came and one that went."""
    same = {"same/a": "a", "same/deep/b": "b"}
    repository.put({**same, "was-file": "x", "mode": "x", "old/name": "x", "gone/deep/er": "x", "edited": "x"})
    first = repository.commit("first")
    repository.put({"was-file": None, "old/name": None, "gone/deep/er": None})
    repository.put({"was-file/now/folder": "x", "new/name": "x", "edited": "y", "came": "x"})
    (repository.path / "mode").chmod(0o755)
    repository.git("add", "--all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{first},module")
    repository.git("commit", "--quiet", "-m", "second")
    listed = repository.git("diff-tree", "-r", "--no-renames", "--name-only", first, "HEAD").splitlines()
    opened = repository.open().git
    found = changed_paths(opened, first, repository.head())
    assert found == tuple(sorted(set(listed)))
    assert len(found) == 9
    assert changed_paths(opened, repository.head(), first) == found
    assert changed_paths(opened, first, first) == ()
