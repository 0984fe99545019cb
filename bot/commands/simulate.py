"""`simulate`: play customers on channels of this machine, and count what is lost, doubled or reordered."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import tempfile
from pathlib import Path

from rich.console import Console

from bot.commands.models import prepare_model
from bot.desk.local.sessions import desk_link
from bot.domain.errors import SettingsError
from bot.instance import service_secret
from bot.settings import Settings
from simulator.play import CHANNELS, Plan, play
from simulator.report import Report, table
from simulator.tandem import DiedError

_EXAMPLES_MAX = 10


def simulate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Play what the arguments ask for; return 1 when anything was lost, doubled or reordered."""
    console = Console(highlight=False)
    plan = plan_of(arguments)
    # Tandem trains what this project says; of the settings only the model is taken, as they may name real accounts.
    model = prepare_model(settings, Console(stderr=True, highlight=False))
    folder = Path(tempfile.mkdtemp(prefix="tandem-simulation-"))
    try:
        found = asyncio.run(_play(plan, folder, model, console))
    except DiedError as error:
        raise SettingsError(str(error)) from None
    except asyncio.CancelledError:
        # Stopped before anybody wrote.
        shutil.rmtree(folder)
        return 130
    console.print(table(found))
    for line in found.findings()[:_EXAMPLES_MAX]:
        console.print(line, style="red", markup=False)
    if not found.is_clean:
        console.print(f"Tandem's database and log are kept in {folder}.")
        return 1
    shutil.rmtree(folder)
    return 0


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return what the arguments ask for; raises `SettingsError`."""
    chosen = tuple(name.strip() for name in (arguments.channel or ",".join(CHANNELS)).split(",") if name.strip())
    unknown = [name for name in chosen if name not in CHANNELS]
    if unknown or not chosen:
        raise SettingsError(
            f"--channel: {', '.join(unknown) or 'none'} cannot be simulated; take of {', '.join(CHANNELS)}"
        )
    if arguments.customers < 1 or arguments.minutes <= 0:
        raise SettingsError("--customers and --minutes must be more than 0")
    return Plan(
        channels=tuple(dict.fromkeys(chosen)),
        customer_count=arguments.customers,
        seconds=None if arguments.watch else arguments.minutes * 60,
        seed=arguments.seed,
        faults=arguments.faults,
    )


async def _play(plan: Plan, folder: Path, model: Path, console: Console) -> Report:
    def began(url: str) -> None:
        names = ", ".join(plan.channels)
        console.print(f"{plan.customer_count} customers write on {names}; faults: {plan.faults}, seed {plan.seed}.")
        if plan.seconds is None:
            console.print(f"  Work as an agent:   {desk_link(service_secret(None, folder), url)}", soft_wrap=True)
            console.print("  Stop with Ctrl-C.", style="dim")

    playing = asyncio.create_task(play(plan, folder, model, began))
    # The first Ctrl-C ends the writing, and the report comes; a second one ends it all.
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        playing.cancel()

    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, stop)
    return await playing
