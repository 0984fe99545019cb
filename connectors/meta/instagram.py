"""Instagram: direct messages to a professional account.

Two set-ups: linked to a Facebook page, with that page's token (files are uploaded), or by Instagram's own log-in.
https://developers.facebook.com/documentation/business-messaging/instagram-messaging
https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

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

CHANNEL = ChannelName("instagram")
#: https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message
_SHOWN = frozenset(
    {
        *("image/png", "image/jpeg", "image/gif"),
        *("audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav", "audio/x-wav"),
        *("video/mp4", "video/ogg", "video/x-msvideo", "video/quicktime", "video/webm"),
    }
)


@dataclass(frozen=True, kw_only=True)
class InstagramAccount(MessagingAccount):
    """One professional account."""

    section: ClassVar[str] = "instagram"

    #: the Facebook page it is linked to; none: the token is of Instagram's own log-in
    page: str | None = None

    def __post_init__(self) -> None:
        """Refuse what Meta would refuse."""
        super().__post_init__()
        if self.page is not None and not re.fullmatch(r"[0-9]{1,40}", self.page):
            raise SettingsError("instagram.page_id must be the number of the Facebook page")

    @property
    def node(self) -> str:
        """The page, where there is one."""
        return self.page or self.id

    @property
    def node_fields(self) -> tuple[str, ...]:
        """A page knows no fields of Instagram's, but has to be subscribed to; edits are the webhook's own."""
        return (
            ("messages",) if self.page else ("messages", "messaging_postbacks", "messaging_seen", "message_reactions")
        )

    @property
    def page_id(self) -> str | None:
        """The linked page."""
        return self.page

    @property
    def can_upload(self) -> bool:
        """Files are uploaded to the page."""
        return self.page is not None


class InstagramConnector(MessagingConnector):
    """Speaks for one account."""

    object_name = "instagram"
    webhook_fields = ("messages", "messaging_postbacks", "messaging_seen", "message_reactions", "message_edit")
    platform = "instagram"
    name_fields = ("name",)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def capabilities(self) -> Capabilities:
        """What an account can send; of files, Instagram shows pictures, sound and film.

        By Instagram's own log-in nothing is uploaded: Instagram fetches the files from us.
        """
        return Capabilities(
            text_max=1000,
            text_unit=TextUnit.BYTES,
            choices_max=13,
            choice_title_max=20,
            attachments=frozenset({AttachmentKind.IMAGE, AttachmentKind.AUDIO, AttachmentKind.VIDEO}),
            attachment_types=_SHOWN,
            attachment_max_bytes=8_000_000,
            fetches_files=not self._account.can_upload,
            has_edits=True,
            has_quotes=True,
            reply_window=timedelta(hours=24),
            people_window=timedelta(days=7) if self._account.has_human_agent else None,
        )
