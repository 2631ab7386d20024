"""``flagseal freeze``: hold what is served, signed with one's own key, so that it works while all else is down."""

from __future__ import annotations

from typing import Any

import click

from flagseal.emergency.claim import FREEZE
from flagseal.model.errors import UsageError
from flagseal_cli.breakglass import Emergency, emergency_options


@click.command("freeze")
@click.argument("namespaces", metavar="[NAMESPACE]...", nargs=-1)
@emergency_options
def freeze_command(namespaces: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 (see emergency_options)
    """Hold the flags of NAMESPACE (of all if none is named) as they are served now, for a limited time.

    You must hold the role flag-emergency-override. Approvals go on being accepted, and what they change takes effect
    when the freeze ends. Ramps and schedules stand still. Kill switches, rollbacks and removals of people go through.
    It ends by itself, or with --end NAME.
    """
    emergency = Emergency.of(**options)
    place = emergency.open()
    unknown = sorted(set(namespaces) - place.published.head.documents.catalogue.namespaces.keys())
    if unknown and emergency.ends is None:
        raise UsageError(
            f"{', '.join(unknown)}: no flag is there",
            code="UnknownNamespace",
            remedy="Name folders below flags/, or none for all.",
        )
    spec = {"namespaces": sorted(set(namespaces))} if namespaces and emergency.ends is None else {}
    emergency.sign(place, FREEZE, None, "freeze", spec)
