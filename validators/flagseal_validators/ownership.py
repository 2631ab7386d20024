"""What CODEOWNERS say: whether they can be read, cover every path, and name whom the organisation knows.

Every run looks at them, so nothing is imported here that a run without news does not need.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flagseal.codeowners import PLACES, parse
from flagseal.model.finding import Finding
from flagseal.model.problem import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from flagseal.codeowners import Codeowners, Owner

UNOWNED: Final = "FS612"
UNKNOWN_OWNER: Final = "FS613"

_FORGE: Final = ".github"


class Known(msgspec.Struct, frozen=True):
    """Whom CODEOWNERS may name.

    Attributes:
        teams: Names of teams, lower case.
        logins: Accounts in the forge, lower case.
        host: Whose teams the forge asks: the account that the repository belongs to; None where that is not known.
    """

    teams: frozenset[str]
    logins: frozenset[str]
    host: str | None = None

    def wrong(self, owner: Owner) -> tuple[str, Collection[str]] | None:
        """Say why an owner is not known, and what could be meant; None if it is known."""
        name = owner.name.rpartition("/")[2]
        match owner.kind:
            case "team":
                host = owner.name.partition("/")[0]
                if self.host is not None and host.casefold() != self.host.casefold():
                    return f"the forge asks teams of `{self.host}` only, and this one is of `{host}`", ()
                return None if name.casefold() in self.teams else (f"there is no team `{name}`", self.teams)
            case "user":
                known = name.casefold() in self.logins
                return None if known else (f"nobody's account in the forge is `{name}`", self.logins)
            case "email":
                return f"`{name}` is an address, and the organisation knows people by their accounts", ()


def look_at_ownership(
    root: Path, names: Collection[str], policies: Iterable[bytes], host: str | None = None
) -> Iterator[Finding]:
    """Hold CODEOWNERS against the paths and the organisation.

    Args:
        root: The repository's top folder.
        names: The files that hold documents.
        policies: As canonical JSON; without them nobody is known, and nobody is called unknown.
        host: The account that the repository belongs to in the forge; None takes the one that most teams are written
            with, since there is only one.
    """
    file = next((place for place in PLACES if (root / place).is_file() and not (root / place).is_symlink()), None)
    if file is None:
        if names and (root / _FORGE).is_dir():
            message = "nothing says who owns which path"
            yield _whole(PLACES[0], message, "Write a CODEOWNERS file that covers every path.")
        return
    data = (root / file).read_bytes()
    found, findings = parse(data, file=file)
    yield from findings
    if findings:
        return  # what cannot be read decides nothing
    known = _known(policies)
    if known is not None:
        known = msgspec.structs.replace(known, host=host or _most_written(found))
        yield from _unknown(found, data.decode("utf-8").split("\n"), known)
    yield from _unowned(found, [*names, file])


def _known(policies: Iterable[bytes]) -> Known | None:
    for policy in policies:
        if b'"kind":"Organisation"' in policy:
            spec: dict[str, Any] = json.loads(policy)["spec"]
            logins = (person["github"]["login"] for person in spec["people"].values() if "github" in person)
            return Known(frozenset(map(str.casefold, spec["teams"])), frozenset(map(str.casefold, logins)))
    return None


def _most_written(found: Codeowners) -> str | None:
    """Give the organisation that most teams are written with; None without teams."""
    hosts = Counter(
        owner.name.partition("/")[0].casefold() for line in found.lines for owner in line.owners if owner.kind == "team"
    )
    return hosts.most_common(1)[0][0] if hosts else None


def _unknown(found: Codeowners, text: Sequence[str], known: Known) -> Iterator[Finding]:
    """Complain about owners that the organisation does not know."""
    for line in found.lines:
        for owner in line.owners:
            wrong = known.wrong(owner)
            if wrong is not None:
                column = text[line.number - 1].find(owner.text) + 1
                meant = did_you_mean(owner.name.rpartition("/")[2], wrong[1])
                remedy = meant or "Name a team or a person of policies/organisation.yaml."
                yield Finding(found.file, line.number, column, UNKNOWN_OWNER, "$", wrong[0], remedy)


def _unowned(found: Codeowners, paths: Sequence[str]) -> Iterator[Finding]:
    """Complain once about each folder that holds files without an owner, at the first of them."""
    told: set[str] = set()
    for path in _first_of_folders(paths) if _by_folder(found) else sorted(paths):
        folder = path.rpartition("/")[0]
        if folder not in told and not found.owners(path):
            told.add(folder)
            line = found.line(path)
            why = f"no line of {found.file} matches it" if line is None else f"line {line.number} takes its owners away"
            message = f"nobody owns {folder or 'the top folder'}/: {why}"
            yield _whole(path, message, f"Add a line for /{folder}/ with its owners.")


def _first_of_folders(paths: Iterable[str]) -> list[str]:
    """Give the first path of each folder, sorted."""
    return sorted({path.rpartition("/")[0]: path for path in sorted(paths, reverse=True)}.values())


def _by_folder(found: Codeowners) -> bool:
    """Tell whether every line decides about all files of a folder alike: it names folders, or everything."""
    return all(
        line.pattern.text == "*" or (line.pattern.text.endswith("/") and "*" not in line.pattern.text)
        for line in found.lines
    )


def _whole(file: str, message: str, remedy: str) -> Finding:
    return Finding(file, 0, 0, UNOWNED, "$", message, remedy)
