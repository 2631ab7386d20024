"""Break-glass, for a limited time, on one person's proven word: safe variants for everyone, or everything as it is.

Pure: claims, proofs, keys and instants come in, values go out. Publisher and clients call the same functions.
"""

from flagseal.emergency.claim import Claim, parse_claim, require_readable
from flagseal.emergency.ledger import EMPTY, Emergencies, Frozen, Offer, Outcome, Standing, require_holding, take
from flagseal.emergency.proof import EMERGENCY_NAMESPACE, RECEIPT_TYPE, Proof, Receipt, payload_of
from flagseal.emergency.receipting import issue
from flagseal.emergency.scope import Scope
from flagseal.emergency.verifying import LATEST_PROOF, LONGEST, Proven, foresee, verify

__all__ = [
    "EMERGENCY_NAMESPACE",
    "EMPTY",
    "LATEST_PROOF",
    "LONGEST",
    "RECEIPT_TYPE",
    "Claim",
    "Emergencies",
    "Frozen",
    "Offer",
    "Outcome",
    "Proof",
    "Proven",
    "Receipt",
    "Scope",
    "Standing",
    "foresee",
    "issue",
    "parse_claim",
    "payload_of",
    "require_holding",
    "require_readable",
    "take",
    "verify",
]
