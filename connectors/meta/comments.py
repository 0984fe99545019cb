"""What people write below a page's posts and an Instagram account's pictures, and where they name the account; pure.

An address is one post and one author, so that what one person writes below one post is one conversation.

https://developers.facebook.com/docs/graph-api/webhooks/reference/page/#feed
https://developers.facebook.com/docs/instagram-platform/webhooks#comments
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, Withdrawal
from connectors.batches import NotForUsError
from connectors.fields import Fields
from connectors.meta.account import address

PAGE, INSTAGRAM = ChannelName("messenger-comments"), ChannelName("instagram-comments")
#: What Meta calls the private channel → the public one beside it.
BESIDE = {"page": PAGE, "instagram": INSTAGRAM}
#: Fields of a webhook that bring comments, by what Meta calls the private channel.
FIELDS = {"page": ("feed",), "instagram": ("comments", "mentions")}
#: What an answer has to name: the comment, and of a mention the post that it stands below.
COMMENT, MEDIA = "comment", "media"
#: What stands for the words of a mention, until they are asked for.
MENTION = "mention:"
ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Comments:
    """Reads what one account's webhook tells of comments; pure."""

    channel: ChannelName
    account: AccountId

    def read(self, field: str, value: Fields, at: int) -> list[InboundEvent]:
        """Return what a change of that field means; `at` is when the call was first made."""
        if field == "feed":
            return self._below_a_post(value, at)
        return self._mention(value) if field == "mentions" else self._below_a_picture(value)

    def _below_a_post(self, value: Fields, at: int) -> list[InboundEvent]:
        item, verb = value.text("item", "unknown"), value.text("verb", "unknown")
        if item != "comment" or verb not in {"add", "edited", "remove"}:
            raise NotForUsError(f"feed.{item}.{verb}")
        comment = _checked(value.text("comment_id"))
        where = self._where(value, value.text("post_id", "") or comment, comment)
        if verb == "remove":
            return [Withdrawal(address=where, external_id=f"removed:{comment}", of_external_id=comment)]
        text, is_edit = value.text("message", ""), verb == "edited"
        files = _files(value)
        if not (text or files):
            raise NotForUsError("feed.comment.empty")
        return [
            InboundMessage(
                address=where,
                external_id=f"edited:{comment}:{at}" if is_edit else comment,
                text=text,
                attachments=files,
                edits=comment if is_edit else None,
                display_name=value.object("from").text("name", "") or None if "from" in value else None,
                sent_at=value.moment("created_time", 1) if "created_time" in value and not is_edit else None,
                reply_context={COMMENT: comment},
            )
        ]

    def _below_a_picture(self, value: Fields) -> list[InboundEvent]:
        comment, text = _checked(value.text("id")), value.text("text", "")
        if not text:
            raise NotForUsError("comments.empty")
        media = value.object("media").text("id", "") if "media" in value else ""
        where = self._where(value, media or comment, comment)
        return [
            InboundMessage(
                address=where,
                external_id=comment,
                text=text,
                display_name=value.object("from").text("username", "") or None if "from" in value else None,
                reply_context={COMMENT: comment},
            )
        ]

    def _mention(self, value: Fields) -> list[InboundEvent]:
        """Return a message whose words are a file: a mention does not tell them, and has to be asked for."""
        media, comment = _checked(value.text("media_id")), value.text("comment_id", "")
        context = {MEDIA: media} | ({COMMENT: _checked(comment)} if comment else {})
        reference = f"{MENTION}{media}:{comment}"
        words = Attachment(kind=AttachmentKind.FILE, reference=reference, name="what names us.txt")
        return [
            InboundMessage(
                address=address(self.channel, self.account, f"{media}:{comment or media}"),
                external_id=f"mention:{comment or media}",
                attachments=(words,),
                reply_context=context,
            )
        ]

    def _where(self, value: Fields, thread: str, comment: str) -> ChannelAddress:
        """Return the address of who wrote a comment; Meta does not name everybody, who then is known by the comment."""
        author = value.object("from").text("id", "") if "from" in value else ""
        if author == self.account:
            # Whom the brand answered there, the call does not say.
            raise NotForUsError("comment.from_ourselves")
        return address(self.channel, self.account, f"{thread}:{author or comment}")


def _checked(external_id: str) -> str:
    """Return an id that can stand in an address and in a path; raises `MalformedWebhookError`."""
    if not ID.fullmatch(external_id):
        raise MalformedWebhookError("a comment's id is no id")
    return external_id


def _files(value: Fields) -> tuple[Attachment, ...]:
    photo, video = value.text("photo", ""), value.text("video", "")
    made = [(photo, AttachmentKind.IMAGE, "photo"), (video, AttachmentKind.VIDEO, "video")]
    return tuple(Attachment(kind=kind, reference=url, name=name) for url, kind, name in made if url)
