"""Write the definitions: ``python -m flagseal_operator.crds``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from flagseal_operator.crds.definitions import definition
from flagseal_operator.resources import PLURALS

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = Path(__file__).parents[2] / "crds"
_HEADER: Final = "# Made by `make crds` from core/flagseal/model/schema: change it there.\n"


class _Plain(yaml.SafeDumper):
    """Writes what is there twice, twice: anchors are not for people."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def generated() -> Mapping[str, str]:
    """Give every file by name, as it must be."""
    files = {
        f"{plural}.yaml": _HEADER + yaml.dump(definition(kind), Dumper=_Plain, sort_keys=False, width=120)
        for kind, plural in PLURALS.items()
    }
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(files)}
    return {**files, "kustomization.yaml": _HEADER + yaml.dump(listed, Dumper=_Plain, sort_keys=False)}


def main() -> None:
    """Write the files, and remove what has no source any more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = generated()
    for path in FOLDER.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
