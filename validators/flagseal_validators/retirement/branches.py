"""The branches that retirement is proposed on: made of git's objects, beside everybody's working tree, index and HEAD.

A branch is ours as long as its last commit is one that we made, which the commit itself shows: it names the flag, what
its one file was and is, and who wrote it. Whoever commits on top of it, amends or signs it, has taken it over.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.limits import LARGEST_FILE
from flagseal.repository.commit import parse_commit
from flagseal.repository.flag_repository import LARGEST_COMMIT
from flagseal.repository.git import blob_id
from flagseal_validators.forge.own_commits import is_untouched, written_by
from flagseal_validators.retirement.describing import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.repository import FlagRepository
    from flagseal.repository.sharing import Remote
    from flagseal_validators.forge.desk import Hand

MANY: Final = 50
"""Branches pushed at once."""
_COPIES: Final = "refs/flagseal/retire/"
_BASE: Final = f"{_COPIES}base"
_MADE: Final = f"{_COPIES}made"
_FLAG: Final = "Retires"
_WAS: Final = "File-Was"
_IS: Final = "File-Is"


@dataclass(frozen=True, slots=True)
class Edit:
    """What a branch changes.

    Attributes:
        flag: ``namespace/name``.
        path: Of the flag's file.
        content: What it shall hold; None where it is removed.
        subject: Of the commit's message.
    """

    flag: str
    path: str
    content: bytes | None
    subject: str


@dataclass(frozen=True, slots=True)
class _Tip:
    """Where a branch is there; ``was`` and ``now`` are the file's object ids if the commit is one of ours."""

    commit: str
    was: str = ""
    now: str = ""
    ours: bool = False


