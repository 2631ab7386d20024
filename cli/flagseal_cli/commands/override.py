"""``flagseal override``: break-glass, signed with one's own key, so that it works while everything else is down."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import yaml

from flagseal.approval.signing import ssh_sign
from flagseal.emergency import EMERGENCY_NAMESPACE, parse_claim, payload_of, verify
from flagseal.model.document import API_VERSION
from flagseal.model.errors import UsageError
from flagseal_cli.console import note
from flagseal_cli.durations import Duration
from flagseal_cli.place import Where, place_options
from flagseal_operator.emergency_source import PROOF_ANNOTATION, PROOF_LABEL, SIGNED

if TYPE_CHECKING:
    from flagseal.emergency import Claim, Proof
    from flagseal_cli.workspace import DataFolder

_KIND = "EmergencyOverride"


@click.command("override")
@click.argument("flag", metavar="NAMESPACE/FLAG")
@click.option("--action", type=click.Choice(["rollback"]), default="rollback", help="What happens to it.")
@click.option("--incident", required=True, help="The incident, as your incident system calls it.")
@click.option("--reason", required=True, help="Why, in words for whoever reviews it.")
@click.option("--for", "length", type=Duration(), default="1h", show_default=True, help="How long: 30m, 2h.")
@click.option("--end", "ends", metavar="NAME", help="End the override of this name, in place of starting one.")
@click.option(
    "--output",
    type=click.Choice(["yaml", "up"]),
    default="yaml",
    show_default=True,
    help="Print the resource, for kubectl apply -f -; or hand it to `flagseal up`.",
)
@place_options
def override_command(
    flag: str,
    *,
    action: str,
    incident: str,
    reason: str,
    length: timedelta,
    ends: str | None,
    output: str,
    **where: Any,  # noqa: ANN401 (see place_options)
) -> None:
    """Serve the safe variant of NAMESPACE/FLAG to everyone, for a limited time, on your own word.

    You must hold the role flag-emergency-override. Works in a checkout with its data, and anywhere with --store, --root
    and --key. Nothing else is possible: no other variant, no change of policy. It
    ends by itself into what git holds by then, and somebody else has to review it.
    """
    place = Where(**where).open()
    if output == "up" and place.folder is None:
        raise UsageError(
            "nobody here runs `flagseal up` on that store", code="NoPlace", remedy="Print it: --output yaml."
        )
    published, person = place.published, where["person"]
    now = datetime.now(UTC).replace(microsecond=0)
    namespace, _, name = flag.partition("/")
    if f"{namespace}/{name}" not in published.head.documents.catalogue.flags:
        raise UsageError(f"{flag}: there is no such flag", code="UnknownFlag", remedy="Write it as NAMESPACE/FLAG.")
    spec: dict[str, Any] = {"flag": name, "environment": published.trust.environment, "incident": incident}
    spec |= {"reason": reason}
    spec |= {"ends": ends} if ends is not None else {"action": action, "until": _written(now + length)}
    claim = parse_claim(_KIND, namespace, f"{name[:48].rstrip('-')}-{secrets.token_hex(4)}", spec)
    unsigned = payload_of(claim, published.trust.repository_id, at=now, nonce=secrets.token_hex(16))
    proof = unsigned.with_signature(ssh_sign(unsigned.pae, EMERGENCY_NAMESPACE, place.key))
    # Decided as everybody will: what would be refused is not even written.
    proven = verify(claim, proof, published.head.policies.organisation, published.trust, taken_at=now)
    if proven.person != person:
        raise UsageError(f"this key is {proven.person}’s, not {person}’s", code="WrongKey", remedy="Name yours: --key.")
    text = yaml.safe_dump(_resource(claim, proof), sort_keys=False, allow_unicode=True)
    if output == "yaml" or place.folder is None:
        click.echo(text, nl=False)
        return
    _hand_over(place.folder, claim, text)
    what = f"ends {ends}" if ends is not None else f"rolls {flag} back until {proven.until:%H:%M:%S UTC}"
    note(f"{claim.name} {what}, as soon as `flagseal up` sees it.")


def _hand_over(folder: DataFolder, claim: Claim, text: str) -> None:
    folder.emergencies.mkdir(exist_ok=True)
    path = folder.emergencies / f"{claim.namespace}.{claim.name}.yaml"
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def _resource(claim: Claim, proof: Proof) -> dict[str, Any]:
    annotations = {PROOF_ANNOTATION: json.dumps(proof.body(), separators=(",", ":"))}
    return {
        "apiVersion": API_VERSION,
        "kind": claim.kind,
        "metadata": {
            "name": claim.name,
            "namespace": claim.namespace,
            # So that it can be created while admission is down.
            "labels": {PROOF_LABEL: SIGNED},
            "annotations": annotations,
        },
        "spec": json.loads(claim.spec),
    }


def _written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
