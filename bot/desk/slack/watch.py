"""Looks after the connection to Slack: reads what no event told of, and finds what is broken before it is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.desk.slack.backfill import Backfill
from bot.desk.slack.errors import classify
from bot.domain.connectors import Permanent
from bot.domain.errors import SettingsError

_log = structlog.get_logger(__name__)

#: Where trouble is when the app is not set up right, and when our clock is not.
SETUP, CLOCK = "slack/setup", "slack/clock"
#: Seconds between two looks at how the app is set up.
CHECK_EVERY = 300.0
#: Keeps (where, why in plain words or none when all is well, whether somebody has to mend it).
Report = Callable[[str, str | None, bool], Awaitable[None]]


class SlackWatch:
    """Runs beside everything else that speaks with Slack."""

    def __init__(self, backfill: Backfill, check: Callable[[], Awaitable[str]], report: Report) -> None:
        """Take what is run, what is looked at, and who is told."""
        self._backfill = backfill
        self._check = check
        self._report = report

    def mended(self) -> None:
        """Read what was written meanwhile: Slack could not be reached, and now it can."""
        self._backfill.ask()

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._backfill.run())
            group.create_task(self._look())

    async def _look(self) -> None:
        while True:
            try:
                await self.look_once()
            except Exception:  # noqa: BLE001 - it is tried again
                _log.exception("slack_not_looked_at")
            await asyncio.sleep(CHECK_EVERY)

    async def look_once(self) -> None:
        """Report whether the app is set up right."""
        try:
            await self._check()
        except SettingsError as error:
            cause = error.__cause__
            is_blocked = not isinstance(cause, Exception) or _is_permanent(cause)
            await self._report(SETUP, str(error), is_blocked)
        else:
            for where in (SETUP, CLOCK):
                await self._report(where, None, False)


def _is_permanent(error: Exception) -> bool:
    return isinstance(error, SettingsError) or isinstance(classify(error), Permanent)
