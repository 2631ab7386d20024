"""Semantic versions as flagd's ``sem_ver`` compares them (compat.md; semver.org 2.0.0)."""

from __future__ import annotations

import re
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Final, NamedTuple

from flagseal.evaluation.javascript import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NUMBER = r"(0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+"
_VERSION = re.compile(
    rf"[vV]?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)
_ARGUMENTS = 3


class Version(NamedTuple):
    """A version, ordered by precedence (clause 11); what is built of it does not count.

    Attributes:
        released: Whether it has no pre-release part; one that has comes before its release.
        prerelease: Its identifiers as (0, number, "") or (1, 0, text): numbers come first.
    """

    major: int
    minor: int
    patch: int
    released: bool
    prerelease: tuple[tuple[int, int, str], ...]


def parse_version(value: object) -> Version | None:
    """Read a version.

    Args:
        value: A text, with or without a leading ``v``, of one to three numbers (``1`` means 1.0.0), or a number.

    Returns:
        None if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    match = _VERSION.fullmatch(to_text(value))
    if match is None:
        return None
    major, minor, patch, prerelease = match.groups()
    identifiers = prerelease.split(".") if prerelease else []
    try:
        return Version(
            int(major),
            int(minor or 0),
            int(patch or 0),
            not identifiers,
            tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in identifiers),
        )
    except ValueError:  # more digits than Python converts
        return None


def _same_major(left: Version, right: Version) -> bool:
    return left.major == right.major


def _same_minor(left: Version, right: Version) -> bool:
    return left[:2] == right[:2]


RELATIONS: Final[Mapping[str, Callable[[Version, Version], bool]]] = {
    "=": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "^": _same_major,
    "~": _same_minor,
}
"""By operator: ``^`` holds for the same major version, ``~`` for the same major and minor."""


def relation(operator: object) -> Callable[[Version, Version], bool] | None:
    """Find the relation of an operator, if there is one."""
    return RELATIONS.get(operator) if isinstance(operator, str) else None


def sem_ver(*arguments: object) -> bool | None:
    """Compare two versions: ``(version, operator, version)``. Anything invalid gives None."""
    if len(arguments) != _ARGUMENTS:
        return None
    left, compare, right = parse_version(arguments[0]), relation(arguments[1]), parse_version(arguments[2])
    return None if left is None or compare is None or right is None else compare(left, right)
