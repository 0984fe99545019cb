"""Comments of a WordPress site as inbound events; pure.

https://developer.wordpress.org/rest-api/reference/comments/, read with `context=edit`.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Echo, InboundEvent, InboundMessage
from connectors.batches import NotForUsError, digest_of, read_all
from connectors.fields import Fields, load
from connectors.markup import text_of

CHANNEL = ChannelName("wordpress-comments")
#: What a comment is called that one reader writes to another; pings of other sites have other types.
_COMMENT = "comment"
_BORDER = ":"


@dataclass(frozen=True, kw_only=True)
class Comments:
    """Whose comments a page may bring."""

    account: AccountId
    #: the user that we answer as; none: not known yet
    user_id: int | None = None

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the approved comments of a page, oldest first; raises `MalformedWebhookError`."""
        items = comments_in(body)
        known = _numbered(items)
        return read_all(((each, lambda item: [self._comment(item, known)]) for each in items), digest_of(body))

    def _comment(self, comment: Fields, known: dict[int, Fields]) -> InboundEvent:
        if (kind := comment.text("type", _COMMENT)) != _COMMENT:
            raise NotForUsError(kind)
        if (state := comment.text("status", "approved")) != "approved":
            raise NotForUsError(f"comment.{state}")
        parent = known.get(comment.size("parent") or 0)
        user = comment.integer("author")
        if self.user_id is not None and user == self.user_id:
            return self._echo(comment, parent)
        number, post = comment.integer("id"), comment.integer("post")
        # Who answers another reader speaks to them; everybody else speaks to whoever writes the site.
        is_to_others = (comment.size("parent") or 0) > 0 and (parent is None or not self._is_ours(parent))
        return InboundMessage(
            address=self._address(comment),
            external_id=str(number),
            text=words_of(comment),
            display_name=comment.text("author_name", "") or None,
            sent_at=_moment(comment),
            reply_context={"post": str(post), "parent": str(number)},
            is_to_us=not is_to_others,
        )

    def _echo(self, comment: Fields, parent: Fields | None) -> Echo:
        """Return what was written under our name, by us or in WordPress itself, as told to whom it answers."""
        if parent is None or self._is_ours(parent):
            raise NotForUsError("own_comment")
        return Echo(
            address=self._address(parent),
            external_id=str(comment.integer("id")),
            text=words_of(comment),
            sent_at=_moment(comment),
        )

    def _is_ours(self, comment: Fields) -> bool:
        return self.user_id is not None and comment.integer("author") == self.user_id

    def _address(self, comment: Fields) -> ChannelAddress:
        return ChannelAddress(
            channel=CHANNEL, account=self.account, external_id=f"{comment.integer('post')}{_BORDER}{_author(comment)}"
        )


def _numbered(items: list[Fields]) -> dict[int, Fields]:
    found = {}
    for each in items:
        with suppress(MalformedWebhookError):
            found[each.integer("id")] = each
    return found


def comments_in(body: bytes) -> list[Fields]:
    """Return the comments of a page as `page_of` made it, oldest first; raises `MalformedWebhookError`."""
    return Fields(load(body)).objects("comments")[::-1]


def page_of(answer: bytes) -> bytes:
    """Return a page of comments, as the site answers with a list of them."""
    return b'{"comments": ' + answer + b"}"


def words_of(comment: Fields) -> str:
    """Return the words of a comment, without its mark-up."""
    content = comment.object("content")
    return text_of(content.text("rendered", "") or content.text("raw", ""))


def _author(comment: Fields) -> str:
    """Return what tells an author from others on this site: WordPress has no id for those who are not logged in."""
    user = comment.integer("author")
    if user > 0:
        return f"u{user}"
    shown = comment.text("author_email", "").strip().lower() or comment.text("author_name", "")
    return f"g{hashlib.blake2b(shown.encode('utf-8', 'replace'), digest_size=10).hexdigest()}"


def _moment(comment: Fields) -> datetime | None:
    try:
        at = datetime.fromisoformat(comment.text("date_gmt"))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedWebhookError("date_gmt is no moment") from None
