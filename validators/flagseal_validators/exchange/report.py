"""What an import or export did, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.defining import Defaults
    from flagseal_validators.exchange.exporting import Exported
    from flagseal_validators.exchange.importing import Imported, Outcome

_TOLD: Final[dict[Outcome, str]] = {
    "exactly": "exactly",
    "raw": "as raw targeting",
    "changed": "with a difference",
    "left out": "left out",
}


def import_text(flags: tuple[Imported, ...], defaults: Defaults) -> str:
    """Render what became of each flag, and what was assumed for all."""
    return "\n".join(_lines(flags, defaults)) + "\n"


def _lines(flags: tuple[Imported, ...], defaults: Defaults) -> Iterator[str]:
    # Keys and reasons come from a foreign file, which may be hostile to terminals.
    keys = [visible(flag.key) for flag in flags]
    width = max(map(len, keys), default=0)
    for key, flag in zip(keys, flags, strict=True):
        found = flag.comparison
        same = ""
        if found is not None:
            same = f"{found.evaluated:,} contexts evaluated on both sides, "
            same += f"{found.differ:,} differ (one is {found.example})" if found.differ else "all the same"
        yield f"{_TOLD[flag.outcome]:<17} {key:<{width}}  {same}".rstrip()
        for note in flag.notes:
            yield f"{'':<17}   {visible(note)}"
    yield ""
    yield "Where the origin does not say: " + ", ".join(f"{name} {value}" for name, value in _assumed(defaults))
    counts = Counter(flag.outcome for flag in flags)
    told = ", ".join(f"{counts[outcome]} {words}" for outcome, words in _TOLD.items())
    yield f"{len(flags)} flags: {told}."


def _assumed(defaults: Defaults) -> list[tuple[str, str]]:
    return [
        ("owner", defaults.owner or "none"),
        ("purpose", defaults.purpose),
        ("riskTier", defaults.risk_tier),
        ("lifecycle", defaults.lifecycle),
        ("expires", defaults.expires),
        ("safeVariant", defaults.safe_variant or "the one that is false, or the default"),
        ("environments", " and ".join(defaults.environments)),
        ("bucketing", defaults.bucketing),
    ]


def import_record(flags: tuple[Imported, ...], defaults: Defaults) -> dict[str, Json]:
    """Give the same for a program."""
    return {
        "flags": [
            {
                "key": flag.key,
                "outcome": flag.outcome,
                "notes": list(flag.notes),
                "remarks": [
                    {"kind": remark.kind, "place": remark.place, "reason": remark.reason} for remark in flag.remarks
                ],
                "subject": flag.document.subject if flag.document is not None else None,
                "evaluated": flag.comparison.evaluated if flag.comparison is not None else 0,
                "differ": flag.comparison.differ if flag.comparison is not None else 0,
                "moved": flag.moved.differ if flag.moved is not None else 0,
            }
            for flag in flags
        ],
        "assumed": dict(_assumed(defaults)),
    }


def export_text(files: tuple[Exported, ...]) -> str:
    """Render what was written of each namespace."""
    lines: list[str] = []
    for file in files:
        lines.append(
            f"{file.namespace}: {file.flags} flags kept exactly; {file.evaluated:,} contexts evaluated on both sides, "
            "all the same"
        )
        lines += [f"  {note}" for note in file.notes]
    return "\n".join(lines) + "\n"
