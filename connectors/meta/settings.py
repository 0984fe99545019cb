"""The accounts at Meta, as an operator writes them: Messenger, Instagram, WhatsApp."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SecretStr

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector
from connectors.meta import comments as meta_comments
from connectors.meta import instagram, messenger, whatsapp_events
from connectors.meta.account import GRAPH_URL
from connectors.meta.instagram import InstagramAccount, InstagramConnector
from connectors.meta.messenger import MessengerAccount, MessengerConnector
from connectors.meta.whatsapp import WhatsAppAccount, WhatsAppConnector
from connectors.meta.whatsapp_payloads import Template
from connectors.setup import ChannelSettings, Facilities, shown

INSTAGRAM_URL = "https://graph.instagram.com"
_NEEDED = ("token", "app_secret", "verify_token")


class MetaSettings(ChannelSettings):
    """What every account needs."""

    is_called: ClassVar = True
    made_up: ClassVar = ("verify_token",)

    #: access token; none: no such channel
    token: SecretStr | None = None
    #: of the Meta app: what webhook calls are signed with
    app_secret: SecretStr | None = None
    #: any words of ours, which Meta shows when the webhook is set up
    verify_token: SecretStr | None = None
    #: number of the Meta app; none: the webhook is set up by hand
    app_id: str | None = None
    base_url: str = GRAPH_URL
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    def _common(self, account: str, facilities: Facilities) -> dict[str, Any]:
        """Return what every account at Meta has."""
        return {
            "id": AccountId(account),
            "token": shown(self.token),
            "app_secret": shown(self.app_secret),
            "verify_token": shown(self.verify_token),
            "webhook_url": facilities.webhook_url(self.section, account) or "",
            "app_id": self.app_id,
            "proxy_url": shown(self.proxy_url) or None,
        }


class MessengerSettings(MetaSettings):
    """One Facebook page."""

    section: ClassVar = "messenger"
    titles: ClassVar = {messenger.CHANNEL: "Messenger", meta_comments.PAGE: "Facebook comments"}
    needed: ClassVar = (*_NEEDED, "page_id")

    #: number of the page
    page_id: str = ""
    #: what stands behind m.me/ in the page's link: for links that lead to it
    page_name: str | None = None
    #: whether Meta has granted the app "Human Agent": then people may answer for seven days
    has_human_agent: bool = False
    #: whether comments are answered too, where everybody reads them
    has_comments: bool = False

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the page's connector."""
        account = MessengerAccount(
            **self._common(self.page_id, facilities),
            base_url=self.base_url,
            has_human_agent=self.has_human_agent,
            page_name=self.page_name,
            has_comments=self.has_comments,
        )
        connector = MessengerConnector(account, facilities.media)
        return connector, *connector.beside()


class InstagramSettings(MetaSettings):
    """One professional account."""

    section: ClassVar = "instagram"
    titles: ClassVar = {instagram.CHANNEL: "Instagram", meta_comments.INSTAGRAM: "Instagram comments"}
    needed: ClassVar = (*_NEEDED, "account_id")

    #: number of the Instagram account
    account_id: str = ""
    #: number of the Facebook page it is linked to; none: the token is of Instagram's own log-in
    page_id: str | None = None
    #: whether Meta has granted the app "Human Agent": then people may answer for seven days
    has_human_agent: bool = False
    #: whether comments are answered too, where everybody reads them
    has_comments: bool = False

    @property
    def url(self) -> str:
        """Where the account is spoken to: accounts without a page have a server of their own."""
        return INSTAGRAM_URL if self.page_id is None and self.base_url == GRAPH_URL else self.base_url

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the account's connector."""
        account = InstagramAccount(
            **self._common(self.account_id, facilities),
            base_url=self.url,
            page=self.page_id,
            has_human_agent=self.has_human_agent,
            has_comments=self.has_comments,
        )
        connector = InstagramConnector(account, facilities.media)
        return connector, *connector.beside()


class WhatsAppSettings(MetaSettings):
    """One phone number."""

    section: ClassVar = "whatsapp"
    titles: ClassVar = {whatsapp_events.CHANNEL: "WhatsApp"}
    needed: ClassVar = (*_NEEDED, "phone_number_id", "business_account_id")

    #: Meta's number of the phone number; not the one that people dial
    phone_number_id: str = ""
    #: number of the WhatsApp Business account it belongs to
    business_account_id: str = ""
    #: the phone number as it is dialled, with its country: for links that lead to it
    dialled: str | None = None
    #: name of an approved template with one blank, for what people write after a day; none: they have to wait
    template: str | None = None
    #: language of the template, as Meta's dashboard writes it
    template_language: str = "en"

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the number's connector."""
        template = Template(name=self.template, language=self.template_language) if self.template else None
        account = WhatsAppAccount(
            **self._common(self.phone_number_id, facilities),
            base_url=self.base_url,
            business_account_id=self.business_account_id,
            dialled=self.dialled,
            template=template,
        )
        return (WhatsAppConnector(account, facilities.media),)
