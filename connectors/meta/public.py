"""Answers to comments and mentions: public channels of their own, `messenger-comments` and `instagram-comments`.

The private account's webhook brings their events.

https://developers.facebook.com/docs/graph-api/reference/comment
https://developers.facebook.com/docs/instagram-platform/comment-moderation
https://developers.facebook.com/docs/instagram-platform/private-replies
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Permanent,
    Refusal,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    TextUnit,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError
from bot.domain.messages import Attachment, InboundEvent, OutboundMessage
from bot.domain.planning import plan
from connectors.downloads import NotNowError, attempt
from connectors.fields import Fields, storable
from connectors.meta import account as meta
from connectors.meta import files as meta_files
from connectors.meta.account import KEY_MARK, MetaAccount
from connectors.meta.api import Failure, GraphApi
from connectors.meta.comments import COMMENT, ID, MEDIA, MENTION, PAGE


class CommentsConnector:
    """Answers comments for one account, whose private messages another connector has."""

    def __init__(
        self,
        account: MetaAccount,
        channel: ChannelName,
        node: str,
        parse: Callable[[bytes], list[InboundEvent]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Send private replies as `node`, and read calls by `parse`."""
        self._account = account
        self._channel = channel
        self._node = node
        self._parse = parse
        self._sleep = sleep
        self._api = GraphApi(account)
        self._downloads = meta_files.downloads(account, sleep)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return self._channel

    @property
    def account(self) -> AccountId:
        """Meta's number of the account."""
        return self._account.id

    @property
    def capabilities(self) -> Capabilities:
        """What a comment carries: text. Instagram takes 300 characters; Facebook's limit is not documented."""
        is_page = self._channel == PAGE
        return Capabilities(
            text_max=8000 if is_page else 300,
            text_unit=TextUnit.UTF16,
            has_edits=is_page,
            is_public=True,
            has_reply_context=True,
            debounce=timedelta(),
        )

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Answer Meta's handshake."""
        return meta.challenge(request, self._account.verify_token)

    def verify(self, request: WebhookRequest) -> None:
        """Return if the body is signed with the app's secret."""
        meta.verify(request, self._account.app_secret)

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of every entry, private ones too: they share the webhook."""
        return self._parse(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the comments that say it."""
        return plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:  # noqa: ARG002 - Meta takes no key here
        """Answer the comment that the operation's context names, where everybody reads it."""
        if isinstance(operation, SendAttachment):
            return Permanent(reason="a comment carries no file of ours")
        comment, media = operation.reply_context.get(COMMENT, ""), operation.reply_context.get(MEDIA, "")
        body: dict[str, object] = {"message": storable(operation.text)}
        if media:
            # https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/mentions
            path = f"{self.account}/mentions"
            body |= {"media_id": media} | ({"comment_id": comment} if comment else {})
        elif ID.fullmatch(comment):
            path = f"{comment}/{'comments' if self._channel == PAGE else 'replies'}"
        else:
            return Permanent(reason="it is not known any more which comment this answers")
        return _sent(await self._api.post(path, body), "id")

    async def reply_privately(self, operation: SendText, key: str) -> SendResult:
        """Send the comment's author a private message: one for each comment, and within seven days of it."""
        comment = operation.reply_context.get(COMMENT, "")
        if not ID.fullmatch(comment):
            return Permanent(reason="only comments can be answered in private")
        # So that the echo is known to be ours; Instagram takes none.
        metadata = {"metadata": KEY_MARK + key} if self._channel == PAGE else {}
        body = {
            "recipient": {"comment_id": comment},
            "messaging_type": "RESPONSE",
            "message": {"text": storable(operation.text), **metadata},
        }
        answer = await self._api.post(f"{self._node}/messages", body)
        result = _sent(answer, "message_id")
        person = answer.aside("recipient_id") if isinstance(answer, Fields) else None
        if not isinstance(result, Sent) or person is None:
            return result
        private = ChannelName(self._channel.removesuffix("-comments"))
        return replace(result, reached=ChannelAddress(channel=private, account=self.account, external_id=person))

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a comment of ours; one that Meta does not know any more is gone already."""
        answer = await self._api.delete(external_id)
        is_gone = isinstance(answer, Permanent) and answer.code == "100/33"
        return Sent(external_id=external_id) if isinstance(answer, Fields) or is_gone else answer

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a picture's bytes, or the words in which somebody names us."""
        if not attachment.reference.startswith(MENTION):
            return await self._downloads.get(attachment.reference)
        media, _, comment = attachment.reference.removeprefix(MENTION).partition(":")
        return await attempt(lambda: self._words(media, comment), self._sleep)

    async def _words(self, media: str, comment: str) -> bytes:
        wanted, members = (
            (f"mentioned_comment.comment_id({comment})", "text,username")
            if comment
            else (f"mentioned_media.media_id({media})", "caption,username,permalink")
        )
        answer = await self._api.get(self.account, {"fields": f"{wanted}{{{members}}}"})
        if isinstance(answer, Permanent):
            raise MediaError(answer.reason)
        if not isinstance(answer, Fields):
            raise NotNowError(answer.reason)
        try:
            found = answer.object(wanted.partition(".")[0])
            said = [f"@{found.text('username', 'somebody')}:", found.text("text", "") or found.text("caption", "")]
            return " ".join(filter(None, [*said, found.text("permalink", "")])).encode()
        except MalformedWebhookError:
            raise NotNowError("Instagram does not tell what was said") from None

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
        await self._downloads.close()


class PageCommentsConnector(CommentsConnector):
    """Answers comments for a page: Facebook lets comments be changed, which Instagram does not."""

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Change a comment of ours."""
        answer = await self._api.post(external_id, {"message": storable(operation.text)})
        return Sent(external_id=external_id) if isinstance(answer, Fields) else answer


def _sent(answer: Fields | Failure, member: str) -> SendResult:
    if not isinstance(answer, Fields):
        return answer
    try:
        return Sent(external_id=answer.text(member))
    except MalformedWebhookError:
        return Ambiguous(reason="Meta's answer names no comment")
