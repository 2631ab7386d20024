"""Write the JSON Schemas for editors: ``python -m flagseal_validators.schemas [--check]``.

``validators/schemas/<Kind>.json`` for each kind, and ``flagseal.json`` for files of any kind, made from
:mod:`flagseal.model.schema`. With ``--check``, write nothing and exit 1 if a file differs from its source.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.schema import SCHEMAS, combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER: Final = Path(__file__).parents[1] / "schemas"


def generated() -> Mapping[str, str]:
    """Give every file by name, as it must be."""
    schemas = {**SCHEMAS, "flagseal": combined()}
    return {f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def stale(folder: Path = FOLDER) -> list[str]:
    """Name the files that are missing, differ from their source, or have none."""
    wanted = generated()
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def main(arguments: Sequence[str]) -> int:
    """Write or check the files; give the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m flagseal_validators.schemas [--check]\n")
        return 2
    names = stale()
    if not arguments:
        FOLDER.mkdir(exist_ok=True)
        wanted = generated()
        for name in names:
            if name in wanted:
                (FOLDER / name).write_text(wanted[name], "utf-8")
            else:
                (FOLDER / name).unlink()
        return 0
    for name in names:
        sys.stderr.write(f"{FOLDER / name}: not what its source says; run python -m flagseal_validators.schemas\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
