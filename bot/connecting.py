"""Builds a connector for each channel account that the settings name."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector
from bot.domain.ports import MediaStore
from bot.meta_settings import InstagramSettings, MessengerSettings, MetaSettings, WhatsAppSettings
from bot.settings import Settings, TelegramSettings
from connectors.instagram import InstagramAccount, InstagramConnector
from connectors.messenger import MessengerAccount, MessengerConnector
from connectors.telegram import TelegramAccount, TelegramConnector
from connectors.webchat import WebChatConnector
from connectors.whatsapp import WhatsAppAccount, WhatsAppConnector
from connectors.whatsapp_payloads import Template

#: The account name of the web chat on the brand's own site.
SITE = AccountId("site")


def connectors_of(settings: Settings, webchat: WebChatConnector, media: MediaStore) -> tuple[Connector, ...]:
    """Return the connectors of all accounts that are set; `webchat` is among them unless it is switched off."""
    made: list[Connector] = []
    public_url = settings.service.public_url
    if settings.webchat.is_enabled:
        made.append(webchat)
    if settings.telegram.token is not None:
        made.append(_telegram(settings.telegram, settings.telegram.token.get_secret_value(), public_url, media))
    if settings.messenger.token is not None:
        made.append(_messenger(settings.messenger, public_url, media))
    if settings.instagram.token is not None:
        made.append(_instagram(settings.instagram, public_url, media))
    if settings.whatsapp.token is not None:
        made.append(_whatsapp(settings.whatsapp, public_url, media))
    return tuple(made)


def _telegram(telegram: TelegramSettings, token: str, public_url: str | None, media: MediaStore) -> TelegramConnector:
    account = TelegramAccount(
        token=token,
        webhook_url=f"{public_url}/webhooks/telegram/{token.partition(':')[0]}" if public_url else None,
        webhook_secret=_shown(telegram.webhook_secret),
        base_url=telegram.base_url,
        proxy_url=_shown(telegram.proxy_url) or None,
    )
    return TelegramConnector(account, media)


def _messenger(messenger: MessengerSettings, public_url: str | None, media: MediaStore) -> MessengerConnector:
    common = _meta(messenger, messenger.page_id, public_url)
    account = MessengerAccount(**common, base_url=messenger.base_url, has_human_agent=messenger.has_human_agent)
    return MessengerConnector(account, media)


def _instagram(instagram: InstagramSettings, public_url: str | None, media: MediaStore) -> InstagramConnector:
    account = InstagramAccount(
        **_meta(instagram, instagram.account_id, public_url),
        base_url=instagram.url,
        page=instagram.page_id,
        has_human_agent=instagram.has_human_agent,
    )
    return InstagramConnector(account, media)


def _whatsapp(whatsapp: WhatsAppSettings, public_url: str | None, media: MediaStore) -> WhatsAppConnector:
    template = Template(name=whatsapp.template, language=whatsapp.template_language) if whatsapp.template else None
    account = WhatsAppAccount(
        **_meta(whatsapp, whatsapp.phone_number_id, public_url),
        base_url=whatsapp.base_url,
        business_account_id=whatsapp.business_account_id,
        template=template,
    )
    return WhatsAppConnector(account, media)


def _meta(settings: MetaSettings, account: str, public_url: str | None) -> dict[str, Any]:
    """Return what every account at Meta has."""
    return {
        "id": AccountId(account),
        "token": _shown(settings.token),
        "app_secret": _shown(settings.app_secret),
        "verify_token": _shown(settings.verify_token),
        "webhook_url": f"{public_url}/webhooks/{settings.section}/{account}",
        "app_id": settings.app_id,
        "proxy_url": _shown(settings.proxy_url) or None,
    }


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
