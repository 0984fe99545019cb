"""`run`, `web` and `worker`: start a process, say where to go, and stop it whole."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import structlog
import uvloop
from rich.console import Console

from bot import tracing
from bot.clock import SystemClock
from bot.commands.models import follow_promotions, prepare_model
from bot.domain.errors import SettingsError
from bot.instance import only_instance, only_user
from bot.opening import open_database, open_records
from bot.parts import Parts, Role
from bot.service import Service
from bot.settings import Settings

log = structlog.get_logger()

#: Seconds for which a thread that computes keeps another waiting, as the database's does the one that answers channels.
_SWITCHES_EVERY = 0.001


def run(settings: Settings, role: Role) -> int:
    """Start what `role` needs and stay until interrupted; return the exit status."""
    is_whole = role == Role.WEB | Role.WORKER
    if settings.service.database.startswith("sqlite") and not is_whole:
        raise SettingsError("web and worker are for several processes on PostgreSQL; on SQLite use `run`")
    console = Console(stderr=True, highlight=False)
    model = None
    # Processes that share a PostgreSQL may share a state folder; a SQLite file belongs to one.
    alone = only_instance(settings.service.state_dir, settings.service.home) if is_whole else nullcontext()
    with (
        alone,
        only_user(settings.service.database, settings.service.home),
        tracing.exporting(settings.telemetry.endpoint),
    ):
        if Role.WORKER in role:
            model = prepare_model(settings, console)
        sys.setswitchinterval(_SWITCHES_EVERY)
        return uvloop.run(_serve(settings, role, model, console))


async def _serve(settings: Settings, role: Role, model: Path | None, console: Console) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    async with open_database(settings) as database, open_records(settings, clock) as brand:
        parts = Parts(settings, role, database, brand)
        if database.is_sqlite:
            await parts.worker.release_all()
        service = Service(parts)
        async with service.serving(model) as works:
            waiting = asyncio.create_task(stopping.wait())
            following = asyncio.create_task(follow_promotions(settings, parts.engine_process, model)) if model else None
            announcing = asyncio.create_task(_announce(service, console))
            await asyncio.wait({waiting, works}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, following, announcing):
                if task is not None:
                    task.cancel()
            if works.done() and not stopping.is_set():
                works.result()
            console.print("\nStopping …", style="dim")
    return 0


async def _announce(service: Service, console: Console) -> None:
    parts = service.parts
    if Role.WORKER in parts.role:
        with console.status("Starting the engine …"):
            await parts.engine.wait_until_ready()
    # What is loaded stays: without it, looking for garbage holds up everything for a tenth of a second now and then.
    gc.collect()
    gc.freeze()
    home = parts.settings.service.home
    console.print(f"\n[bold]Tandem is ready.[/bold]  {home}")
    if Role.WEB in parts.role:
        if parts.settings.brand.has_sample_site:
            console.print(f"  Write to the bot:   {home}/")
        console.print(f"  Work as an agent:   {service.desk_link()}", soft_wrap=True)
        if parts.slack is not None:
            console.print("  Slack is the desk as well; the link above works when Slack does not.")
    console.print("  Stop with Ctrl-C.\n", style="dim")
    log.info("ready", pid=os.getpid(), url=home)
    sys.stderr.flush()
