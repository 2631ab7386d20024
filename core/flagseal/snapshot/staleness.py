"""When a verified snapshot is too old, and for whom (distribution.md, Staleness; docs/adr/0003)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flagseal.history import next_change
from flagseal.model.errors import FlagsealError
from flagseal.model.loader import parse_body
from flagseal.model.policy_set import load_policies
from flagseal.snapshot.content import LATENESS
from flagseal.snapshot.layout import HEAD
from flagseal.snapshot.refusal import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.model.policies import PolicySet
    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.content import Claim, Content


def expiry(chain: Chain, content: Content | None) -> datetime:
    """Say when a state becomes stale: when one of its signatures does, or a change that waits is not published."""
    ends = [expires for _, expires in chain.expiries()]
    if content is not None:
        waits = next_change(content.head, content.trust.environment, content.build.as_of, content.build.emergencies)
        # The thief of an online key can go on signing timestamps; what was due by now tells on them.
        ends += [] if waits is None else [waits + LATENESS]
    return min(ends)


def safe_after(content: Content | None, claim: Claim, environment: str) -> dict[str, timedelta]:
    """Read from the policies in force from what age on a tier's flags serve their safe variant.

    Args:
        content: What was verified in full; None with ``verify="tuf"``.
        claim: ``head.json``, whose policies count then.
        environment: Whose rules.

    Raises:
        Refused: The policies in ``head.json`` cannot be read.

    Returns:
        By tier; a tier that is not named keeps its last good answers.
    """
    policies = content.head.policies if content is not None else _claimed(claim)
    rules = policies.environments[environment].staleness if environment in policies.environments else {}
    return {tier: timedelta(seconds=rule.limit_seconds) for tier, rule in rules.items() if rule.on_stale == "safe"}


def _claimed(claim: Claim) -> PolicySet:
    policies = claim.body.get("policies")
    bodies = policies.get("documents") if isinstance(policies, dict) else None
    if not isinstance(bodies, list):
        raise Refused("malformed", f"{HEAD}: names no policies")
    try:
        return load_policies(parse_body(body, place=HEAD) for body in bodies)
    except FlagsealError as error:
        raise Refused("malformed", f"{HEAD}: its policies cannot be read ({error})") from error
