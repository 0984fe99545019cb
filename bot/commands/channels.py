"""`channels`: every channel there is, how each account is, and what waits on it."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from bot.clock import SystemClock
from bot.connecting import lone_connectors
from bot.domain.connectors import Checking, Closing, Connector, KnowsExpiry, Polling
from bot.domain.errors import SettingsError
from bot.opening import open_database
from bot.settings import Settings
from bot.store.activity import Activity, activity
from bot.store.database import Database
from connectors.registry import SECTIONS, TITLES

#: Seconds that a channel may take to say how an account is.
_ANSWERS_WITHIN = 20.0
#: A token that ends within so long is something to do now.
_SOON = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One channel account, or a channel without any."""

    channel: str
    title: str
    #: "not set", "set" where nobody asked, "reachable", "in trouble"
    state: str
    account: str | None = None
    #: what the channel says of it, or what to fix
    detail: str = ""
    is_public: bool | None = None
    #: how its events come: "called", "polled", "served"
    way: str | None = None
    token_expires_at: datetime | None = None
    last_received_at: datetime | None = None
    waiting_count: int = 0
    oldest_waiting_at: datetime | None = None
    dead_count: int = 0


def channels(settings: Settings, *, is_json: bool, is_offline: bool) -> int:
    """List them; return 1 when an account is in trouble."""
    found = asyncio.run(find_channels(settings, is_offline=is_offline))
    if is_json:
        lines = [asdict(each) for each in found]
        sys.stdout.write(json.dumps(lines, indent=1, default=datetime.isoformat) + "\n")
    else:
        _show(found, Console(highlight=False))
    return 1 if any(each.state == "in trouble" for each in found) else 0


async def find_channels(settings: Settings, *, is_offline: bool) -> list[Found]:
    """Return every account that is set, then every channel without one; asks the channels unless `is_offline`."""
    clock = SystemClock()
    settings.service.state_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(settings) as database:
        connectors = lone_connectors(settings, database, clock)
        try:
            looks = (_look(each, database, is_offline=is_offline) for each in connectors)
            found = list(await asyncio.gather(*looks))
        finally:
            for each in connectors:
                if isinstance(each, Closing):
                    await each.close()
    known = {each.channel for each in found}
    found += [Found(channel=name, title=title, state="not set") for name, title in TITLES.items() if name not in known]
    return found


async def _look(connector: Connector, database: Database, *, is_offline: bool) -> Found:
    done: Activity = await database.read(activity, str(connector.channel), str(connector.account))
    state, detail, expires_at = ("set", "", None) if is_offline else await _ask(connector)
    return Found(
        channel=str(connector.channel),
        title=TITLES.get(str(connector.channel), str(connector.channel)),
        state=state,
        account=str(connector.account),
        detail=detail,
        is_public=connector.capabilities.is_public,
        way=way_of(connector),
        token_expires_at=expires_at,
        last_received_at=done.last_received_at,
        waiting_count=done.waiting_count,
        oldest_waiting_at=done.oldest_waiting_at,
        dead_count=done.dead_count,
    )


def way_of(connector: Connector) -> str:
    """Return how events of an account reach us: its channel calls us, we poll it, or our own pages bring them."""
    if isinstance(connector, Polling) and connector.is_polled:
        return "polled"
    return "served" if connector.channel == "webchat" else "called"


async def _ask(connector: Connector) -> tuple[str, str, datetime | None]:
    """Return state, detail and the token's end as the channel tells them."""
    if not isinstance(connector, Checking):
        return "reachable" if connector.channel == "webchat" else "set", "", None
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            detail = await connector.check()
            expires_at = await connector.expires_at() if isinstance(connector, KnowsExpiry) else None
    except SettingsError as error:
        return "in trouble", str(error), None
    except TimeoutError:
        return "in trouble", f"no answer within {_ANSWERS_WITHIN:.0f} seconds; check the network", None
    return "reachable", detail, expires_at


def _show(found: list[Found], console: Console) -> None:
    grid = Table("channel", "account", "state", "readers", "events", "last event", "waiting", "token")
    now = datetime.now(UTC)
    for each in (each for each in found if each.account is not None):
        grid.add_row(
            each.title,
            each.account,
            _coloured(each.state),
            "everybody" if each.is_public else "the customer",
            each.way,
            _ago(each.last_received_at, now) if each.last_received_at else "never",
            _waiting(each, now),
            _expiry(each.token_expires_at, now),
        )
    console.print(grid)
    for each in found:
        if each.detail:
            mark = "[red]✗[/red]" if each.state == "in trouble" else "[green]✓[/green]"
            console.print(f"{mark} {each.title}: ", end="")
            console.print(each.detail, markup=False, soft_wrap=True)
    missing = {
        section: each
        for section, each in SECTIONS.items()
        if not any(f.account and f.channel in each.titles for f in found)
    }
    if missing:
        console.print(f"\nNot set: {', '.join(missing)}. `python -m bot connect CHANNEL` sets one up.")


def _coloured(state: str) -> str:
    colours = {"reachable": "green", "in trouble": "red"}
    return f"[{colours[state]}]{state}[/]" if state in colours else state


def _waiting(found: Found, now: datetime) -> str:
    parts = []
    if found.waiting_count and found.oldest_waiting_at:
        parts.append(f"{found.waiting_count}, for {_ago(found.oldest_waiting_at, now, '')}")
    if found.dead_count:
        parts.append(f"{found.dead_count} dead letters")
    return "; ".join(parts) or "nothing"


def _expiry(expires_at: datetime | None, now: datetime) -> str:
    if expires_at is None:
        return ""
    return f"[red]{expires_at:%d %b %Y}[/red]" if expires_at - now < _SOON else f"{expires_at:%d %b %Y}"


def _ago(moment: datetime, now: datetime, suffix: str = " ago") -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}{suffix}"
    return f"{seconds} s{suffix}"
