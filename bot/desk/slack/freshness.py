"""Keeping the App Homes that people have open up to date, some moments after something changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bot.desk.slack.errors import classify, code_of
from bot.desk.slack.homepages import HomePages
from bot.domain.connectors import Retry

_log = structlog.get_logger(__name__)

#: Who has not looked at their page for longer is not kept up to date: they see it anew when they open it.
OPEN_FOR = timedelta(minutes=30)
#: Seconds in which changes are gathered, so that many of them are one.
GATHERED_FOR = 3.0
#: Seconds between two pages: Slack lets an app publish about a hundred a minute, and people who open theirs go first.
#: https://docs.slack.dev/reference/methods/views.publish
PACE = 1.0


class FreshHomes:
    """Shows those who have their page open lately what has changed on it."""

    def __init__(
        self,
        pages: HomePages,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Refresh `pages`."""
        self._pages = pages
        self._now = now
        self._sleep = sleep
        self._touched = asyncio.Event()

    def touch(self) -> None:
        """Say that something has changed on the desk, as often as it does."""
        self._touched.set()

    async def run(self) -> None:
        """Refresh until cancelled, whenever something has changed."""
        while True:
            await self._touched.wait()
            await self._sleep(GATHERED_FOR)
            self._touched.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Publish every page that was open lately and has changed, who opened theirs last first."""
        for user in self._pages.open_since(self._now() - OPEN_FOR):
            try:
                is_new = await self._pages.refresh(user)
            except Exception as error:  # noqa: BLE001 - the next change, or a look at the page, shows it
                _log.info("slack_home_not_refreshed", error=code_of(error) or type(error).__name__)
                await self._sleep(_pause_after(error))
            else:
                if is_new:
                    await self._sleep(PACE)


def _pause_after(error: Exception) -> float:
    try:
        failed = classify(error)
    except Exception:  # noqa: BLE001 - it is not Slack's
        return PACE
    return failed.after.total_seconds() if isinstance(failed, Retry) and failed.after else PACE
