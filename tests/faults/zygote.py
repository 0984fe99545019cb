"""A supervisor whose programs start at once: it has imported all they need, and forks each new life.

`python -m tests.faults.zygote COMMAND`; a life is the real program in a process of its own, with an engine that is
there at once. The process id of each life is appended to `lives` in the state folder.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import linecache
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path

import bot.commands.run
import bot.opening
import bot.parts
import bot.service
from bot.__main__ import main
from bot.dialogue.process import EngineOptions
from bot.store.migrating import known_steps

#: Of <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
#: The file with the process ids of all lives.
LIVES = "lives"
#: What the programs import only when they need it.
_LATE = (
    *("alembic.command", "httpx", "httpcore", "anyio.to_thread", "certifi", "rich.status"),
    *("uvloop", "sanic.server", "aiohttp"),
)


def end_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, however that does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def supervise(folder: Path) -> None:
    """Run the program again and again; returns in each life, whose parent never does."""
    end_with_parent()
    while True:
        life = os.fork()
        if not life:
            end_with_parent()
            return
        with (folder / LIVES).open("a") as file:
            file.write(f"{life}\n")
        os.waitpid(life, 0)


if __name__ == "__main__":
    for name in _LATE:
        importlib.import_module(name)
    bot.parts.EngineOptions = partial(EngineOptions, module="tests.faults.quick_engine")  # type: ignore[attr-defined,assignment]
    # What is read only once is read before the first life: Sanic looks at the source of each route.
    known_steps()
    for name in [name for name in sys.modules if name.startswith("bot.")]:
        linecache.getlines(str(sys.modules[name].__file__))
    gc.freeze()
    supervise(Path(os.environ["TANDEM_SERVICE__STATE_DIR"]))
    # All lives would throw the same dice.
    random.seed()
    sys.exit(main([sys.argv[1]]))
