"""A Telegram bot, as an operator writes it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from bot.domain.connectors import Connector
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from connectors.telegram.updates import CHANNEL


class TelegramSettings(ChannelSettings):
    """One Telegram bot."""

    section: ClassVar = "telegram"
    titles: ClassVar = {CHANNEL: "Telegram"}
    needed: ClassVar = ("token",)
    made_up: ClassVar = ("webhook_secret",)

    #: from @BotFather; none: no Telegram
    token: SecretStr | None = None
    #: sent back by Telegram with each webhook call; needed with `service.public_url`
    webhook_secret: SecretStr | None = None
    #: what people find the bot by, without @: for links that lead to it
    username: str | None = None
    #: to all customers together; Telegram gives a bot thirty, and more for money. 0: as many as there are
    messages_per_second: int = Field(default=30, ge=0)
    base_url: str = "https://api.telegram.org"
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    def fit(self, public_url: str | None) -> None:
        """Return if Telegram can prove its calls."""
        if public_url and not self.webhook_secret:
            raise ValueError(
                "telegram.webhook_secret is missing: with service.public_url Telegram calls us, and must prove it"
            )

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the bot's connector."""
        token = shown(self.token)
        account = TelegramAccount(
            token=token,
            webhook_url=facilities.webhook_url(CHANNEL, token.partition(":")[0]),
            webhook_secret=shown(self.webhook_secret),
            username=self.username,
            messages_per_second=self.messages_per_second,
            base_url=self.base_url,
            proxy_url=shown(self.proxy_url) or None,
        )
        return (TelegramConnector(account, facilities.media),)
