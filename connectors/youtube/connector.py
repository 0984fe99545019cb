"""YouTube: the comments below the brand's videos, and answers to them, by the Data API.

YouTube calls nobody: comments are fetched, within the units that Google grants a day.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    TextUnit,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.messages import InboundEvent, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import Cursors
from connectors.fields import Fields, load, storable
from connectors.moments import this_moment
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.uncalled import Uncalled
from connectors.youtube.api import Access, Units, YouTubeApi
from connectors.youtube.comments import CHANNEL, Comments, thread_of
from connectors.youtube.poll import CommentPoll, PollParts

#: Not documented; longer comments are refused as `commentTextTooLong`.
_TEXT_MAX = 9_000
#: The longest name that an answer begins with.
_CALL_MAX = 60


class YouTubeSettings(ChannelSettings):
    """One YouTube channel."""

    section: ClassVar = "youtube"
    titles: ClassVar = {CHANNEL: "YouTube comments"}
    needed: ClassVar = ("channel_id", "client_id", "client_secret", "refresh_token")

    #: id of the channel (UC…); none: no YouTube
    channel_id: str = ""
    #: what others call the channel, as @copperleaf: a comment that names it speaks to the brand
    handle: str = ""
    #: of the OAuth client in Google's console
    client_id: str = ""
    client_secret: SecretStr | None = None
    #: what the channel's owner granted: scope youtube.force-ssl
    refresh_token: SecretStr | None = None
    #: units that Google grants the project a day; an answer takes 50 of them
    units_a_day: int = Field(default=10_000, ge=100)
    base_url: str = "https://www.googleapis.com/youtube/v3"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("channel_id")
    @classmethod
    def _is_channel(cls, value: str) -> str:
        if value and not re.fullmatch(r"UC[A-Za-z0-9_-]{1,60}", value):
            raise ValueError("must be the id of the channel: it starts with UC (YouTube Studio, Settings, Advanced)")
        return value

    @field_validator("handle")
    @classmethod
    def _is_handle(cls, value: str) -> str:
        if value and not re.fullmatch(r"@\S{1,60}", value):
            raise ValueError("must be written as others write it: @copperleaf")
        return value

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the channel's connector."""
        return (YouTubeConnector(self, facilities.cursors),)


class YouTubeConnector(Uncalled):
    """Speaks for one channel. `sleep` waits between looks, `now` is the moment."""

    def __init__(
        self,
        account: YouTubeSettings,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        self._account = account
        self.units = Units(account.units_a_day, now)
        access = Access(
            client_id=account.client_id,
            client_secret=shown(account.client_secret),
            refresh_token=shown(account.refresh_token),
            token_url=account.token_url,
        )
        self._api = YouTubeApi(access, account.base_url, self.units, now, shown(account.proxy_url) or None)
        self._comments = Comments(account=self.account, handle=account.handle)
        parts = PollParts(
            api=self._api, comments=self._comments, units=self.units, cursors=cursors, now=now, sleep=sleep
        )
        self._poll = CommentPoll(parts)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The id of the brand's channel."""
        return AccountId(self._account.channel_id)

    @property
    def capabilities(self) -> Capabilities:
        """What a comment carries: words, which everybody reads."""
        return Capabilities(
            text_max=_TEXT_MAX,
            text_unit=TextUnit.UTF16,
            has_edits=True,
            is_public=True,
            has_reply_context=True,
        )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every comment of a page as it was fetched."""
        return self._comments.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; an answer to one of several who talk in a thread begins with their name."""
        call = message.reply_context.get("call", "")
        if call and len(call) <= _CALL_MAX:
            message = replace(message, text=f"{call} {message.text}")
        return plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:  # noqa: ARG002
        """Write one answer below a comment."""
        if not isinstance(operation, SendText):
            return Permanent(reason="comments on YouTube carry no files")
        snippet = {"parentId": thread_of(operation.address), "textOriginal": storable(operation.text)}
        return _sent(await self._api.write("POST", "comments", {"part": "snippet"}, {"snippet": snippet}))

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Show another text in the place of one."""
        body = {"id": external_id, "snippet": {"textOriginal": storable(operation.text)}}
        answer = await self._api.write("PUT", "comments", {"part": "snippet"}, body)
        return Sent(external_id=external_id) if isinstance(answer, bytes) else answer

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a comment of ours."""
        answer = await self._api.write("DELETE", "comments", {"id": external_id})
        if isinstance(answer, bytes) or (isinstance(answer, Permanent) and answer.code == "commentNotFound"):
            return Sent(external_id=external_id)
        return answer

    @property
    def is_polled(self) -> bool:
        """Always: YouTube calls nobody."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Fetch comments until cancelled."""
        await self._poll.run(sink)

    async def check(self) -> str:
        """Return one line on the account and its units; raises `SettingsError` that says what to fix."""
        answer = await self._api.get("channels", {"part": "snippet", "mine": "true"})
        if not isinstance(answer, bytes):
            raise SettingsError(f"youtube: {answer.reason}")
        try:
            mine = Fields(load(answer)).objects("items")
            names = {each.text("id"): each.object("snippet").text("title", "unnamed") for each in mine}
        except MalformedWebhookError as error:
            raise SettingsError(f"YouTube answers something else than expected: {error}") from None
        if self.account not in names:
            others = ", ".join(names) or "none"
            raise SettingsError(f"youtube: the token is not of the channel {self.account}, but of {others}")
        left = f"{self.units.left} of {self._account.units_a_day} units of today left"
        return f"{names[self.account]} ({self.account}), {left}, looks every {self._poll.pause().seconds} s"

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def _sent(answer: bytes | SendResult) -> SendResult:
    if not isinstance(answer, bytes):
        return answer
    try:
        return Sent(external_id=Fields(load(answer)).text("id"))
    except MalformedWebhookError:
        return Ambiguous(reason="YouTube's answer names no comment")
