"""One valid document of each kind, and ways to spoil it."""

from __future__ import annotations

import base64
from pathlib import Path

from flagseal.model.loader import Loaded, load_text

REPOSITORY = Path(__file__).parents[2]

FLAG = """\
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata: {name: new-checkout, namespace: payments}
spec:
  key: newCheckout
  description: Sends carts to the rewritten checkout service.
  purpose: release
  owner: team-payments
  riskTier: sensitive
  lifecycle: canary
  expires: "2027-03-31"
  retireWhen: On for everyone for 30 days.
  ticket: PAY-1234
  variants: {enabled: true, disabled: false}
  safeVariant: disabled
  environments:
    staging:
      default: enabled
    production:
      requires: [{flag: payment-service-v2, variant: enabled}]
      targets: {enabled: [user-17, user-23]}
      rules:
      - name: pilot customers
        when: {org: {in: [acme, globex]}}
        serve: enabled
      - name: a tenth of everyone else
        split: {enabled: 10, disabled: 90}
        by: org
      - name: the rest, slowly
        from: "2027-01-01T00:00:00Z"
        until: "2027-02-01T00:00:00Z"
        ramp:
          {variant: enabled, from: 10, to: 100, start: "2027-01-04T09:00:00Z", end: "2027-01-13T09:00:00Z", steps: 9}
      default: disabled
"""

SEGMENT = """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.email: {endsWith: "@example.com"}}
"""

BINDING = """\
apiVersion: flagseal.dev/v1alpha1
kind: EntitlementBinding
metadata: {name: acme, namespace: entitlements}
spec:
  org: acme
  owner: team-accounts
  agreement: {id: CRM-4711, from: "2026-01-01", until: "2026-12-31"}
  grants:
  - {flag: analytics/advanced-analytics, reason: contract}
  - {flag: analytics/ai-insights, reason: support, until: "2026-12-05", ticket: SUP-88}
"""


def public_key(seed: int, comment: str = "somebody") -> str:
    """Write an OpenSSH ed25519 public key; anything of 32 bytes is one."""
    name = b"ssh-ed25519"
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes([seed]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}"


ORGANISATION = f"""\
apiVersion: flagseal.dev/v1alpha1
kind: Organisation
metadata: {{name: organisation}}
spec:
  people:
    alice: {{name: Alice, github: {{login: alice-m, id: 101}}, keys: ["{public_key(1, "alice")}"]}}
    bob: {{name: Bob, kubernetes: {{username: bob@example.com}}, keys: ["{public_key(2, "bob")}"]}}
  teams:
    team-payments: {{members: [alice, {{person: bob, until: "2026-12-31"}}]}}
  roles:
    flag-approver: {{teams: [team-payments]}}
    security: {{people: [alice], environments: [production]}}
"""

ENVIRONMENTS = """\
apiVersion: flagseal.dev/v1alpha1
kind: EnvironmentList
metadata: {name: environments}
spec:
  environments:
    staging: {production: false}
    production: {production: true, bucketing: v3, staleness: {sensitive: {limit: 15m, onStale: safe}}}
"""

APPROVALS = """\
apiVersion: flagseal.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: approvals}
spec:
  default: deny
  tiers:
    sensitive:
      production:
        widen:
          approvals: [{role: owner, count: 1}, {role: security, count: 1}]
          evidence: both
          after: [staging]
          ticket: required
          window: business-hours
          maxStep: 25
        toward-safe: {approvals: [{role: flag-approver, count: 1}], evidence: either}
  policies:
    widen: {approvals: [{role: security, count: 1}], evidence: keys}
"""

LIFECYCLE = """\
apiVersion: flagseal.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: lifecycle}
spec:
  maxLifetime: {release: 180d, experiment: 90d}
  review: {entitlement: 90d}
  warnBefore: 14d
  transitions: {draft: [review], "*": [retired]}
"""

CALENDAR = """\
apiVersion: flagseal.dev/v1alpha1
kind: ChangeCalendar
metadata: {name: calendar}
spec:
  windows:
    business-hours: {timezone: Europe/Berlin, days: [mon, thu], from: "09:00", to: "16:00"}
    late: {timezone: UTC, days: [sun], from: "22:00", to: "24:00"}
  blackouts:
  - {name: year end, from: "2026-12-20T00:00:00Z", until: "2027-01-03T00:00:00Z", tiers: [sensitive]}
"""

ACCESS = """\
apiVersion: flagseal.dev/v1alpha1
kind: AccessPolicy
metadata: {name: access}
spec:
  issuers:
  - {name: cluster, issuer: "https://kubernetes.default.svc", jwks: cluster, audience: flagseal, kind: workload}
  bindings:
  - name: the payments service
    subject: {issuer: cluster, claims: {sub: "system:serviceaccount:payments:api"}}
    role: flag-reader
    operations: [evaluate]
    namespaces: [payments]
    environments: [production]
    until: "2027-06-30"
  lifetimes: {workload: 10m}
  revoked: [{subject: "system:serviceaccount:legacy:*", reason: retired, since: "2026-11-01T00:00:00Z"}]
"""

TRUST_TIERS = """\
apiVersion: flagseal.dev/v1alpha1
kind: TrustTiers
metadata: {name: trust-tiers}
spec:
  tiers:
    internal: {protocols: [jwt, mtls], onFailure: previous}
"""

POLICY_TEST = """\
apiVersion: flagseal.dev/v1alpha1
kind: PolicyTest
metadata: {name: sensitive-flags}
spec:
  cases:
  - name: nobody widens alone
    given: {change: {class: widen, tier: sensitive, environment: production}, author: bob, approvals: [alice]}
    expect: {verdict: deny, missing: [security]}
"""

POLICIES = (ORGANISATION, ENVIRONMENTS, APPROVALS, LIFECYCLE, CALENDAR)
"""The five kinds that every repository has."""

REVIEW = """\
apiVersion: flagseal.dev/v1alpha1
kind: IncidentReview
metadata: {name: inc-7}
spec:
  incident: INC-7
  environment: production
  emergencies:
  - kind: EmergencyOverride
    name: stop-it
    flag: payments/new-checkout
    proof: sha256:0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543
    requestedBy: alice
  - kind: FlagFreeze
    name: hold-it
    namespaces: [payments, search]
    proof: sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
    requestedBy: bob
  outcome: returned
  happened: The card gateway refused every second payment.
  checklist:
    noticed: By customers, after eleven minutes.
    cause: A certificate that had run out.
    served: The old checkout, to everyone; it worked.
    justified: Yes; an approval takes an hour at night.
    prevented: The certificate renews itself now.
  followUps:
  - {what: Alert on refused payments., owner: team-payments, ticket: PAY-77, due: "2026-12-31"}
"""

EVERY_KIND = (FLAG, SEGMENT, BINDING, *POLICIES, ACCESS, TRUST_TIERS, REVIEW, POLICY_TEST)


def load(text: str) -> Loaded:
    """Load a text as the file ``file.yaml``."""
    return load_text(text.encode(), file="file.yaml")


def places(text: str) -> list[str]:
    """Tell what the loader refuses of a text: ``line:column rule path``, in the order of the file."""
    return [f"{found.line}:{found.column} {found.rule} {found.path}" for found in load(text).findings]


def spoilt(text: str, old: str, new: str) -> str:
    """Replace one passage of a sample, which must be there."""
    assert text.count(old) == 1, old
    return text.replace(old, new)
