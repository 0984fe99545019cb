"""Setting something up at a channel, through its outages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import SettingsError

log = structlog.get_logger()

_LONGEST_PAUSE = 60.0


async def insist(
    channel: str,
    attempt: Callable[[], Awaitable[Permanent | Retry | Ambiguous | None]],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Return once an attempt has no failure; raises `SettingsError` when the channel refuses.

    Attempts must be safe to repeat. Between them are growing pauses, or those that the channel asks for.
    """
    failure_count = 0
    while (failure := await attempt()) is not None:
        if isinstance(failure, Permanent):
            raise SettingsError(f"{channel}: the webhook cannot be set up: {failure.reason}")
        failure_count += 1
        pause = min(_LONGEST_PAUSE, 0.5 * (1 << min(failure_count, 10)))
        if isinstance(failure, Retry) and failure.after is not None:
            pause = failure.after.total_seconds()
        log.warning("channel_waits", channel=channel, reason=failure.reason, pause=pause)
        await sleep(pause)
