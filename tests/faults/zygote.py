"""A supervisor whose programs start at once: it has imported all they need, and forks each new life.

`python -m tests.faults.zygote COMMAND`; a life is the real program in a process of its own, with an engine that is there
at once. The process id of each life is appended to `lives` in the state folder.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import sys
from pathlib import Path

import bot.commands.run
import bot.dialogue.process
import bot.opening
import bot.service
from bot.__main__ import main

#: The file with the process ids of all lives.
LIVES = "lives"
#: What the programs import only when they need it.
_LATE = ("alembic.command", "bot.store.migrating", "httpx", "uvloop", "sanic.server", "aiohttp")


def supervise(command: str, folder: Path) -> None:
    """Run the program again and again; returns in each life, whose parent never does."""
    while True:
        life = os.fork()
        if not life:
            return
        with (folder / LIVES).open("a") as file:
            file.write(f"{life}\n")
        os.waitpid(life, 0)


if __name__ == "__main__":
    for name in _LATE:
        importlib.import_module(name)
    bot.dialogue.process.EngineOptions.__dataclass_fields__["module"].default = "tests.faults.quick_engine"
    bot.dialogue.process.EngineOptions.__init__.__kwdefaults__["module"] = "tests.faults.quick_engine"
    gc.freeze()
    supervise(sys.argv[1], Path(os.environ["TANDEM_SERVICE__STATE_DIR"]))
    # All lives would throw the same dice.
    random.seed()
    sys.exit(main([sys.argv[1]]))
