"""A page of the documentation, whose commands are run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = Path(__file__).resolve().parents[2]
SECONDS = 240.0
"""Longest wait for one block; not a claim about speed."""

# What the page says holds for a cluster with nodes and of a version that is still looked after. The API server of these
# tests may be older than validation rules (the page itself says what to do then) and than policy/v1, and runs no pods.
SHIM = """#!/usr/bin/env bash
set -euo pipefail
real={kubectl}
case "$*" in
*"rollout status"*) exec "$real" "${{@/status/history}}" >/dev/null ;;
"apply --server-side -k operator/crds")
    if "$real" get crd flagdefinitions.flagseal.dev >/dev/null 2>&1; then
        exec "$real" replace --validate=false -k operator/crds
    fi
    exec "$real" create --validate=false -k operator/crds ;;
"apply -k "*)
    "$real" kustomize "$3" | {python} -c 'import sys, yaml
kept = [it for it in yaml.safe_load_all(sys.stdin) if it["kind"] != "PodDisruptionBudget"]
print(yaml.safe_dump_all(kept))' | exec "$real" apply -f - ;;
*) exec "$real" "$@" ;;
esac
"""


@dataclass(frozen=True)
class Page:
    """One page, and where its reader sits.

    Attributes:
        sections: Blocks of commands by the heading that they stand under.
        folder: A checkout of the flag repository, with ``operator/`` beside it.
        kubeconfig: How ``kubectl`` reaches the cluster.
        replaced: What stands on the page for something of the reader's own.
    """

    sections: Mapping[str, tuple[str, ...]]
    folder: Path
    kubeconfig: Path
    replaced: Mapping[str, str]

    @staticmethod
    def read(name: str, folder: Path, kubeconfig: Path, replaced: Mapping[str, str]) -> Page:
        """Read a page, and sit down before it."""
        kubectl = shutil.which("kubectl")
        assert kubectl is not None
        shim = folder / ".bin" / "kubectl"
        shim.parent.mkdir()
        shim.write_text(SHIM.format(kubectl=kubectl, python=sys.executable))
        shim.chmod(0o700)
        sections = {}
        for part in re.split(r"^## ", (TOP / "docs" / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            heading, _, text = part.partition("\n")
            blocks = re.findall(r"^( *)```sh\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
            sections[heading] = tuple(textwrap.dedent(block) for _, block in blocks)
        return Page(sections, folder, kubeconfig, replaced)

    def run(self, heading: str, start: int = 0, end: int | None = None, **replaced: str) -> str:
        """Run the blocks of a section, or some of them, as a person would paste them; give what they print."""
        return "".join(self.paste(block, **replaced) for block in self.sections[heading][start:end])

    def paste(self, block: str, **replaced: str) -> str:
        """Run some lines; all of them must succeed."""
        for mark, mine in {**self.replaced, **replaced}.items():
            block = block.replace(mark, mine)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """What the reader's shell knows: both commands, the cluster, and no habits."""
        path = os.pathsep.join([str(self.folder / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return {**kept, "PATH": path, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder), "NO_COLOR": "1"}
