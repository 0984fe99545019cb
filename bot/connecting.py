"""Builds a connector for each channel account that the settings name."""

from __future__ import annotations

from collections import Counter

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector
from bot.domain.errors import SettingsError
from bot.settings import Settings
from connectors.setup import Facilities
from connectors.webchat import WebChatConnector

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
