"""`doctor`: look at everything a running service needs and say what to fix."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console

from bot.clock import SystemClock
from bot.commands.models import find_model
from bot.domain.connectors import Checking
from bot.domain.errors import DirectoryUnavailableError, SettingsError
from bot.opening import open_database, open_records
from bot.parts import Parts, Role
from bot.settings import Settings
from bot.store import gauging
from bot.store.database import Database
from bot.store.gauging import Load
from bot.store.restoring import find_warnings

NO_PROXIES = (
    "service.public_url is set, so something stands in front of Tandem and takes the calls, but "
    "service.trusted_proxies does not say what: all visitors of the web chat count as one, and a crowd is told to "
    "wait. Name its addresses"
)
DISK_MIN = 500 * 1024 * 1024
#: What waits longer is not waiting for its turn.
LATE_AFTER = timedelta(minutes=5)
#: Seconds; Slack refuses what differs by 300.
CLOCK_OFFSET_MAX = 30.0


def doctor(settings: Settings) -> int:
    """Print one line per check; return 1 when something has to be fixed."""
    console = Console(highlight=False)
    return asyncio.run(_Doctor(settings, console).examine())


def find_risks(settings: Settings) -> dict[str, str]:
    """Return what works and may not go well, by what it is about, with what to do."""
    service = settings.service
    is_open = service.public_url is not None and settings.webchat.is_enabled
    return {"proxies": NO_PROXIES} if is_open and not service.trusted_proxies else {}


def find_exposed(folder: Path) -> list[str]:
    """Return what of our state every user of this machine can read, by name."""
    if not folder.is_dir() or not folder.stat().st_mode & stat.S_IXOTH:
        return []
    kept = (*folder.glob("*.db*"), folder / "media", folder / "secret")
    return sorted(path.name for path in kept if path.exists() and path.stat().st_mode & stat.S_IROTH)


class _Doctor:
    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._failure_count = 0

    async def examine(self) -> int:
        self._say("settings", "read and consistent")
        for name, line in find_risks(self._settings).items():
            self._console.print(f"[yellow]![/yellow] {name}: {line}")
        await self._check("disk", self._disk)
        await self._check("files", self._files)
        await self._check("model", self._model)
        await self._check("running", self._running)
        await self._check("breakers", self._breakers)
        await self._check("database", self._open)
        if self._failure_count:
            self._console.print(f"\n{self._failure_count} to fix.", style="bold red")
            return 1
        self._console.print("\nAll is well.", style="bold green")
        return 0

    async def _check(self, name: str, check: Callable[[], Awaitable[str]]) -> None:
        try:
            self._say(name, await check())
        except (SettingsError, DirectoryUnavailableError) as error:
            self._failure_count += 1
            self._console.print(f"[red]✗[/red] {name}: {error}")

    def _say(self, name: str, line: str) -> None:
        self._console.print(f"[green]✓[/green] {name}: {line}")

    async def _disk(self) -> str:
        folder = self._settings.service.state_dir
        free = shutil.disk_usage(folder if folder.exists() else Path()).free
        if free < DISK_MIN:
            raise SettingsError(
                f"only {free // 1024**2} MB are free for {folder}; messages are refused when it is full"
            )
        return f"{free // 1024**3} GB free for {folder}"

    async def _files(self) -> str:
        folder = self._settings.service.state_dir
        if exposed := find_exposed(folder):
            raise SettingsError(
                f"every user of this machine can read {', '.join(exposed)} in {folder}, and so what customers wrote; "
                f"`chmod -R go= {folder}` keeps it to who runs Tandem"
            )
        return f"what customers wrote is read by nobody else in {folder}"

    async def _model(self) -> str:
        model = await asyncio.to_thread(find_model, self._settings)
        if model is None:
            raise SettingsError("no model is trained for the data as it is; `python -m bot train` makes one")
        return str(model)

    async def _running(self) -> str:
        service = self._settings.service
        url = f"http://127.0.0.1:{service.internal_port}/readyz"
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                answer = (await client.get(url)).json()
        except (httpx.HTTPError, ValueError):
            return f"nothing answers on port {service.internal_port}: Tandem is not running"
        if answer["missing"]:
            raise SettingsError(f"Tandem is running, but waits for: {', '.join(answer['missing'])}")
        if warnings := answer.get("warnings"):
            raise SettingsError("; ".join(f"{where}: {reason}" for where, reason in warnings.items()))
        return "Tandem is running and ready, engine included"

    async def _breakers(self) -> str:
        """Say what the running service makes calls to; raise `SettingsError` where none comes through."""
        url = f"http://127.0.0.1:{self._settings.service.internal_port}/breakers"
        try:
            async with httpx.AsyncClient(timeout=2) as client:
                states: dict[str, str] = (await client.get(url)).json()
        except (httpx.HTTPError, ValueError):
            return "nothing runs here"
        if held_back := [f"{what} ({state})" for what, state in states.items() if state != "closed"]:
            raise SettingsError(
                f"no call comes through to {', '.join(held_back)}; what waits for it goes on by itself when it is back"
            )
        return f"calls go through to {', '.join(states)}"

    async def _open(self) -> str:
        clock = SystemClock()
        async with open_database(self._settings) as database:
            async with open_records(self._settings, clock) as brand:
                await brand.directory.check()
                self._say("records", "the sample shop" if brand.sample_shop else "the mapping fits the database")
                parts = Parts(self._settings, Role.WEB | Role.WORKER, database, brand)
                for connector in parts.connectors.connectors:
                    if isinstance(connector, Checking):
                        await self._check(connector.channel, connector.check)
                if parts.slack is not None:
                    await self._check("slack", parts.slack.check)
                await parts.close()
                await parts.clock.set()
            await self._check("boxes", lambda: self._boxes(database, parts.clock.now()))
            await self._check("clock", lambda: _clock(parts.clock.now()))
            for name, line in (await find_warnings(database)).items():
                self._console.print(f"[yellow]![/yellow] {name}: {line}")
            return f"{database.engine.dialect.name}, schema up to date"

    async def _boxes(self, database: Database, now: datetime) -> str:
        """Say what waits and what was given up; raise `SettingsError` when somebody waits who should not."""
        loads = await database.read(gauging.look, now)
        said = [_describe(box, load, now) for box, load in loads.items()]
        if lapsed_count := sum(load.lapsed_count for load in loads.values()):
            raise SettingsError(
                f"{lapsed_count} rows have lost their worker, and no other takes them up; is one running?"
            )
        late = [f"{box} on {channel}" for box, load in loads.items() for channel in _late(load, now)]
        if late:
            raise SettingsError(f"{'; '.join(said)}. Too long: {', '.join(late)}; the log says what failed")
        return "; ".join(said)


def _late(load: Load, now: datetime) -> list[str]:
    return sorted(channel for channel, since in load.oldest.items() if now - since > LATE_AFTER)


def _describe(box: str, load: Load, now: datetime) -> str:
    waiting_count = load.counts["pending"] + load.counts["claimed"]
    oldest = min(load.oldest.values(), default=None)
    since = f", the oldest for {(now - oldest).total_seconds():.0f} s" if oldest else ""
    doubts = f", {load.ambiguous_count} of them may have left already" if load.ambiguous_count else ""
    given_up = load.counts["dead"] + load.counts["held"]
    letters = f", {given_up} given up (`dead-letters` lists them)" if given_up else ""
    return f"{box}: {waiting_count} wait{since}{doubts}{letters}"


async def _clock(shared: datetime) -> str:
    """Compare our clock with the database's, which all who share it go by; raise `SettingsError` where they differ."""
    offset = abs((shared - datetime.now(UTC)).total_seconds())
    if offset > CLOCK_OFFSET_MAX:
        raise SettingsError(
            f"this machine's clock is {offset:.0f} s off the database's; Slack and others refuse calls of a clock that "
            "is wrong: let NTP set both"
        )
    return f"{offset:.1f} s off the database's"
