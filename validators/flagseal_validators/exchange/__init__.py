"""Flags from other systems, and to them.

flagd documents and the OpenFeature operator's resources go both ways; flags of Unleash, LaunchDarkly, Flipt and GO
Feature Flag come in.

Each way reports what was kept exactly, what was kept as raw targeting and what could not be kept, and shows by
evaluating both sides over generated contexts that the answers are the same.
"""

from flagseal_validators.exchange.adopting import Adopted, adopt, adopted_files
from flagseal_validators.exchange.defining import Defaults
from flagseal_validators.exchange.exporting import Exported, export
from flagseal_validators.exchange.importing import Imported, import_flags
from flagseal_validators.exchange.neutral import NeutralSource
from flagseal_validators.exchange.origins import check_adopted, evaluator_for
from flagseal_validators.exchange.report import export_text, import_record, import_text
from flagseal_validators.exchange.source import FlagSource, read_flagd, read_operator
from flagseal_validators.exchange.writing import write_new

__all__ = [
    "Adopted",
    "Defaults",
    "Exported",
    "FlagSource",
    "Imported",
    "NeutralSource",
    "adopt",
    "adopted_files",
    "check_adopted",
    "evaluator_for",
    "export",
    "export_text",
    "import_flags",
    "import_record",
    "import_text",
    "read_flagd",
    "read_operator",
    "write_new",
]
