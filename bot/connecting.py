"""Builds a connector for each channel account that the settings name, and lets it bring what it fetches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from bot.domain.channels import AccountId
from bot.domain.connectors import CatchingUp, Connector, ConnectorRegistry, Polling, Registering, Sink
from bot.domain.errors import SettingsError
from bot.domain.ports import Clock
from bot.instance import service_secret
from bot.pipeline.receive import Receiver
from bot.settings import Settings
from bot.store.alone import alone
from bot.store.cursors import StoredCursors
from bot.store.database import Database
from bot.store.feeds import StoredFeed
from bot.store.media import StoredMedia
from connectors.setup import Facilities
from connectors.webchat.connector import VisitorKeys, WebChatConnector

log = structlog.get_logger()

#: The account name of the web chat on the brand's own site.
SITE = AccountId("site")


def connectors_of(settings: Settings, webchat: WebChatConnector, facilities: Facilities) -> tuple[Connector, ...]:
    """Return the connectors of all accounts that are set; `webchat` is among them unless it is switched off.

    Raises `SettingsError` for an account that cannot be, or that is set twice.
    """
    made: list[Connector] = [webchat] if settings.webchat.is_enabled else []
    for account in settings.accounts:
        made.extend(account.connectors(facilities))
    counts = Counter(f"{each.channel}/{each.account}" for each in made)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise SettingsError(f"{' and '.join(twice)} is set twice; remove one of the sections")
    return tuple(made)


def lone_facilities(settings: Settings, database: Database, clock: Clock) -> Facilities:
    """Return what connectors need that work outside a running service."""
    media = StoredMedia(database, clock, settings.service.state_dir / "media")
    return Facilities(public_url=settings.service.public_url, media=media, cursors=StoredCursors(database))


def lone_connectors(settings: Settings, database: Database, clock: Clock) -> tuple[Connector, ...]:
    """Return the connectors of all accounts that are set, for a look at them; nobody has the web chat's pages open."""
    secret = service_secret(settings.service.secret, settings.service.state_dir)
    feed = StoredFeed(database, clock, wake=_nobody, typing=_nobody)
    webchat = WebChatConnector(account=SITE, keys=VisitorKeys(secret=secret.encode()), feed=feed, clock=clock)
    return connectors_of(settings, webchat, lone_facilities(settings, database, clock))


def _nobody(_visitor: str) -> None:
    """Tell nobody."""


def bringing(connectors: ConnectorRegistry, database: Database, receiver: Receiver) -> list[Coroutine[Any, Any, None]]:
    """Return what sets up channels that call us and fetches from those that do not, each to run until cancelled."""

    async def bring(connector: Connector, fetch: Callable[[Sink], Awaitable[None]]) -> None:
        # In one process of all that share the database: channels refuse two pollers of one account.
        name = f"poll {connector.channel}/{connector.account}"
        await alone(database, name, lambda: fetch(lambda events: receiver.take(connector, events)))

    works: list[Coroutine[Any, Any, None]] = []
    for connector in connectors.connectors:
        if isinstance(connector, Registering):
            works.append(_register(connector))
        if isinstance(connector, Polling) and connector.is_polled:
            works.append(bring(connector, connector.poll))
        if isinstance(connector, CatchingUp):
            works.append(bring(connector, connector.catch_up))
    return works


async def _register(connector: Registering) -> None:
    try:
        await connector.register()
    except SettingsError as error:
        log.error("channel_not_registered", error=str(error))
