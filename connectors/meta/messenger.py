"""Facebook Messenger: a page and the people who write to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from bot.domain.channels import ChannelName
from bot.domain.connectors import Capabilities, TextUnit
from bot.domain.errors import SettingsError
from bot.domain.messages import AttachmentKind
from connectors.meta.messaging import MessagingAccount, MessagingConnector

CHANNEL = ChannelName("messenger")


@dataclass(frozen=True, kw_only=True)
class MessengerAccount(MessagingAccount):
    """One Facebook page; its token is a page access token."""

    section: ClassVar[str] = "messenger"

    #: what the page's m.me link ends with; none: no link leads to it
    page_name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is in no link."""
        super().__post_init__()
        if self.page_name is not None and not re.fullmatch(r"[A-Za-z0-9.]{1,100}", self.page_name):
            raise SettingsError("messenger.page_name is what stands behind m.me/ in the page's link")


class MessengerConnector(MessagingConnector):
    """Speaks for one page."""

    _account: MessengerAccount
    object_name = "page"
    has_metadata = True
    name_fields = ("first_name", "last_name")
    webhook_fields = (
        *("messages", "messaging_postbacks", "message_echoes", "message_deliveries", "message_reads"),
        *("message_edits", "message_reactions", "messaging_referrals"),
    )

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    def invitation_url(self, referral: str) -> str | None:
        """Return the page's link (business-messaging/messenger-platform/discovery/m-me-links)."""
        return f"https://m.me/{self._account.page_name}?ref={referral}" if self._account.page_name else None

    @property
    def capabilities(self) -> Capabilities:
        """What a page can send."""
        return Capabilities(
            text_max=2000,
            # Documented as characters; this fits whatever is counted.
            text_unit=TextUnit.UTF16,
            choices_max=13,
            choice_title_max=20,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=25_000_000,
            has_edits=True,
            has_quotes=True,
            reply_window=timedelta(hours=24),
            people_window=timedelta(days=7) if self._account.has_human_agent else None,
        )
