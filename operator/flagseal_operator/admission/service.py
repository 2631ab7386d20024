"""Admission as one process serves it: a review's bytes in, an answer out, whatever they are; counted and logged."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.errors import ApprovalError
from flagseal.snapshot.publish import utc_now
from flagseal_operator.admission.certificates import Certificates
from flagseal_operator.admission.courtesy import advise
from flagseal_operator.admission.knowledge import Knowledge
from flagseal_operator.admission.review import Answer, ReviewMalformed, read_review
from flagseal_operator.admission.server import MUTATE, PORT, WebhookServer
from flagseal_operator.admission.witness import witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from flagseal.snapshot.store import Store
    from flagseal_operator.admission.known import Known
    from flagseal_operator.admission.review import Request
    from flagseal_operator.admission.witness import Desk

_LOG: Final = logging.getLogger("flagseal.admission")

PATIENCE_SECONDS: Final = 2.0
"""How long a receipt waits for the accepted state; API servers wait five seconds for all of it."""

_CHANGED: Final = ApprovalError(
    "A ceremony has just changed trust.json, so what would be signed here might prove nothing.",
    code="TrustChanged",
    remedy="Try again in a few seconds, or sign it with your own key (`flagseal override`).",
)


@dataclass(frozen=True)
class WebhookOptions:
    """What the webhooks are told.

    Attributes:
        desk: Who signs receipts, and for whom.
        certificates: Folder of ``tls.crt`` and ``tls.key``.
        client_ca: Vouches for API servers; None to take whoever reaches the port.
        host: Where to listen.
        port: The same; 0 takes a free one.
    """

    desk: Desk
    certificates: Path
    client_ca: Path | None = None
    host: str = "127.0.0.1"
    port: int = PORT


class Admission:
    """Answer reviews, from the start of a process to its end, active or not.

    Args:
        options: What it is told.
        store: Where the accepted state is published.
        root: The pinned root.
        live: Gives the active operator's state; None while this process is none.
        clock: Gives the time in UTC.
    """

    def __init__(
        self,
        options: WebhookOptions,
        store: Store,
        root: bytes,
        live: Callable[[], Known | None],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._desk = options.desk
        self._clock = clock
        self._knowledge = Knowledge(store, root, live, clock)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._certificates = Certificates(options.certificates, options.client_ca)
        self._server = WebhookServer(options.host, options.port, self._certificates, self.answer)
        self.port = self._server.port

    def start(self) -> None:
        """Start answering, and read what is published for the first who asks."""
        self._knowledge.peek()
        self._server.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()
        self._knowledge.close()

    def answer(self, path: str, data: bytes) -> tuple[int, Mapping[str, Any]]:
        """Answer whatever came.

        Args:
            path: One of the webhooks'.
            data: What should be a review.

        Returns:
            An HTTP status, and what to write as JSON.
        """
        try:
            request = read_review(data)
            found = self._decide(path, request)
            body = found.body(request.uid)
        except (ReviewMalformed, RecursionError) as error:
            self._count("malformed")
            return 400, {"error": str(error)[:200]}
        except Exception:  # noqa: BLE001 (the edge of a process)
            # To the API server it is as if nobody answered: refused at one path, passed over at the other.
            _LOG.exception("a review could not be answered")
            self._count("failed")
            return 500, {"error": "failed"}
        self._note(path, request, found)
        return 200, body

    @property
    def trust_changed(self) -> bool:
        """Whether a ceremony has changed what this process began with, as far as anybody has asked."""
        return self._knowledge.trust not in {None, self._desk.trust}

    def gauges(self) -> dict[str, tuple[str, float]]:
        """Say how it is, for Prometheus."""
        expires = self._certificates.expires
        with self._lock:
            counts = dict(self._counts)
        return {
            "webhook_certificate_expires_seconds": (
                "Unix time at which the webhooks' certificate expires; 0 if there is none.",
                expires.timestamp() if expires is not None else 0.0,
            ),
            "admission_signs": ("1 if receipts can be signed.", float(self._desk.signer is not None)),
            "admission_receipts": ("Receipts signed.", float(counts.get("receipts", 0))),
            "admission_refused": ("Reviews answered with a refusal.", float(counts.get("refused", 0))),
            "admission_allowed": ("Reviews answered otherwise.", float(counts.get("allowed", 0))),
            "admission_malformed": ("Requests that were no review.", float(counts.get("malformed", 0))),
            "admission_failed": ("Reviews that could not be answered.", float(counts.get("failed", 0))),
        }

    def _decide(self, path: str, request: Request) -> Answer:
        if path == MUTATE:
            known = self._knowledge.ask(PATIENCE_SECONDS) if request.operation == "CREATE" else None
            if self.trust_changed:
                return Answer(_CHANGED)
            return witness(request, self._desk, known, now=self._clock(), nonce=secrets.token_hex(16))
        return advise(request, self._desk.trust, self._knowledge.peek(), now=self._clock())

    def _note(self, path: str, request: Request, answer: Answer) -> None:
        self._count("allowed" if answer.allowed else "refused")
        if answer.refusal is not None:
            who = request.user.username
            _LOG.info("refused %s of %r by %r: %s", request.operation, request.title, who, answer.refusal.code)
        elif path == MUTATE and answer.patch:
            self._count("receipts")
            incident = answer.audit.get("incident", "")
            _LOG.warning("receipt for %r by %r, for %r", request.title, request.user.username, incident)

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1
