"""A flag repository of ten thousand flags, for the benchmarks of gate and plan: the sample company, and more."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flagseal_cli.demo import write_demo

if TYPE_CHECKING:
    from pathlib import Path

PER_NAMESPACE = 50

FLAG = """\
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata:
  name: flag-{number}
  namespace: {namespace}
spec:
  description: Sends carts to service {number}.
  purpose: release
  owner: team-payments
  riskTier: operational
  lifecycle: canary
  expires: "{expires}"
  retireWhen: On for everyone for 30 days, and the old path deleted.
  ticket: PAY-1{number}
  variants: {{enabled: true, disabled: false}}
  safeVariant: disabled
  environments:
    staging:
      default: enabled
    production:
      rules:
      - name: pilot customers
        when: {{org: {{in: [acme, globex]}}}}
        serve: enabled
      - name: a share of everyone else
        split: {{enabled: {share}, disabled: {rest}}}
        by: org
      default: disabled
"""


def flag_path(root: Path, number: int) -> Path:
    """Say where a flag lies."""
    return root / "flags" / f"bulk-{number // PER_NAMESPACE}" / f"flag-{number}.yaml"


def write_flag(root: Path, number: int, share: int) -> None:
    """Write a flag that is on for so many of a hundred organisations."""
    path = flag_path(root, number)
    path.parent.mkdir(exist_ok=True)
    expires = (datetime.now(UTC) + timedelta(days=120)).date().isoformat()
    text = FLAG.format(number=number, namespace=path.parent.name, expires=expires, share=share, rest=100 - share)
    path.write_text(text)


def write(root: Path, flags: int) -> None:
    """Write the repository, in one commit after the sample company's."""
    write_demo(root, now=datetime.now(UTC))
    for number in range(flags):
        write_flag(root, number, 10)
    commit(root, "Ten thousand flags")


def commit(root: Path, message: str) -> None:
    """Commit everything, as bob."""
    for words in (["add", "--all"], ["commit", "--quiet", "--message", message]):
        subprocess.run(["git", "-C", str(root), *words], check=True)


def write_contexts(path: Path, count: int) -> None:
    """Write recorded contexts, one a line."""
    with path.open("w") as file:
        for number in range(count):
            context = {"targetingKey": f"user-{number}", "org": f"org-{number % 977}", "plan": "enterprise"}
            file.write(json.dumps(context) + "\n")
