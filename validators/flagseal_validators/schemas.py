"""Write the JSON Schemas for editors: ``python -m flagseal_validators.schemas [--check]``.

``validators/schemas/<Kind>.json`` for each kind, and ``flagseal.json`` for files of any kind, made from
:mod:`flagseal.model.schema`; ``validators/schemas/output/`` for what commands write. With ``--check``, write nothing
and exit 1 if a file differs from its source.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.schema import SCHEMAS, combined
from flagseal_validators.formats import machine
from flagseal_validators.generated import GeneratedFiles
from flagseal_validators.plan.schema import PLAN_SCHEMA
from flagseal_validators.retirement.schema import DEBT_SCHEMA, RETIRE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER: Final = Path(__file__).parents[1] / "schemas"


def generated() -> Mapping[str, str]:
    """Give every file by name, as it must be."""
    outputs = {
        "output/debt": DEBT_SCHEMA,
        "output/plan": PLAN_SCHEMA,
        "output/retire": RETIRE_SCHEMA,
        "output/validate": machine.SCHEMA,
    }
    schemas = {**SCHEMAS, "flagseal": combined(), **outputs}
    return {f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def stale(folder: Path = FOLDER) -> list[str]:
    """Name the files that are missing, differ from their source, or have none."""
    return _files(folder).stale()


def main(arguments: Sequence[str]) -> int:
    """Write or check the files; give the exit code."""
    return _files(FOLDER).run(arguments)


def _files(folder: Path) -> GeneratedFiles:
    return GeneratedFiles(folder, ".json", generated(), "python -m flagseal_validators.schemas")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
