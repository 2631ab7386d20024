"""What rules say that look beyond the documents: at what a change made of them, and at who owns their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.codeowners import PLACES, parse
from flagseal.model.errors import InvalidPolicies
from flagseal.model.finding import Finding
from flagseal.model.policy_set import load_policies
from flagseal.model.problem import did_you_mean
from flagseal.repository.layout import FLAGS, POLICIES, POLICY_TESTS
from flagseal.repository.reading import read_afresh
from flagseal_validators.declared import Declared
from flagseal_validators.judged import Judged
from flagseal_validators.judging import judge_change
from flagseal_validators.tree import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from flagseal.codeowners import Codeowners, Owner
    from flagseal.model.document import Document
    from flagseal.model.policies import Organisation, PolicySet

UNOWNED: Final = "FS612"
UNKNOWN_OWNER: Final = "FS613"

_FORGE: Final = ".github"


def look_around(root: Path, names: Collection[str], before: Mapping[str, bytes], today: date) -> Iterator[Judged]:
    """Hold the rules that look beyond the documents.

    Args:
        root: The repository's top folder.
        names: The files that hold documents.
        before: What files that the change touches held before it, by path.
        today: The day, UTC.
    """
    owners = next((place for place in PLACES if (root / place).is_file() and not (root / place).is_symlink()), None)
    has_forge = (root / _FORGE).is_dir()
    changed = sorted(name for name in names if name in before and name.startswith(f"{FLAGS}/"))
    if owners is None and has_forge and names:
        message = "nothing says who owns which path"
        yield Judged(_finding(PLACES[0], UNOWNED, message, "Write a CODEOWNERS file that covers every path."))
    if owners is None and not changed:
        return
    policies = _policies(root, names)
    if owners is not None:
        organisation = None if policies is None else policies.organisation
        yield from map(Judged, _codeowners(root, owners, names, organisation))
    if changed:
        documents = _load({name: read_file(root / name) or b"" for name in changed})
        earlier = _load({name: before[name] for name in changed})
        known = {document.subject: document for document in earlier}
        yield from judge_change(Declared(documents, policies, today, before=known))


def _load(files: Mapping[str, bytes]) -> tuple[Document, ...]:
    return tuple(document for loaded in read_afresh(list(files.items())) for document in loaded.documents)


def _policies(root: Path, names: Collection[str]) -> PolicySet | None:
    paths = [name for name in names if name.startswith(f"{POLICIES}/") and not name.startswith(POLICY_TESTS)]
    try:
        return load_policies(_load({name: read_file(root / name) or b"" for name in paths}))
    except InvalidPolicies:
        return None


# CODEOWNERS


def _codeowners(root: Path, file: str, names: Collection[str], organisation: Organisation | None) -> Iterator[Finding]:
    data = (root / file).read_bytes()
    found, findings = parse(data, file=file)
    yield from findings
    if findings:
        return  # what cannot be read decides nothing
    if organisation is not None:
        yield from _unknown(found, data.decode("utf-8").split("\n"), organisation)
    yield from _unowned(found, [*names, file])


def _unknown(found: Codeowners, text: Sequence[str], organisation: Organisation) -> Iterator[Finding]:
    """Complain about owners that the organisation does not know."""
    logins = {it.github_login.casefold() for it in organisation.people.values() if it.github_login is not None}
    teams = {team.casefold() for team in organisation.teams}
    for line in found.lines:
        for owner in line.owners:
            if not _is_known(owner, logins, teams):
                column = text[line.number - 1].find(owner.text) + 1
                message, known = _wrong(owner, logins, organisation)
                remedy = did_you_mean(owner.name.rpartition("/")[2], known)
                remedy = remedy or "Name a team or a person of policies/organisation.yaml."
                yield Finding(found.file, line.number, column, UNKNOWN_OWNER, "$", message, remedy)


def _is_known(owner: Owner, logins: Collection[str], teams: Collection[str]) -> bool:
    name = owner.name.rpartition("/")[2].casefold()
    return owner.kind != "email" and name in (teams if owner.kind == "team" else logins)


def _wrong(owner: Owner, logins: Collection[str], organisation: Organisation) -> tuple[str, Collection[str]]:
    match owner.kind:
        case "team":
            return f"there is no team `{owner.name.rpartition('/')[2]}`", organisation.teams
        case "user":
            return f"nobody's account in the forge is `{owner.name}`", logins
        case "email":
            return f"`{owner.name}` is an address, which the organisation does not know people by", ()


def _unowned(found: Codeowners, paths: Sequence[str]) -> Iterator[Finding]:
    """Complain once about each folder that holds files without an owner, at the first of them."""
    told: set[str] = set()
    by_folder: dict[str, bool] = {}
    whole = _by_folder(found)
    for path in sorted(paths):
        folder = path.rpartition("/")[0]
        if folder in told:
            continue
        if whole and folder in by_folder:
            owned = by_folder[folder]
        else:
            owned = by_folder[folder] = bool(found.owners(path))
        if not owned:
            told.add(folder)
            line = found.line(path)
            why = f"no line of {found.file} matches it" if line is None else f"line {line.number} takes its owners away"
            message = f"nobody owns {folder or 'the top folder'}/: {why}"
            yield _finding(path, UNOWNED, message, f"Add a line for /{folder}/ with its owners.")


def _by_folder(found: Codeowners) -> bool:
    """Tell whether every line decides about all files of a folder alike: it names folders, or everything."""
    return all(
        line.pattern.text == "*" or (line.pattern.text.endswith("/") and "*" not in line.pattern.text)
        for line in found.lines
    )


def _finding(file: str, rule: str, message: str, remedy: str) -> Finding:
    return Finding(file, 0, 0, rule, "$", message, remedy)
