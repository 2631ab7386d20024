"""GO Feature Flag's flags in the neutral form, and its evaluator beside them."""

from flagseal_validators.exchange.gofeatureflag.evaluator import evaluator
from flagseal_validators.exchange.gofeatureflag.flags import read_gofeatureflag

__all__ = ["evaluator", "read_gofeatureflag"]