class Branches:
    """Read and write the branches of one repository.

    Args:
        git: A clone; nothing in it changes but objects and refs below ``refs/flagseal/retire/``.
        remote: Where everybody fetches from.
        base: The branch that requests go to (``main``).
    """

    def __init__(self, git: FlagRepository, remote: Remote, base: str) -> None:
        self._git = git
        self._remote = remote
        self.base = base
        self._commit = ""
        self._files: Mapping[str, str] = {}
        self._tips: dict[str, _Tip] = {}

    def fetch(self) -> str:
        """Fetch the base and every branch of ours; give the base's commit.

        Raises:
            RepositoryError: ``FetchFailed``.
        """
        copied = self._remote.copy_branches(self.base, BRANCHES, _COPIES)
        self._commit = self._git.resolve(_BASE)
        self._files = self._git.blobs(self._commit)
        self._tips = dict(self._read(copied))
        return self._commit

    def contents(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """Read files as they are on the base."""
        wanted = {path: self._files[path] for path in paths}
        objects = self._git.git.objects(sorted(set(wanted.values())), largest=LARGEST_FILE)
        read = {blob: data for blob, _, data in objects}
        return {path: data for path, blob in wanted.items() if (data := read[blob]) is not None}

    def is_taken_over(self, flag: str, merged: str = "") -> bool:
        """Tell whether somebody else committed to a flag's branch, beyond the commit that was merged of it."""
        tip = self._tips.get(flag)
        return tip is not None and not tip.ours and tip.commit != merged

    def is_current(self, edit: Edit) -> bool:
        """Tell whether a flag's branch makes this very change already, to a file that is still what it was."""
        tip = self._tips.get(edit.flag)
        return tip is not None and tip.ours and (tip.was, tip.now) == self._change(edit)

    def push(self, edits: Iterable[Edit], hand: Hand, now: datetime) -> Mapping[str, str]:
        """Write branches there, each only over what was seen.

        Args:
            edits: At most :data:`MANY`.
            hand: Whose commits they are.
            now: Aware; when they were made.

        Raises:
            RepositoryError: ``PushRefused``; ``GitFailed``.

        Returns:
            The flags whose branch was not taken, with git's words.
        """
        wanted = {edit.flag: edit for edit in edits}
        if not wanted:
            return {}
        made = self._made(wanted, hand, now)
        seen = {flag: self._tips[flag].commit if flag in self._tips else None for flag in made}
        refused = self._remote.push_leased(
            {f"refs/heads/{BRANCHES}{flag}": (commit, seen[flag]) for flag, commit in made.items()}
        )
        left = {ref.removeprefix(f"refs/heads/{BRANCHES}"): why for ref, why in refused.items()}
        for flag, commit in made.items():
            if flag not in left:
                self._tips[flag] = _Tip(commit, *self._change(wanted[flag]), ours=True)
        return left

    def _change(self, edit: Edit) -> tuple[str, str]:
        """Give the file's object ids before and after."""
        nothing = "0" * len(self._commit)
        after = nothing if edit.content is None else blob_id(edit.content, like=self._commit)
        return self._files.get(edit.path, nothing), after

    def _made(self, edits: Mapping[str, Edit], hand: Hand, now: datetime) -> dict[str, str]:
        """Make one commit an edit, each on the base, all by one process."""
        who = f"{hand.name} <{hand.email}> {int(now.timestamp())} +0000"
        stream: list[bytes] = []
        for number, edit in enumerate(edits.values(), start=1):
            was, after = self._change(edit)
            trailers = f"{_FLAG}: {edit.flag}\n{_WAS}: {was}\n{_IS}: {after}\n{written_by(hand)}\n"
            message = f"{edit.subject}\n\n{trailers}".encode()
            path = edit.path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            stream.append(f"commit {_MADE}\nmark :{number}\nauthor {who}\ncommitter {who}\n".encode())
            stream.append(b"data %d\n%sfrom %s\n" % (len(message), message, self._commit.encode()))
            if edit.content is None:
                stream.append(f'D "{path}"\n\n'.encode())
            else:
                stream.append(f'M 100644 inline "{path}"\ndata {len(edit.content)}\n'.encode() + edit.content + b"\n\n")
        with tempfile.TemporaryDirectory(prefix="flagseal-retire-") as folder:
            marks = Path(folder) / "marks"
            options = ("--quiet", "--force", "--date-format=raw", f"--export-marks={marks}")
            self._git.git.run("fast-import", *options, stdin=b"".join(stream))
            rows = marks.read_text("ascii").split()
        by_mark = dict(zip(rows[::2], rows[1::2], strict=True))
        return {flag: by_mark[f":{number}"] for number, flag in enumerate(edits, start=1)}

    def _read(self, named: Mapping[str, str]) -> Iterator[tuple[str, _Tip]]:
        """Find out of every branch whether its last commit is ours, by three processes for all of them."""
        if not named:
            return
        git = self._git.git
        line = set(git.text("rev-list", self._commit).split())
        asked = "".join(f"{commit}\n" for commit in dict.fromkeys(named.values())).encode()
        listing = git.run("diff-tree", "--stdin", "-r", "-z", "--no-renames", stdin=asked)[1].split(b"\0")
        changed = _changed([word.decode("utf-8", "surrogateescape") for word in listing if word])
        raws = {name: data for name, _, data in git.objects(dict.fromkeys(named.values()), largest=LARGEST_COMMIT)}
        for flag, tip in named.items():
            raw = raws[tip]
            commit = parse_commit(tip, raw or b"")
            said = commit.trailer(_WAS), commit.trailer(_IS)
            alone = len(commit.parents) == 1 and commit.parents[0] in line and commit.trailer(_FLAG) == flag
            ours = alone and is_untouched(raw) and [said] == changed.get(tip, [])
            # What is merged whole is nobody's any more.
            yield flag, _Tip(tip, said[0] or "", said[1] or "", ours=True) if ours else _Tip(tip, ours=tip in line)


def _changed(words: list[str]) -> dict[str, list[tuple[str | None, str | None]]]:
    """Read what ``diff-tree --stdin -z`` says: a commit's id, and for each change a line that begins with a colon."""
    found: dict[str, list[tuple[str | None, str | None]]] = {}
    current = ""
    rest = iter(words)
    for word in rest:
        if word.startswith(":"):
            _, _, was, now, _ = word.split(" ")
            found[current].append((was, now))
            next(rest)  # the path
        else:
            current = word
            found[current] = []
    return found
