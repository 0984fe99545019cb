"""Canned replies: the brand's own, from its file, and those that agents made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from bot.domain.errors import SettingsError
from bot.domain.macros import Macro, check_macro
from bot.domain.ports import Clock
from bot.domain.tickets import Agent
from bot.store.database import Database
from bot.store.schema import macros


class StoredMacros:
    """Implements `bot.domain.macros.Macros`."""

    def __init__(self, database: Database, clock: Clock, own: tuple[Macro, ...] = ()) -> None:
        """Keep what agents make beside the brand's `own`."""
        self._database = database
        self._clock = clock
        self._own = own

    async def all(self) -> tuple[Macro, ...]:
        """Return them all: the brand's own in their order, then those of agents by title."""
        return (*self._own, *await self._database.read(_made))

    async def add(self, macro: Macro, agent: Agent) -> None:
        """Keep an agent's, in place of theirs of the same title; raises `SettingsError` for one of no use."""
        check_macro(macro)
        if any(own.title.casefold() == macro.title.casefold() for own in self._own):
            raise SettingsError(f"The brand has a canned reply called {macro.title!r}: choose another title.")
        await self._database.write(_keep, macro, agent, self._clock.now())


def _made(connection: Connection) -> list[Macro]:
    rows = connection.execute(select(macros.c.title, macros.c.text, macros.c.is_public).order_by(macros.c.title)).all()
    return [Macro(title=row.title, text=row.text, is_public=row.is_public) for row in rows]


def _keep(connection: Connection, macro: Macro, agent: Agent, now: datetime) -> None:
    connection.execute(macros.delete().where(macros.c.title == macro.title))
    connection.execute(
        macros.insert().values(
            title=macro.title,
            text=macro.text,
            agent_id=agent.id,
            agent_name=agent.name,
            made_at=now,
            is_public=macro.is_public,
        )
    )
