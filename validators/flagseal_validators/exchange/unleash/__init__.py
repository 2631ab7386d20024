"""Unleash's flags in the neutral form, and its evaluator beside them."""

from flagseal_validators.exchange.unleash.evaluator import evaluator
from flagseal_validators.exchange.unleash.flags import read_unleash

__all__ = ["evaluator", "read_unleash"]
