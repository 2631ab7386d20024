"""The gate: every rule, held against a repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flagseal.model.errors import InvalidPolicies, UsageError
from flagseal.model.policy_set import load_policies
from flagseal.model.rule_ids import POLICY_KINDS_ONCE
from flagseal.repository.layout import FLAGS, POLICIES
from flagseal.repository.reading import read_afresh
from flagseal_validators.declared import Declared
from flagseal_validators.judging import Judged, judge
from flagseal_validators.report import Report, Suppressed
from flagseal_validators.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from flagseal.model.finding import Finding
    from flagseal.model.policies import PolicySet
    from flagseal.repository.reading import ReadFiles
    from flagseal_validators.tree import Tree


def validate_paths(
    root: Path,
    paths: Sequence[Path] = (),
    *,
    today: date,
    touched: Collection[str] | None = None,
    read: ReadFiles = read_afresh,
) -> Report:
    """Hold every rule against the files of a repository.

    All files are read, since rules look across them; what is reported is about the files asked for.

    Args:
        root: The repository's top folder.
        paths: Files and folders below ``flags/`` or ``policies/``; none for everything.
        today: The day, UTC.
        touched: Files (relative to the root) that the change at hand touches; None takes the files among ``paths``.
            On others, what only time brought about is a warning.
        read: How files are read.

    Raises:
        UsageError: A path does not exist, or lies elsewhere.
    """
    wanted = [_relative(root, path) for path in paths]
    if touched is None:
        touched = frozenset(name for name in wanted if (root / name).is_file())
    tree = read_tree(root, read=read)
    policies, contradictions = _policies(tree)
    judged = [
        *map(Judged, tree.findings),
        *map(Judged, contradictions),
        *judge(Declared(tree.documents, policies, today)),
    ]
    chosen = [it for it in judged if _is_wanted(it.finding.file, wanted)]
    found = sorted(it.at(touched) for it in chosen if it.suppressed is None)
    excused = [Suppressed(it.at(touched), it.suppressed) for it in chosen if it.suppressed is not None]
    return Report(tuple(found), _count(tree, wanted), tuple(sorted(excused, key=lambda it: (it.finding, it.by))))


def _relative(root: Path, path: Path) -> str:
    # Not resolved: a link is judged as the link it is.
    absolute = os.path.abspath(path)  # noqa: PTH100
    if not os.path.lexists(absolute):
        raise UsageError(f"{path}: there is no such file or folder", code="NoSuchPath", remedy="Name one that exists.")
    name = os.path.relpath(absolute, os.path.abspath(root)).replace(os.sep, "/")  # noqa: PTH100
    if name != "." and name.split("/")[0] not in {FLAGS, POLICIES}:
        raise UsageError(
            f"{path}: not below {FLAGS}/ or {POLICIES}/ of {root}",
            code="NotInRepository",
            remedy="Name files of the flag repository, or none for all.",
        )
    return name


def _is_wanted(file: str, wanted: Iterable[str]) -> bool:
    names = list(wanted)
    return not names or any(name in {".", file} or file.startswith(f"{name}/") for name in names)


def _count(tree: Tree, wanted: list[str]) -> int:
    return sum(_is_wanted(name, wanted) for name in tree.names)


def _policies(tree: Tree) -> tuple[PolicySet | None, tuple[Finding, ...]]:
    try:
        return load_policies(tree.documents), ()
    except InvalidPolicies as refused:
        # A kind may be missing only because its file could not be loaded, and then that is what has to be mended.
        broken = any(finding.file.startswith(f"{POLICIES}/") for finding in tree.findings)
        return None, tuple(found for found in refused.findings if not (broken and _says_missing(found)))


def _says_missing(finding: Finding) -> bool:
    return finding.rule == POLICY_KINDS_ONCE and not finding.line
