"""An account on X, as an operator writes it."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.domain.connectors import Connector
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.x.connector import API_URL, Office, XAccount, XConnector, XMentionsConnector
from connectors.x.events import CHANNEL, MENTIONS
from connectors.x.oauth import Credentials


class XSettings(ChannelSettings):
    """One account on X."""

    section: ClassVar = "x"
    titles: ClassVar = {CHANNEL: "X", MENTIONS: "X mentions"}
    needed: ClassVar = ("access_token", "access_token_secret", "consumer_key", "consumer_secret")
    is_called: ClassVar = True

    #: API key of the app
    consumer_key: SecretStr | None = None
    #: API key secret of the app: what X signs its calls with
    consumer_secret: SecretStr | None = None
    #: of the account, by OAuth 1.0a: its number, a hyphen, letters; none: no X
    access_token: SecretStr | None = None
    #: the secret beside it
    access_token_secret: SecretStr | None = None
    #: OAuth 2.0 client secret of the app, if it has one: X signs with it as well
    client_secret: SecretStr | None = None
    #: OAuth 2.0 token of the account, for one start: only if X refuses to tell us of messages without it
    user_token: SecretStr | None = None
    #: whether mentions, answers and quotes are heard and answered too
    has_mentions: bool = True
    base_url: str = API_URL
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    def fit(self, public_url: str | None) -> None:
        """Return if X can call the address."""
        super().fit(public_url)
        parts = urlsplit(public_url or "")
        if parts.scheme != "https" or parts.port is not None:
            raise ValueError("service.public_url: X calls https addresses without a port only")

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the connector of the messages, whose webhook brings all, and that of what is said in public."""
        credentials = Credentials(
            consumer_key=shown(self.consumer_key),
            consumer_secret=shown(self.consumer_secret),
            token=shown(self.access_token),
            token_secret=shown(self.access_token_secret),
        )
        account = XAccount(
            credentials=credentials,
            client_secret=shown(self.client_secret),
            user_token=shown(self.user_token),
            has_mentions=self.has_mentions,
            webhook_url=facilities.webhook_url(CHANNEL, credentials.token.partition("-")[0]) or "",
            base_url=self.base_url,
            proxy_url=shown(self.proxy_url) or None,
        )
        office = Office(account, facilities.media, facilities.cursors)
        messages = XConnector(office)
        return (messages, XMentionsConnector(office)) if self.has_mentions else (messages,)
