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
