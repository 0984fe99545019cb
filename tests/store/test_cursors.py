from __future__ import annotations

from bot.store.cursors import StoredCursors
from bot.store.database import Database


async def test_reading_goes_on_where_it_stopped(database: Database) -> None:
    """Each account has a cursor of its own, none before the first, and the last one set counts."""
    cursors = StoredCursors(database)
    assert await cursors.get("mastodon/care") is None

    await cursors.set("mastodon/care", "107")
    await cursors.set("mastodon/care", "109")
    await cursors.set("email/care", "3:17")

    assert await StoredCursors(database).get("mastodon/care") == "109"
    assert await cursors.get("email/care") == "3:17"
