"""What ``flagseal up`` prints: the tour, ready to paste."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SED: Final = "sed -i ''" if sys.platform == "darwin" else "sed -i"
"""How to edit a file in place: BSD's sed wants to be told of no copy."""


def executable() -> str:
    """Give the absolute path of the running ``flagseal``."""
    started_as = Path(sys.argv[0])
    if started_as.name.startswith("flagseal") and started_as.exists():
        return str(started_as.resolve())
    beside = Path(sys.executable).with_name("flagseal")
    return str(beside) if beside.exists() else shutil.which("flagseal") or "flagseal"


def demo_tour(repository: Path, port: int, options: str = "") -> str:
    """Write the demo's tour.

    Args:
        repository: The demo.
        port: Of its relay.
        options: What each command needs besides, to find the same data.
    """
    flagseal = executable()
    url = f"localhost:{port}/ofrep/v1/evaluate/flags/new-checkout"
    return _numbered(
        (
            ("Ask for a flag: acme has the new checkout in production, globex has not.", (
                f"""curl -s -XPOST {url} -d '{{"context":{{"targetingKey":"u1","org":"acme"}}}}'""",
                f"""curl -s -XPOST {url} -d '{{"context":{{"targetingKey":"u1","org":"globex"}}}}'""",
            )),
            ("Widen it, as bob. The answer does not change; status says who must approve.", (
                f"cd {shlex.quote(str(repository))}",
                f"{_SED} 's/\\[acme\\]/[acme, globex]/' flags/payments/new-checkout.yaml",
                'git commit -am "Give globex the new checkout"',
                f"{flagseal} status{options}",
            )),
            ("Approve it: an owner, and the release manager. Within two seconds the answer changes.", (
                f"{flagseal} approve HEAD --as alice{options}",
                f"{flagseal} approve HEAD --as dora{options}",
            )),
            ("Prove it: answer ← rule ← snapshot ← statement ← people, policy ← commit.", (
                f"""{flagseal} explain payments/new-checkout -e production -c '{{"org": "globex"}}'{options}""",
            )),
        )
    )  # fmt: skip


def repository_tour(port: int, environment: str, options: str = "") -> str:
    """Write the three commands that matter in any repository."""
    flagseal = executable()
    url = f"localhost:{port}/ofrep/v1/evaluate/flags"
    return _numbered(
        (
            ("Ask for all flags:", (f"""curl -s -XPOST {url} -d '{{"context":{{"targetingKey":"u1"}}}}'""",)),
            ("After a commit: what waits, and for whom:", (f"{flagseal} status --environment {environment}{options}",)),
            ("Approve with your own SSH key:", (f"{flagseal} approve HEAD --as YOU --key ~/.ssh/id_ed25519{options}",)),
        )
    )  # fmt: skip


def _numbered(steps: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines: list[str] = []
    for number, (title, commands) in enumerate(steps, 1):
        lines += [f"{number}. {title}", "", *(f"     {command}" for command in commands), ""]
    return "\n".join(lines)
