"""LaunchDarkly's flags in the neutral form, and its evaluator beside them."""

from flagseal_validators.exchange.launchdarkly.evaluator import evaluator
from flagseal_validators.exchange.launchdarkly.flags import read_launchdarkly

__all__ = ["evaluator", "read_launchdarkly"]
