"""Opens the sample shop: a SQLite file, made when missing and dated anew when it was made for another day."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import DirectoryUnavailableError, SettingsError
from bot.domain.ports import CommandResult
from bot.store.database import Database, open_engine
from bot.store.sample_shop import commands, schema
from bot.store.sample_shop.records import make_records


class SampleShop:
    """The sample shop's own system: takes commands, and can be dated anew; its records are read by the directory."""

    def __init__(self, database: Database, url: str) -> None:
        """Take over `database`, whose records are in place."""
        self._database = database
        #: where the customer directory finds the records
        self.url = url

    async def execute(self, name: str, arguments: dict[str, object], key: str) -> CommandResult:
        """Do a command once for each key; see `bot.domain.ports.BusinessCommands`."""
        try:
            return await self._database.write(commands.execute, name, arguments, key)
        except SQLAlchemyError as error:
            raise DirectoryUnavailableError("the sample shop's database cannot be written to") from error

    async def date_anew(self, today: date) -> None:
        """Make all records relative to `today`; nothing happens when they are."""
        await self._database.write(fill, today)

    async def close(self) -> None:
        """Let go of the file."""
        await self._database.close()


async def open_sample_shop(path: Path, today: date) -> SampleShop:
    """Return the sample shop kept at `path`, with its records dated relative to `today`, the brand's local date.

    Raises `SettingsError` when the file cannot be used.
    """
    url = f"sqlite:///{path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the folder of {path} cannot be made: {error.strerror}") from error
    shop = SampleShop(Database(open_engine(url)), url)
    try:
        await shop.date_anew(today)
    except SQLAlchemyError as error:
        await shop.close()
        raise SettingsError(f"{path} is no database of the sample shop; remove it to have it made anew") from error
    return shop


def fill(connection: Connection, today: date) -> None:
    """Write the records for `today` and do all executed commands again, unless exactly these records are there.

    What is there is known by a fingerprint, so a new edition of the sample data replaces an old one as well.
    """
    rows = make_records(today)
    fingerprint = hashlib.sha256(repr(rows).encode()).hexdigest()
    schema.durable.create_all(connection)
    state = schema.shop_state
    if connection.scalar(select(state.c.fingerprint)) == fingerprint:
        return
    schema.records.drop_all(connection)
    schema.records.create_all(connection)
    for table in schema.records.sorted_tables:
        connection.execute(insert(table), rows[table.name])
    commands.replay(connection)
    connection.execute(delete(state))
    connection.execute(insert(state).values(fingerprint=fingerprint))
