"""Policy replay: a candidate policy, held against what was decided in the past (docs/adr/0131).

:func:`~flagseal_validators.policy_replay.replaying.replay` is pure: past statements with the heads that they met, and
candidate policies in; what would have come out otherwise out.
"""

from flagseal_validators.policy_replay.render import as_record, as_text
from flagseal_validators.policy_replay.replaying import replay
from flagseal_validators.policy_replay.values import Otherwise, Past, ReplayReport

__all__ = ["Otherwise", "Past", "ReplayReport", "as_record", "as_text", "replay"]
