"""Signing an emergency with one's own key: what ``flagseal override`` and ``flagseal freeze`` share."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml

from flagseal.approval.signing import ssh_sign
from flagseal.emergency import EMERGENCY_NAMESPACE, Offer, parse_claim, payload_of, require_readable, take, verify
from flagseal.model.document import API_VERSION
from flagseal.model.errors import UsageError
from flagseal_cli.console import note
from flagseal_cli.durations import Duration
from flagseal_cli.place import Where, place_options
from flagseal_operator.emergency_source import PROOF_ANNOTATION, PROOF_LABEL, SIGNED

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.emergency import Claim, Proof, Standing
    from flagseal_cli.place import Place
    from flagseal_cli.workspace import DataFolder

_F = TypeVar("_F", bound="Callable[..., object]")


@dataclass(frozen=True)
class Emergency:
    """What the shared options say.

    Attributes:
        incident: As the incident system calls it.
        reason: In words.
        length: How long it is to hold.
        ends: Name of the one to be ended; None to start one.
        output: ``yaml`` to print the resource, ``up`` to hand it to ``flagseal up``.
        where: Where, and whose key.
    """

    incident: str
    reason: str
    length: timedelta
    ends: str | None
    output: str
    where: Where

    @classmethod
    def of(
        cls,
        *,
        incident: str,
        reason: str,
        length: timedelta,
        ends: str | None,
        output: str,
        **where: Any,  # noqa: ANN401 (see place_options)
    ) -> Emergency:
        """Take what :func:`emergency_options` gives."""
        return cls(incident, reason, length, ends, output, Where(**where))

    def open(self) -> Place:
        """Find out where, and verify what is published there.

        Raises:
            UsageError: ``NoPlace``, and what :meth:`Where.open` says.
        """
        place = self.where.open()
        if self.output == "up" and place.folder is None:
            raise UsageError(
                "nobody here runs `flagseal up` on that store", code="NoPlace", remedy="Print it: --output yaml."
            )
        return place

    def sign(self, place: Place, kind: str, namespace: str | None, name: str, spec: dict[str, Any]) -> None:
        """Sign a claim, and print it or hand it over; what would be refused is not even written.

        Args:
            place: Where.
            kind: ``EmergencyOverride`` or ``FlagFreeze``.
            namespace: Of the flag; None for a freeze.
            name: What the resource's name begins with.
            spec: What the kind has beside environment, incident, reason and end.

        Raises:
            ApprovalError: What everybody would say of it.
            UsageError: ``WrongKey``.
        """
        published, trust = place.published, place.published.trust
        now = datetime.now(UTC).replace(microsecond=0)
        ends = {"until": _written(now + self.length)} if self.ends is None else {"ends": self.ends}
        whole = spec | {"environment": trust.environment, "incident": self.incident, "reason": self.reason} | ends
        claim = parse_claim(kind, namespace, f"{name[:48].rstrip('-')}-{secrets.token_hex(4)}", whole)
        require_readable(claim)
        unsigned = payload_of(claim, trust.repository_id, at=now, nonce=secrets.token_hex(16))
        proof = unsigned.with_signature(ssh_sign(unsigned.pae, EMERGENCY_NAMESPACE, place.key))
        organisation = published.head.policies.organisation
        person = verify(claim, proof, organisation, trust, taken_at=now).person
        if person != self.where.person:
            raise UsageError(
                f"this key is {person}’s, not {self.where.person}’s", code="WrongKey", remedy="Name yours: --key."
            )
        (outcome,) = take(published.build.emergencies, [Offer(claim, proof)], organisation, trust, now=now)[1]
        if outcome.standing is None:
            raise outcome.refusal or UsageError(f"{claim.title}: would have no effect", code="NoEffect")
        text = yaml.safe_dump(_resource(claim, proof), sort_keys=False, allow_unicode=True)
        if self.output == "yaml" or place.folder is None:
            click.echo(text, nl=False)
            return
        _hand_over(place.folder, claim, text)
        note(f"{claim.name} {_told(outcome.standing)}, as soon as `flagseal up` sees it.")


def emergency_options(command: _F) -> _F:
    """Add the options that :meth:`Emergency.of` takes."""
    for option in (
        place_options,
        click.option(
            "--output",
            type=click.Choice(["yaml", "up"]),
            default="yaml",
            show_default=True,
            help="Print the resource, for kubectl apply -f -; or hand it to `flagseal up`.",
        ),
        click.option("--end", "ends", metavar="NAME", help="End the one of this name, in place of starting one."),
        click.option("--for", "length", type=Duration(), default="1h", show_default=True, help="How long: 30m, 2h."),
        click.option("--reason", required=True, help="Why, in words for whoever reviews it."),
        click.option("--incident", required=True, help="The incident, as your incident system calls it."),
    ):
        command = option(command)
    return command


def _told(standing: Standing) -> str:
    claim = standing.claim
    if claim.ends is not None:
        return f"ends {claim.ends}"
    until = f"until {standing.until:%H:%M:%S UTC}"
    return f"rolls {claim.flag} back {until}" if claim.freezes is None else f"freezes {claim.freezes} {until}"


def _hand_over(folder: DataFolder, claim: Claim, text: str) -> None:
    folder.emergencies.mkdir(exist_ok=True)
    path = folder.emergencies / f"{'' if claim.namespace is None else f'{claim.namespace}.'}{claim.name}.yaml"
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def _resource(claim: Claim, proof: Proof) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": claim.kind,
        "metadata": {
            "name": claim.name,
            **({} if claim.namespace is None else {"namespace": claim.namespace}),
            # So that it can be created while admission is down.
            "labels": {PROOF_LABEL: SIGNED},
            "annotations": {PROOF_ANNOTATION: json.dumps(proof.body(), separators=(",", ":"))},
        },
        "spec": json.loads(claim.spec),
    }


def _written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
