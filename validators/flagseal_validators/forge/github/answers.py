"""Reading what GitHub answers, part by part; whatever is asked for and is not there refuses with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flagseal_validators.forge.facts import Account
from flagseal_validators.forge.github.asking import missing

if TYPE_CHECKING:
    from flagseal.model.canonical import Json


def account(value: Json, place: str) -> Account | None:
    """Read an account; None where there is none any more."""
    if value is None:
        return None
    body = At(value, place)
    return Account(body.number("id"), body.text("login"), human=body.text("type") == "User")


_ABSENT: Final = object()


class At:
    """A part of an answer; whatever of it is asked for and is not there refuses with its place."""

    def __init__(self, body: object, place: str) -> None:
        self._place = place
        if not isinstance(body, dict):
            self._refuse("", "is no object")
        self._body: dict[str, Any] = body

    def value(self, name: str, default: object = _ABSENT) -> Any:  # noqa: ANN401 (any JSON)
        """Give a field."""
        if name not in self._body and default is _ABSENT:
            self._refuse(name, "is not in the answer")
        return self._body.get(name, default)

    def text(self, name: str) -> str:
        """Give a text that is not empty."""
        found = self.value(name)
        return found if isinstance(found, str) and found else self._refuse(name, "is no text")

    def optional(self, name: str) -> str | None:
        """Give a text, or None."""
        found = self.value(name, None)
        return found if found is None or isinstance(found, str) else self._refuse(name, "is no text")

    def number(self, name: str) -> int:
        """Give a whole number."""
        found = self.value(name)
        return found if isinstance(found, int) and not isinstance(found, bool) else self._refuse(name, "is no number")

    def flag(self, name: str) -> bool:
        """Give true or false."""
        found = self.value(name)
        return found if isinstance(found, bool) else self._refuse(name, "is neither true nor false")

    def instant(self, name: str) -> datetime:
        """Give an instant, in UTC."""
        try:
            found = datetime.fromisoformat(self.text(name))
        except ValueError:
            self._refuse(name, "is no instant")
        return found.astimezone(UTC) if found.tzinfo is not None else self._refuse(name, "has no time zone")

    def object(self, name: str) -> At:
        """Give a part of this part."""
        return At(self.value(name), f"{self._place}.{name}")

    def list(self, name: str) -> list[Any]:
        """Give a list."""
        found = self.value(name)
        return found if isinstance(found, list) else self._refuse(name, "is no list")

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise missing(f"GitHub: {self._place}{f'.{name}' if name else ''}", why)
