"""House order: the keys of a file in the order of the format's description, everything else as its author wrote it."""

from flagseal_validators.formatting.arranging import Arranged, LeftAlone, arrange_text

__all__ = ["Arranged", "LeftAlone", "arrange_text"]
