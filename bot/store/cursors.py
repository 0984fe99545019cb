"""Up to where polled channel accounts have been read."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from bot.store.database import Database, insert_once
from bot.store.schema import poll_cursors


class StoredCursors:
    """Keeps cursors in the database: `bot.domain.ports.Cursors`."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    async def get(self, name: str) -> str | None:
        """Return where reading goes on; none: it has not begun."""
        return await self._database.read(_get, name)

    async def set(self, name: str, cursor: str) -> None:
        """Go on from there next time."""
        await self._database.write(_set, name, cursor)


def _get(connection: Connection, name: str) -> str | None:
    found: str | None = connection.scalar(select(poll_cursors.c.cursor).where(poll_cursors.c.name == name))
    return found


def _set(connection: Connection, name: str, cursor: str) -> None:
    if not insert_once(connection, poll_cursors, {"name": name, "cursor": cursor}):
        connection.execute(update(poll_cursors).where(poll_cursors.c.name == name).values(cursor=cursor))
