"""``flagseal override``: break-glass, signed with one's own key, so that it works while everything else is down."""

from __future__ import annotations

from typing import Any

import click

from flagseal.emergency.claim import OVERRIDE
from flagseal.model.errors import UsageError
from flagseal_cli.breakglass import Emergency, emergency_options


@click.command("override")
@click.argument("flag", metavar="NAMESPACE/FLAG")
@click.option(
    "--action",
    type=click.Choice(["rollback", "freeze"]),
    default="rollback",
    show_default=True,
    help="Serve the safe variant to everyone, or hold the flag as it is served now.",
)
@emergency_options
def override_command(flag: str, *, action: str, **options: Any) -> None:  # noqa: ANN401 (see emergency_options)
    """Serve the safe variant of NAMESPACE/FLAG to everyone, for a limited time, on your own word.

    You must hold the role flag-emergency-override. Works in a checkout with its data, and anywhere with --store, --root
    and --key. With --action freeze the flag is held as it is served now instead. Nothing else is possible: no other
    variant, no change of policy. It ends by itself into what git holds by then, and somebody else has to review it.
    """
    emergency = Emergency.of(**options)
    place = emergency.open()
    namespace, _, name = flag.partition("/")
    if emergency.ends is None and f"{namespace}/{name}" not in place.published.head.documents.catalogue.flags:
        raise UsageError(f"{flag}: there is no such flag", code="UnknownFlag", remedy="Write it as NAMESPACE/FLAG.")
    spec = {"flag": name} | ({"action": action} if emergency.ends is None else {})
    emergency.sign(place, OVERRIDE, namespace, name, spec)
