"""Flipt's flags in the neutral form, and its evaluator beside them."""

from flagseal_validators.exchange.flipt.evaluator import evaluator
from flagseal_validators.exchange.flipt.flags import read_flipt

__all__ = ["evaluator", "read_flipt"]
