"""The attestor: whether what landed was approved, by a git host's facts, git's own merges and the policies in force."""

from flagseal_validators.attestor.attesting import Attestation, attest, sign
from flagseal_validators.attestor.sources import RequestSource, Saved, WithHeads

__all__ = ["Attestation", "RequestSource", "Saved", "WithHeads", "attest", "sign"]
