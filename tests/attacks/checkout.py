"""The flag over which the attacks on approvals are fought, as it is served and as the attacker wants it."""

from __future__ import annotations

from tests.history.company import flag, rule

CHECKOUT = flag(tier="operational")
WIDER = flag(tier="operational", production=rule())
