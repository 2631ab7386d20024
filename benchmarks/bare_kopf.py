"""The floor that the operator is measured against: a kopf operator that does next to nothing; and memory."""

from __future__ import annotations

from pathlib import Path

_BEGIN = """
import asyncio, sys, time, kopf
from pathlib import Path
from flagseal_operator.kube import configuration
from flagseal_operator.resources import GROUP, PLURALS, VERSION
registry = kopf.OperatorRegistry()
found = configuration(Path(sys.argv[1]))
@kopf.on.login(registry=registry)
def login(**_):
    header = found.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
    scheme, _, token = header.rpartition(" ")
    return kopf.ConnectionInfo(server=found.host, ca_path=found.ssl_ca_cert, scheme=scheme or None, token=token)
settings = kopf.OperatorSettings()
settings.scanning.disabled = True
settings.posting.enabled = False
"""
_END = """
asyncio.run(kopf.operator(registry=registry, settings=settings, standalone=True, clusterwide=True))
"""


def program(handlers: str) -> str:
    """Give a program whose handlers see what the operator sees; it takes a kubeconfig as its first argument.

    Args:
        handlers: What registers them at ``registry``, and may change ``settings``.
    """
    return _BEGIN + handlers + _END


def resident(pid: int) -> float:
    """Give the resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
