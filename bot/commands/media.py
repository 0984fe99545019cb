"""`media`: delete the files that customers and agents sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rich.console import Console

from bot.clock import SystemClock
from bot.domain.conversations import ConversationId
from bot.domain.errors import TandemError
from bot.opening import open_database
from bot.settings import Settings
from bot.store import conversations
from bot.store.database import Database
from bot.store.media import StoredMedia


def erase(settings: Settings, conversation_id: str | None, customer_id: str | None) -> int:
    """Delete every file of a conversation, or of all conversations in which somebody proved to be that customer."""

    async def work(database: Database, media: StoredMedia) -> str:
        by_customer = await _of_customer(database, customer_id) if customer_id else []
        found = [ConversationId(conversation_id)] if conversation_id else by_customer
        count = sum([await media.erase_conversation(each) for each in found])
        return f"{_files(count)} deleted. What was posted in Slack stays there: delete it in Slack."

    return asyncio.run(_with_media(settings, work))


def sweep(settings: Settings) -> int:
    """Delete files that are in no message and a day old."""

    async def work(_: Database, media: StoredMedia) -> str:
        return f"{_files(await media.sweep())} deleted."

    return asyncio.run(_with_media(settings, work))


async def _of_customer(database: Database, customer_id: str) -> list[ConversationId]:
    found = await database.read(conversations.of_customer, customer_id)
    if not found:
        raise TandemError(f"nobody has proved to be the customer {customer_id}; name a conversation instead")
    return found


async def _with_media(settings: Settings, work: Callable[[Database, StoredMedia], Awaitable[str]]) -> int:
    async with open_database(settings) as database:
        media = StoredMedia(database, SystemClock(), settings.service.state_dir / "media")
        Console(highlight=False).print(await work(database, media))
    return 0


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count} files are"
