"""The console script: the command, or what to install where the library was installed without it."""

from __future__ import annotations

import sys

_NOT_HERE = """error[NotInstalled]: flagseal was installed as a library, without its command ({missing} is missing)
  → Install what the command needs: flagseal[all], or flagseal[ci] for the gate alone.
"""


def main() -> None:
    """Run the command."""
    try:
        from flagseal_cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("flagseal"):
            raise
        sys.stderr.write(_NOT_HERE.format(missing=error.name))
        sys.exit(2)
    run()
