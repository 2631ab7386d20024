"""The process whose memory is watched: a relay over HTTP, a provider behind it in full, and a flag set, all asked.

Run as ``python -m tests.soak.subject FOLDER``; prints its port, then answers each line on standard input with one of
JSON that says how it is. Ends with its standard input.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import threading
from pathlib import Path

from openfeature import api
from openfeature.evaluation_context import EvaluationContext

from flagseal.provider import FlagsealProvider
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.store import DirectoryStore
from flagseal_relay.relay import Relay
from flagseal_relay.serve import Server, listen

_PAUSE = 0.002


class Asking:
    """Evaluates through the SDK, all the time, until told to stop."""

    def __init__(self) -> None:
        self.asked = 0
        self.errors = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        client = api.get_client()
        while not self._stop.wait(_PAUSE):
            for flag in ("new-checkout", "pay-later", "no-such-flag"):
                context = EvaluationContext(f"user-{self.asked}", {"org": f"org-{self.asked % 97}", "extra": [1, {}]})
                details = client.get_boolean_details(flag, default_value=False, evaluation_context=context)
                self.errors += details.error_code is not None and flag != "no-such-flag"
                self.asked += 1


def resident() -> float:
    """Give the process's resident memory in MB, after what can be given back was."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def main(folder: Path) -> None:
    """Serve, ask, and say how it is when asked."""
    root, store = (folder / "root.json").read_bytes(), DirectoryStore(folder / "store")
    with SnapshotClient(folder / "relay-cache", store, root) as client:
        relay = Relay(client, files=store, poll=0.2)
        with listen("127.0.0.1", 0) as listener, Server(relay, listener) as server:
            server.start()
            assert relay.wait_until_ready(60), relay.unready
            api.set_provider_and_wait(FlagsealProvider(f"{server.url}/tuf/", root=root, poll=1.0))
            asking = Asking()
            asking.start()
            print(server.port, flush=True)
            for _ in sys.stdin:
                said = {
                    "rss": resident(),
                    # Counted by the allocator. A list of all objects (`gc.get_objects`) holds on to tuples that other
                    # threads are still filling, and fails them: SystemError.
                    "objects": sys.getallocatedblocks(),
                    "threads": threading.active_count(),
                    "files": len(list(Path("/proc/self/fd").iterdir())),
                    "asked": asking.asked,
                    "errors": asking.errors,
                    "sequence": relay.book.view.sequence if relay.book else -1,
                }
                print(json.dumps(said), flush=True)
            asking.stop()
            api.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
