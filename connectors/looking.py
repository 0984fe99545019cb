"""What connectors share whose networks call nobody: looking for ever, and telling what is new on a page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.messages import InboundEvent, InboundMessage, Unsupported

log = structlog.get_logger()

_LONGEST_PAUSE = 300.0
#: Comments whose changes are noticed.
_KNOWN_MAX = 20_000


async def look_for_ever(
    account: str,
    look: Callable[[], Awaitable[Retry | Permanent | Ambiguous | None]],
    pause: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Look again and again, `pause()` seconds apart; a look that fails costs a growing pause, or the one asked for.

    `account` is named in the log. A look that raises has kept nothing, and comes again.
    """
    failure_count = 0
    while True:
        try:
            failure = await look()
        except Exception as error:  # noqa: BLE001 - a poller that ends is a silent bot
            failure = Ambiguous(reason=f"what came was not committed ({type(error).__name__})")
        if failure is None:
            failure_count = 0
            await sleep(pause())
            continue
        failure_count += 1
        asked = failure.after if isinstance(failure, Retry) else None
        waits = asked.total_seconds() if asked else min(_LONGEST_PAUSE, 2.0 * (1 << min(failure_count, 10)))
        log.warning("channel_looks_later", account=account, reason=failure.reason, pause=waits)
        await sleep(waits)


class Known:
    """The comments that were read, each with a mark that changes when it does: a moment, a digest of its words."""

    def __init__(self) -> None:
        """Know none."""
        self._marks: OrderedDict[str, str] = OrderedDict()

    def new(self, events: list[InboundEvent], marks: Mapping[str, str], since: datetime) -> list[InboundEvent]:
        """Return the events that are new, and changed comments as edits.

        What was written before `since` is left out, and what nobody can be answered at: it would be counted each time.
        """
        made: list[InboundEvent] = []
        for event in events:
            if isinstance(event, Unsupported):
                continue
            written = getattr(event, "sent_at", None)
            if written is not None and written < since:
                continue
            known, mark = self._marks.get(event.external_id), marks.get(event.external_id, "")
            if known is None:
                made.append(event)
            elif known != mark and isinstance(event, InboundMessage):
                made.append(replace(event, external_id=f"{event.external_id}@{mark}", edits=event.external_id))
        return made

    def remember(self, marks: Mapping[str, str]) -> None:
        """Know these from now on; called once they are durable."""
        for name, mark in marks.items():
            self._marks[name] = mark
            self._marks.move_to_end(name)
        while len(self._marks) > _KNOWN_MAX:
            self._marks.popitem(last=False)
