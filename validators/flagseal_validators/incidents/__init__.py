"""Post-incident review: what is published of overrides and freezes, told to people, and drafted for them to finish.

Pure, but for reading the published history: whoever calls it has verified what is published, in full.
"""

from flagseal_validators.incidents.drafting import draft
from flagseal_validators.incidents.gathering import Effect, Emergency, Incident, gather
from flagseal_validators.incidents.opening import Opened, Opener

__all__ = ["Effect", "Emergency", "Incident", "Opened", "Opener", "draft", "gather"]
