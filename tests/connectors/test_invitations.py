"""Links that bring a referral into a private channel, and what comes of them."""

from __future__ import annotations

import pytest

from bot.connecting import SITE
from bot.domain.connectors import Inviting
from bot.domain.errors import SettingsError
from connectors.meta.settings import InstagramSettings, MessengerSettings, WhatsAppSettings
from connectors.setup import ChannelSettings, Facilities
from connectors.telegram.settings import TelegramSettings
from connectors.webchat.connector import VisitorKeys, WebChatConnector
from tests.fakes.cursors import MemoryCursors
from tests.fakes.feed import MemoryFeed
from tests.fakes.media import MemoryMedia
from tests.pipeline.rig import SetClock

META: dict[str, object] = {"token": "EAAG", "app_secret": "secret", "verify_token": "words"}
PHONE = META | {"phone_number_id": "277300000000001", "business_account_id": "264900000000001"}
PAGE = META | {"page_id": "100000000000001"}
REFERRAL = "join-b7kxr2mq9d"


def link(settings: ChannelSettings) -> str | None:
    """Return the link of an account's first connector; none without one."""
    facilities = Facilities(public_url="https://care.example", media=MemoryMedia(), cursors=MemoryCursors())
    connector = settings.connectors(facilities)[0]
    return connector.invitation_url(REFERRAL) if isinstance(connector, Inviting) else None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            TelegramSettings.model_validate({"token": "1:a", "webhook_secret": "s", "username": "copperleaf_bot"}),
            "https://t.me/copperleaf_bot?start=",
        ),
        (MessengerSettings.model_validate({**PAGE, "page_name": "copperleaf"}), "https://m.me/copperleaf?ref="),
        (WhatsAppSettings.model_validate({**PHONE, "dialled": "+44 20 7946-0000"}), "https://wa.me/442079460000?text="),
    ],
)
def test_accounts_with_a_name_have_a_link(settings: ChannelSettings, expected: str) -> None:
    """The link is the network's own, with the referral at its end."""
    assert link(settings) == f"{expected}{REFERRAL}"


@pytest.mark.parametrize(
    "settings",
    [
        TelegramSettings.model_validate({"token": "1:a", "webhook_secret": "s"}),
        MessengerSettings.model_validate({**PAGE}),
        WhatsAppSettings.model_validate({**PHONE}),
        InstagramSettings.model_validate({**META, "account_id": "17841400000000001"}),
    ],
)
def test_without_a_name_there_is_none(settings: ChannelSettings) -> None:
    """Where nobody has told what people find us by, or the network brings no referral, there is no link."""
    assert link(settings) is None


@pytest.mark.parametrize(
    "settings",
    [
        TelegramSettings.model_validate({"token": "1:a", "webhook_secret": "s", "username": "@copperleaf"}),
        MessengerSettings.model_validate({**PAGE, "page_name": "https://m.me/copperleaf"}),
        WhatsAppSettings.model_validate({**PHONE, "dialled": "our number"}),
    ],
)
def test_what_is_no_name_is_refused(settings: ChannelSettings) -> None:
    """A whole address, or words, are refused with what to write."""
    with pytest.raises(SettingsError):
        link(settings)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (None, None),
        ("https://shop.example/help", f"https://shop.example/help?invitation={REFERRAL}"),
        ("https://shop.example/?a=b", f"https://shop.example/?a=b&invitation={REFERRAL}"),
    ],
)
def test_the_chat_stands_on_a_page(page: str | None, expected: str | None) -> None:
    """The link into the web chat leads to its page, whatever stands in its address already."""
    keys = VisitorKeys(secret=b"a secret of thirty-two bytes or so")
    chat = WebChatConnector(account=SITE, keys=keys, feed=MemoryFeed(), clock=SetClock(), page=page)
    assert chat.invitation_url(REFERRAL) == expected
