"""AdmissionReviews (``admission.k8s.io/v1``): what is asked, read strictly, and what is answered."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flagseal.emergency import Receipt
from flagseal.model.errors import FlagsealError
from flagseal_operator.resources import GROUP, PLURALS

if TYPE_CHECKING:
    from collections.abc import Mapping

API: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
_KINDS: Final = {plural: kind for kind, plural in PLURALS.items()}
_LONGEST_WORD: Final = 1024
_LONGEST_MESSAGE: Final = 4096
_LONGEST_WARNING: Final = 256
_MOST_WARNINGS: Final = 8


class ReviewMalformed(FlagsealError):
    """Say that something is no review that an API server would send."""

    code = "ReviewMalformed"


@dataclass(frozen=True, slots=True)
class Request:
    """What an API server asks about one resource.

    Attributes:
        uid: Of the request; the answer repeats it.
        kind: One of ours; None for what is not ours to speak of, a subresource included.
        operation: One of :data:`OPERATIONS`.
        namespace: None for cluster-scoped kinds.
        name: None where the API server is still to make one up.
        user: Who asks, as authenticated.
        body: What is to be stored; None for a deletion.
        before: What is stored; None for a creation.
        dry_run: Whether nothing will be stored.
    """

    uid: str
    kind: str | None
    operation: str
    namespace: str | None
    name: str | None
    user: Receipt
    body: Mapping[str, Any] | None
    before: Mapping[str, Any] | None
    dry_run: bool

    @property
    def title(self) -> str:
        """Kind, namespace and name, for messages."""
        parts = (self.kind or "?", self.namespace, self.name or "?")
        return "/".join(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Attributes:
        refusal: Why it is refused; None if it is allowed.
        patch: JSON patch (RFC 6902) to be applied before it is stored.
        warnings: Shown to whoever asked.
        audit: Written into the API server's audit log, if it has one.
    """

    refusal: FlagsealError | None = None
    patch: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    audit: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """Whether it may be stored."""
        return self.refusal is None

    def body(self, uid: str) -> dict[str, Any]:
        """Write the review that answers a request."""
        response: dict[str, Any] = {"uid": uid, "allowed": self.allowed}
        if self.refusal is not None:
            message = f"{self.refusal.message} {self.refusal.remedy}".strip()
            response["status"] = {
                "status": "Failure",
                "code": 403,
                "reason": self.refusal.code,
                "message": _cut(message, _LONGEST_MESSAGE),
            }
        elif self.patch:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(list(self.patch)).encode()).decode("ascii")
        if self.warnings:
            # Each becomes one header.
            lines = (" ".join(it.split()) for it in self.warnings[:_MOST_WARNINGS])
            response["warnings"] = [_cut(line, _LONGEST_WARNING) for line in lines]
        if self.audit:
            response["auditAnnotations"] = dict(self.audit)
        return {"apiVersion": API, "kind": KIND, "response": response}


ALLOWED: Final = Answer()


def read_review(data: bytes) -> Request:
    """Read what an API server sent.

    Args:
        data: The body of its request.

    Raises:
        ReviewMalformed: It is no review, naming the place.
    """
    try:
        review = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReviewMalformed("$: is not JSON") from error
    if not isinstance(review, dict) or (review.get("apiVersion"), review.get("kind")) != (API, KIND):
        raise ReviewMalformed(f"$: is no {KIND} of {API}")
    request = _mapping(review, "request", "$")
    operation = _word(request, "operation", "$.request")
    if operation not in OPERATIONS:
        raise ReviewMalformed("$.request.operation: is none")
    body, before = _object(request, "object"), _object(request, "oldObject")
    kind = _kind(request)
    if kind is not None:
        _require_bodies(kind, operation, body, before)
    return Request(
        uid=_word(request, "uid", "$.request"),
        kind=kind,
        operation=operation,
        namespace=_optional(request, "namespace"),
        name=_optional(request, "name") or _own_name(body or before),
        user=_user(_mapping(request, "userInfo", "$.request")),
        body=body,
        before=before,
        dry_run=_flag(request, "dryRun"),
    )


def _kind(request: Mapping[str, Any]) -> str | None:
    """Find out what it is about by where it would be stored, and not by what it calls itself."""
    resource = _mapping(request, "resource", "$.request")
    if _optional(request, "subResource") or _word(resource, "group", "$.request.resource", least=0) != GROUP:
        return None
    return _KINDS.get(_word(resource, "resource", "$.request.resource"))


def _require_bodies(
    kind: str, operation: str, body: Mapping[str, Any] | None, before: Mapping[str, Any] | None
) -> None:
    for needed, found, path in (
        (operation in {"CREATE", "UPDATE"}, body, "object"),
        (operation in {"UPDATE", "DELETE"}, before, "oldObject"),
    ):
        if needed and (found is None or found.get("kind") != kind or not isinstance(found.get("metadata"), dict)):
            raise ReviewMalformed(f"$.request.{path}: is no {kind}")


def _user(info: Mapping[str, Any]) -> Receipt:
    path = "$.request.userInfo"
    extra = info.get("extra")
    if not isinstance(extra, dict | None) or not all(_is_unicode(key) for key in extra or ()):
        raise ReviewMalformed(f"{path}.extra: is no object")
    return Receipt(
        _word(info, "username", path),
        _words(info.get("groups"), f"{path}.groups"),
        {key: _words(values, f"{path}.extra") for key, values in (extra or {}).items()},
    )


def _own_name(body: Mapping[str, Any] | None) -> str | None:
    metadata = None if body is None else body.get("metadata")
    return _optional(metadata, "name") if isinstance(metadata, dict) else None


def _mapping(value: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    found = value.get(key)
    if not isinstance(found, dict):
        raise ReviewMalformed(f"{path}.{key}: is no object")
    return found


def _object(request: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = request.get(key)
    if not isinstance(found, dict | None):
        raise ReviewMalformed(f"$.request.{key}: is no object")
    return found


def _word(value: Mapping[str, Any], key: str, path: str, *, least: int = 1) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not least <= len(found) <= _LONGEST_WORD or not _is_unicode(found):
        raise ReviewMalformed(f"{path}.{key}: is no text")
    return found


def _optional(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    return None if found is None or found == "" else _word(value, key, "$")


def _words(value: object, path: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(it, str) and _is_unicode(it) for it in value):
        raise ReviewMalformed(f"{path}: is no list of texts")
    return tuple(value)


def _flag(value: Mapping[str, Any], key: str) -> bool:
    found = value.get(key, False)
    if not isinstance(found, bool):
        raise ReviewMalformed(f"$.request.{key}: is neither true nor false")
    return found


def _is_unicode(text: str) -> bool:
    """Tell half characters, which JSON can hold and nothing can sign."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
