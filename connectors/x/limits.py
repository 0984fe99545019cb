"""How many calls X still takes, as its answers say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot import metrics
from bot.domain.ports import Cursors

log = structlog.get_logger()

#: Prefixes of the headers that tell of one limit each.
_HEADERS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
#: Later than that no limit ends.
_LONGEST = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """One limit as it was after the last call."""

    limit: int
    remaining: int
    ends_at: datetime

    @classmethod
    def read(cls, headers: Mapping[str, str], prefix: str) -> Allowance | None:
        """Return what the headers of an answer say, none where they say nothing or nonsense."""
        texts = [headers.get(f"{prefix}-{name}", "") for name in ("limit", "remaining", "reset")]
        if not all(text.isascii() and text.isdigit() and len(text) <= 12 for text in texts):
            return None
        limit, remaining, reset = map(int, texts)
        return cls(limit=limit, remaining=remaining, ends_at=datetime.fromtimestamp(reset, UTC))


class Allowances:
    """The limits of one account, by what is called; the tightest of each is kept and shown."""

    def __init__(self, account: str, cursors: Cursors) -> None:
        """Keep what doctor shows beside the cursors."""
        self._account = account
        self._cursors = cursors
        self._known: dict[str, list[Allowance]] = {}

    async def note(self, what: str, headers: Mapping[str, str]) -> None:
        """Take in what an answer says; that it cannot be kept is only logged."""
        found = [each for prefix in _HEADERS if (each := Allowance.read(headers, prefix)) is not None]
        if not found:
            return
        self._known[what] = found
        tightest = min(found, key=lambda each: each.remaining)
        metrics.ALLOWANCE.labels(self._account, what).set(tightest.remaining)
        try:
            kept = json.dumps([tightest.limit, tightest.remaining, int(tightest.ends_at.timestamp())])
            await self._cursors.set(self._name(what), kept)
        except Exception as error:  # noqa: BLE001 - what was sent was sent
            log.warning("allowance_not_kept", account=self._account, error=type(error).__name__)

    def pause(self, what: str, now: datetime) -> timedelta | None:
        """Return how long nothing more is taken, none when something is."""
        spent = [each.ends_at - now for each in self._known.get(what, []) if not each.remaining and each.ends_at > now]
        return min(max(spent), _LONGEST) + timedelta(seconds=1) if spent else None

    async def line(self, what: str, now: datetime) -> str | None:
        """Return what is left, in words; none when nothing is known, or the time is over."""
        kept = await self._cursors.get(self._name(what))
        if kept is None:
            return None
        limit, remaining, reset = json.loads(kept)
        ends_at = datetime.fromtimestamp(reset, UTC)
        return f"{remaining} of {limit} {what}s left until {ends_at:%H:%M} UTC" if ends_at > now else None

    def _name(self, what: str) -> str:
        return f"allowance:{self._account}:{what}"
