"""Builds a connector for each channel account that the settings name."""

from __future__ import annotations

from collections import Counter

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector
from bot.domain.errors import SettingsError
from bot.domain.ports import Clock
from bot.instance import service_secret
from bot.settings import Settings
from bot.store.cursors import StoredCursors
from bot.store.database import Database
from bot.store.feeds import StoredFeed
from bot.store.media import StoredMedia
from connectors.setup import Facilities
from connectors.webchat import VisitorKeys, WebChatConnector

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
