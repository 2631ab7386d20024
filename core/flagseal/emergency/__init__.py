"""Break-glass: a flag goes to its safe variant for everyone, for a limited time, on one person's proven word.

Pure: claims, proofs, keys and instants come in, values go out. Publisher and clients call the same functions.
"""

from flagseal.emergency.claim import Claim, parse_claim
from flagseal.emergency.ledger import EMPTY, Emergencies, Offer, Outcome, Standing, require_holding, take
from flagseal.emergency.proof import EMERGENCY_NAMESPACE, RECEIPT_TYPE, Proof, Receipt, payload_of
from flagseal.emergency.receipting import issue
from flagseal.emergency.verifying import LATEST_PROOF, LONGEST, Proven, foresee, verify

__all__ = [
    "EMERGENCY_NAMESPACE",
    "EMPTY",
    "LATEST_PROOF",
    "LONGEST",
    "RECEIPT_TYPE",
    "Claim",
    "Emergencies",
    "Offer",
    "Outcome",
    "Proof",
    "Proven",
    "Receipt",
    "Standing",
    "foresee",
    "issue",
    "parse_claim",
    "payload_of",
    "require_holding",
    "take",
    "verify",
]
