"""What can be proven about the rules of a flag as they are written: who can get to which, and what never holds.

The proofs are those of :mod:`flagseal.evaluation.analysis`: they look at every case that the conditions tell apart, and
what they cannot decide they do not claim. Here conditions keep the places at which they stand, so that a finding can
point at the one part that is wrong.

Segments are read out. Two things are left open, since they are data and not mistakes of the flag: who is entitled, and
what prerequisites serve.
"""

from flagseal_validators.reasoning.clauses import Clause, Section, sections_of
from flagseal_validators.reasoning.constancy import constant_variant
from flagseal_validators.reasoning.parts import Part, lowered_segment
from flagseal_validators.reasoning.proofs import (
    always_holds,
    blockers,
    contradictions,
    dead_parts,
    deciding_buckets,
    is_unreachable,
    makes_no_difference,
    reached_by,
)

__all__ = [
    "Clause",
    "Part",
    "Section",
    "always_holds",
    "blockers",
    "constant_variant",
    "contradictions",
    "dead_parts",
    "deciding_buckets",
    "is_unreachable",
    "lowered_segment",
    "makes_no_difference",
    "reached_by",
    "sections_of",
]
