"""Documents that the examples of several rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BINDING: Final = """\
apiVersion: flagseal.dev/v1alpha1
kind: EntitlementBinding
metadata: {name: acme, namespace: entitlements}
spec:
  org: acme
  owner: team-payments
  agreement: {id: CRM-4711, from: "2026-01-01", until: "2026-12-31"}
"""
"""The beginning of a binding; its grants follow."""

BINDING_FILE: Final = "flags/entitlements/acme.yaml"

ENTITLEMENT: Final[Mapping[str, str]] = {
    "flags/payments/analytics.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata: {name: analytics, namespace: payments}
spec:
  description: Reports over all carts of a year.
  purpose: entitlement
  owner: team-payments
  riskTier: sensitive
  lifecycle: stable
  review: {every: 90d}
  variants: {granted: true, withheld: false}
  safeVariant: withheld
  environments:
    staging: {default: granted}
    production:
      rules: [{name: entitled organisations, when: {entitled: true}, serve: granted}]
      default: withheld
"""
}
"""A flag that can be granted: ``payments/analytics``."""

TRUST_TIERS: Final[Mapping[str, str]] = {
    "policies/trust-tiers.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: TrustTiers
metadata: {name: trust-tiers}
spec:
  tiers:
    internal: {protocols: [jwt, mtls], onFailure: previous}
    partner: {protocols: [hmac, mtls], onFailure: deny}
"""
}
"""What may prove workloads."""

REVIEW_FILE: Final = "reviews/inc-7.yaml"

REVIEWED: Final = """\
  emergencies:
  - kind: EmergencyOverride
    name: stop-new-checkout
    flag: payments/new-checkout
    proof: sha256:0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543
    requestedBy: alice
"""
"""What a review is about."""

SAID: Final = """\
  outcome: returned
  happened: The card gateway refused every second payment.
  checklist:
    noticed: By customers, after eleven minutes.
    cause: A certificate that had run out.
    served: The old checkout, to everyone; it worked.
    justified: Yes; an approval takes an hour at night.
    prevented: The certificate renews itself now.
  followUps: []
"""
"""What a review has to say."""

REVIEW: Final = """\
apiVersion: flagseal.dev/v1alpha1
kind: IncidentReview
metadata: {name: inc-7}
spec:
  incident: INC-7
  environment: production
"""
"""The beginning of a review; what it is about and what it says follow."""
