"""The double's limit on writing: so many requests a minute that make content, as GitHub's secondary limits have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Refused = tuple[int, dict[str, Any], dict[str, str]]


@dataclass
class Limits:
    """Refuse what comes too fast.

    Attributes:
        minute: Writes in sixty seconds.
        hour: Writes in an hour.
        refusals: How many have been refused.
    """

    minute: int = 80
    hour: int = 500
    refusals: int = 0
    written: list[datetime] = field(default_factory=list)

    def refuse(self, method: str, now: datetime) -> Refused | None:
        """Give the refusal of a write that comes too fast; count one that does not."""
        if method == "GET":
            return None
        for most, span in ((self.minute, timedelta(minutes=1)), (self.hour, timedelta(hours=1))):
            recent = [at for at in self.written if at > now - span]
            if len(recent) >= most:
                self.refusals += 1
                seconds = (recent[0] + span - now).total_seconds()
                message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
                return 403, {"message": message}, {"Retry-After": str(int(seconds) + 1)}
        self.written.append(now)
        return None
