"""Plays a simulation: the channels, Tandem between them, and the crowd."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator import discord_street, graph_street, line_street, sms_street, telegram_street, webchat_street
from simulator.crowd import Crowd
from simulator.discord_street import DiscordStreet
from simulator.graph_street import MetaStreet
from simulator.line_street import LineStreet
from simulator.report import Report, report
from simulator.sms_street import SmsStreet
from simulator.tandem import Tandem
from simulator.telegram_street import TelegramStreet
from simulator.weather import FAULTS, Weather
from simulator.webchat_street import WebChatStreet

CHANNELS = (
    telegram_street.CHANNEL,
    *graph_street.CHANNELS,
    line_street.CHANNEL,
    sms_street.CHANNEL,
    *discord_street.CHANNELS,
    webchat_street.CHANNEL,
)
#: Seconds in which everything that was written has to be worked off, and a customer waits: longer in bad weather.
_QUIET_WITHIN, _PATIENCE, _PATIENCE_IN_STORMS = 90.0, 20.0, 40.0

Street = TelegramStreet | MetaStreet | LineStreet | SmsStreet | DiscordStreet | WebChatStreet


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to play."""

    #: of `CHANNELS`
    channels: tuple[str, ...] = CHANNELS
    #: at once, on all channels together
    customer_count: int = 20
    #: that customers write for; none: until somebody stops it
    seconds: float | None = 60.0
    seed: int = 1
    #: one of `FAULTS`
    faults: str = "light"


async def play(plan: Plan, folder: Path, model: Path, began: Callable[[str], None]) -> Report:
    """Play it with Tandem's state in `folder`; `began` is told where Tandem is once customers write.

    Raises `DiedError` when Tandem does not come up. Cancelled while customers write, it still comes to its report.
    """
    dice = random.Random(plan.seed)
    tandem = Tandem(folder=folder, model=model)
    async with AsyncExitStack() as stack:
        streets = await stack.enter_async_context(_streets(plan.channels, FAULTS[plan.faults], dice))
        environ = {name: value for street in streets.values() for name, value in street.environ.items()}
        await stack.enter_async_context(tandem.running(environ))
        for street in streets.values():
            if isinstance(street, WebChatStreet):
                street.url = tandem.url
        patience = _PATIENCE if FAULTS[plan.faults].is_fair else _PATIENCE_IN_STORMS
        crowd = Crowd(channels=streets, seed=plan.seed, count=plan.customer_count, patience=patience)
        began(tandem.url)
        await _write(crowd, plan.seconds)
        is_quiet = await _settle(streets, tandem)
        kept = await asyncio.to_thread(tandem.kept)
        return report({name: crowd.chats.get(name, []) for name in streets}, kept, is_quiet=is_quiet)


async def _write(crowd: Crowd, seconds: float | None) -> None:
    writing = asyncio.create_task(crowd.write())
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({writing}, timeout=seconds)
    crowd.closing.set()
    await writing


async def _settle(streets: dict[str, Street], tandem: Tandem) -> bool:
    """Wait until nothing is on its way in either direction; return whether it came to that."""
    try:
        async with asyncio.timeout(_QUIET_WITHIN):
            # What Tandem says may bring further reports, and these are worked off too.
            for _ in range(2):
                for street in streets.values():
                    await street.idle()
                if not await tandem.until_quiet(_QUIET_WITHIN):
                    return False
            for street in streets.values():
                if isinstance(street, WebChatStreet):
                    for page in street.open_pages:
                        await page.look()
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def _streets(
    channels: tuple[str, ...], weather: Weather, dice: random.Random
) -> AsyncIterator[dict[str, Street]]:
    """Run the channels until the context ends."""
    async with AsyncExitStack() as stack:
        made: dict[str, Street] = {}
        metas = [channel for channel in channels if channel in graph_street.CHANNELS]
        if metas:
            made |= await stack.enter_async_context(graph_street.streets(metas, weather, dice))
        if telegram_street.CHANNEL in channels:
            made["telegram"] = await stack.enter_async_context(telegram_street.street(weather, dice))
        if line_street.CHANNEL in channels:
            made["line"] = await stack.enter_async_context(line_street.street(weather, dice))
        if sms_street.CHANNEL in channels:
            made["sms"] = await stack.enter_async_context(sms_street.street(weather, dice))
        discords = [channel for channel in channels if channel in discord_street.CHANNELS]
        if discords:
            made |= await stack.enter_async_context(discord_street.streets(discords, weather, dice))
        if webchat_street.CHANNEL in channels:
            made["webchat"] = await stack.enter_async_context(webchat_street.street(weather, dice))
        yield {channel: made[channel] for channel in channels}
