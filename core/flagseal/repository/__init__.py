"""A flag repository in git: documents at a revision, commits as they were signed, notes.

The only room that reads git. What it hands out is content; it believes nobody's name.
"""

from flagseal.repository.commit import Commit
from flagseal.repository.flag_repository import FlagRepository
from flagseal.repository.notes import NOTES_REF

__all__ = ["NOTES_REF", "Commit", "FlagRepository"]
