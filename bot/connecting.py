"""Builds a connector for each channel account that the settings name."""

from __future__ import annotations

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector
from bot.domain.ports import MediaStore
from bot.settings import Settings, TelegramSettings
from connectors.telegram import TelegramAccount, TelegramConnector
from connectors.webchat import WebChatConnector

#: The account name of the web chat on the brand's own site.
SITE = AccountId("site")


def connectors_of(settings: Settings, webchat: WebChatConnector, media: MediaStore) -> tuple[Connector, ...]:
    """Return the connectors of all accounts that are set; `webchat` is among them unless it is switched off."""
    made: list[Connector] = []
    if settings.webchat.is_enabled:
        made.append(webchat)
    if settings.telegram.token is not None:
        made.append(_telegram(settings.telegram, settings.telegram.token.get_secret_value(), settings, media))
    return tuple(made)


def _telegram(telegram: TelegramSettings, token: str, settings: Settings, media: MediaStore) -> TelegramConnector:
    public_url = settings.service.public_url
    account = TelegramAccount(
        token=token,
        webhook_url=f"{public_url}/webhooks/telegram/{token.partition(':')[0]}" if public_url else None,
        webhook_secret=telegram.webhook_secret.get_secret_value() if telegram.webhook_secret else "",
        base_url=telegram.base_url,
        proxy_url=telegram.proxy_url.get_secret_value() if telegram.proxy_url else None,
    )
    return TelegramConnector(account, media)
