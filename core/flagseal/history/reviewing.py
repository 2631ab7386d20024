"""Which emergencies were reviewed, by accepted history alone (docs/adr/0159).

A review counts for an override or a freeze if it says of it exactly what was proven, and somebody who did not ask
for it approved the review after it began. Anything else is accepted like any document, and says nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.review import parse_review

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.emergency import Standing
    from flagseal.history.head import Head, ReviewApproval
    from flagseal.model.canonical import Json
    from flagseal.model.review import IncidentReview, ReviewedEmergency


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The review that closed an emergency.

    Attributes:
        review: Name of the document.
        outcome: ``permanent`` or ``returned``.
        by: Who approved it, of those who count.
        at: When it was accepted.
        statement: Id of the statement.
        sequence: Its number.
    """

    review: str
    outcome: str
    by: tuple[str, ...]
    at: datetime
    statement: str
    sequence: int

    @property
    def text(self) -> str:
        """Say it in words: ``reviewed by bob, 2026-11-25 10:00 UTC, statement 12 (reviews/inc-7): returned``."""
        when = f"{self.at:%Y-%m-%d %H:%M UTC}"
        return f"reviewed by {' and '.join(self.by)}, {when}, statement {self.sequence} ({self.review}): {self.outcome}"

    def body(self) -> dict[str, Json]:
        """Give it as JSON."""
        return {
            "review": self.review,
            "outcome": self.outcome,
            "by": list(self.by),
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "statement": self.statement,
            "sequence": self.sequence,
        }


def review_words(review: Reviewed | None) -> str:
    """Say whether something was reviewed, for reports: the review in words, or ``not reviewed``."""
    return "not reviewed" if review is None else review.text


def reviewed(head: Head, standing: Standing) -> Reviewed | None:
    """Find the review of an emergency, the earliest if there are several; None while there is none.

    Args:
        head: The accepted state.
        standing: What was proven.
    """
    approvals = sorted(head.reviews.items(), key=lambda it: (it[1].sequence, it[0]))
    for subject, approval in approvals:
        document = head.documents.live(subject)
        if document is None:
            continue
        review = parse_review(document)
        if _counts(approval, standing) and any(_is_it(review, it, standing) for it in review.emergencies):
            at, by = approval.accepted_at, approval.by
            return Reviewed(review.name, review.outcome, by, at, approval.statement, approval.sequence)
    return None


def _counts(approval: ReviewApproval, standing: Standing) -> bool:
    """Tell whether somebody else approved it, and not before there was anything to look at."""
    began = max(standing.taken_at, standing.since)
    return bool(approval.by) and standing.person not in approval.by and approval.accepted_at >= began


def _is_it(review: IncidentReview, emergency: ReviewedEmergency, standing: Standing) -> bool:
    """Hold what a review says against what was proven."""
    claim = standing.claim
    said = (review.environment, review.incident, emergency.kind, emergency.name, emergency.flag, emergency.namespaces)
    proven = (claim.environment, claim.incident, claim.kind, claim.name, claim.flag, claim.namespaces)
    return said == proven and (emergency.proof, emergency.requested_by) == (standing.proof.digest, standing.person)
