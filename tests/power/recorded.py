"""The real service with an engine that is there at once, to be recorded: `python -m tests.power.recorded COMMAND`.

`POWER_CARELESS` names how safe its SQLite is instead of `FULL`, as a planted mistake.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from sqlalchemy import Engine, event

import bot.dialogue.process
import bot.store.database
from bot.__main__ import main


def be_careless(how: str) -> None:
    """Let every SQLite database that is opened from now on be written as `how` says."""
    really_open = bot.store.database._open_sqlite

    def carelessly(url: str) -> Engine:
        engine = really_open(url)

        @event.listens_for(engine, "connect")
        def unsettle(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA synchronous={how}")

        return engine

    bot.store.database._open_sqlite = carelessly


if __name__ == "__main__":
    bot.dialogue.process.EngineOptions.__dataclass_fields__["module"].default = "tests.faults.quick_engine"
    defaults: Any = bot.dialogue.process.EngineOptions.__init__.__kwdefaults__
    defaults["module"] = "tests.faults.quick_engine"
    if found := os.environ.get("POWER_CARELESS"):
        be_careless(found)
    sys.exit(main([sys.argv[1]]))
