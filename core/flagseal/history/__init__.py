"""The accepted history: one head, what takes it further, what of it is in effect, and what it publishes.

Pure: content, keys and instants come in, values go out. Publisher and clients call the same functions.
"""

from flagseal.history.acceptance import Acceptance, accept, is_signed
from flagseal.history.building import Build, build
from flagseal.history.bundle import Bundle, HistoryEntry
from flagseal.history.following import Advance, Followed, Offer, advanced, follow, recovered
from flagseal.history.head import Head, Pending, genesis, in_effect, next_change
from flagseal.history.manifest import Manifest
from flagseal.history.proposal import Proposal, changes, propose
from flagseal.history.replay import replay
from flagseal.history.reviewing import Reviewed, review_words, reviewed

__all__ = [
    "Acceptance",
    "Advance",
    "Build",
    "Bundle",
    "Followed",
    "Head",
    "HistoryEntry",
    "Manifest",
    "Offer",
    "Pending",
    "Proposal",
    "Reviewed",
    "accept",
    "advanced",
    "build",
    "changes",
    "follow",
    "genesis",
    "in_effect",
    "is_signed",
    "next_change",
    "propose",
    "recovered",
    "replay",
    "review_words",
    "reviewed",
]
