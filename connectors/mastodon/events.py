"""What a Mastodon server tells an account, as inbound events; pure.

A body is a page as `connectors.mastodon.poll` puts it together: {"notifications": […], "own": […], "again": […],
"roots": {status id: id of the status that its thread began with}}, lists newest first as they are fetched.
https://docs.joinmastodon.org/entities/Notification/, https://docs.joinmastodon.org/entities/Status/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind, Echo, InboundEvent, InboundMessage, Reaction
from connectors.batches import NotForUsError, Read, digest_of, read_all
from connectors.fields import Fields, load
from connectors.markup import text_of

CHANNEL = ChannelName("mastodon")
MENTIONS = ChannelName("mastodon-mentions")
#: The visibility of what only those named can read.
DIRECT = "direct"
#: What an answer has to carry: the status that it answers, who wrote that, who may read it, and its warning.
STATUS, ACCT, VISIBILITY, WARNING = "status", "acct", "visibility", "warning"
_WARNING_MAX = 100
_FAVOURITE = "⭐"
#: https://docs.joinmastodon.org/entities/MediaAttachment/#type
_KINDS = {
    "image": AttachmentKind.IMAGE,
    "gifv": AttachmentKind.VIDEO,
    "video": AttachmentKind.VIDEO,
    "audio": AttachmentKind.AUDIO,
}
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ACCT = re.compile(r"[^\s@/]{1,200}(@[^\s@/]{1,200})?")
_MENTION = re.compile(
    r"@(?P<name>[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[a-z0-9.-]*[a-z0-9])?(?=\s|$|[^\w@.-])\s*", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Whose notifications a page brings."""

    #: as in "care@mastodon.example"
    account: AccountId
    #: what the server calls the app that we write by: what it wrote is ours; empty: not known
    app: str = ""
    #: whether what is said in public is heard too
    has_mentions: bool = True

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return what a page means, oldest first; raises `MalformedWebhookError`."""
        page = Fields(load(body))
        roots = page.object("roots") if "roots" in page else Fields({})
        items: list[tuple[Fields, Read]] = []
        for name, read in (("notifications", self._notification), ("own", self._own), ("again", self._again)):
            items += [(each, _with(read, roots)) for each in reversed(page.objects(name))]
        if not items and not any(name in page for name in ("notifications", "own", "again")):
            raise MalformedWebhookError("the body is no page of a Mastodon server's")
        return read_all(items, digest_of(body))

    def _notification(self, item: Fields, roots: Fields) -> list[InboundEvent]:
        kind = item.text("type")
        match kind:
            case "mention" | "quote":
                return [self._message(item.object("status"), roots)]
            case "favourite":
                return [self._favourite(item, roots)]
            case "update" | "quoted_update":
                return self._again(item.object("status"), roots)
        raise NotForUsError(kind)

    def _message(self, status: Fields, roots: Fields) -> InboundMessage:
        author = status.object("account")
        spoiler = status.text("spoiler_text", "")
        words = "\n".join([self._words(status, {self._name}), *_elsewhere(status)]).strip()
        return InboundMessage(
            address=self._address(status, author, roots),
            external_id=_id(status),
            text=f"{spoiler}\n\n{words}".strip() if spoiler else words,
            attachments=_attachments(status),
            display_name=author.text("display_name", "") or author.text("acct"),
            language=status.text("language", "") or None,
            sent_at=_moment(status, "created_at"),
            reply_context={
                STATUS: _id(status),
                ACCT: acct_of(author),
                VISIBILITY: status.text("visibility"),
                **({WARNING: spoiler[:_WARNING_MAX]} if spoiler else {}),
            },
        )

    def _again(self, status: Fields, roots: Fields) -> list[InboundEvent]:
        """Return a status that was changed, as an edit."""
        message = self._message(status, roots)
        if "edited_at" not in status or not self._is_named(status):
            raise NotForUsError("update")
        edited = _moment(status, "edited_at")
        return [
            InboundMessage(
                address=message.address,
                external_id=f"{message.external_id}@{int(edited.timestamp() * 1000)}",
                edits=message.external_id,
                text=message.text,
                attachments=message.attachments,
                display_name=message.display_name,
                language=message.language,
                sent_at=edited,
                reply_context=message.reply_context,
            )
        ]

    def _favourite(self, item: Fields, roots: Fields) -> Reaction:
        """Return a star that somebody gave to an answer of ours; what else the brand writes is not our business."""
        status = item.object("status")
        if "in_reply_to_id" not in status:
            raise NotForUsError("favourite")
        return Reaction(
            address=self._address(status, item.object("account"), roots),
            external_id=f"favourite-{item.text('id')}",
            of_external_id=_id(status),
            emoji=_FAVOURITE,
        )

    def _own(self, status: Fields, roots: Fields) -> list[InboundEvent]:
        """Return what was written under our name as told to whom it names, unless our app wrote it."""
        application = status.object("application") if "application" in status else Fields({})
        named = status.objects("mentions")
        if not named or "reblog" in status or (self.app and application.text("name", "") == self.app):
            raise NotForUsError("own_status")
        answered = status.text("in_reply_to_account_id", "")
        to = next((each for each in named if each.text("id") == answered), named[0])
        return [
            Echo(
                address=self._address(status, to, roots),
                external_id=_id(status),
                text=self._words(status, {each.text("username", "").lower() for each in named}),
                attachments=_attachments(status),
                sent_at=_moment(status, "created_at"),
            )
        ]

    @property
    def _name(self) -> str:
        return self.account.partition("@")[0].lower()

    def _is_named(self, status: Fields) -> bool:
        """Whether a status names us: on our own server we have no domain."""
        return any(each.text("acct", "").lower() == self._name for each in status.objects("mentions"))

    def _words(self, status: Fields, names: set[str]) -> str:
        """Return the words of a status, without who is called at its beginning."""
        text = text_of(status.text("content", ""))
        while (called := _MENTION.match(text)) and called["name"].lower() in names:
            text = text[called.end() :]
        return text

    def _address(self, status: Fields, customer: Fields, roots: Fields) -> ChannelAddress:
        who = _id(customer)
        if status.text("visibility") == DIRECT:
            return ChannelAddress(channel=CHANNEL, account=self.account, external_id=who)
        if not self.has_mentions:
            raise NotForUsError("public")
        name = _id(status)
        root = roots.text(name, "") or status.text("in_reply_to_id", "") or name
        if not _ID.fullmatch(root):
            raise MalformedWebhookError("in_reply_to_id is no id")
        return ChannelAddress(channel=MENTIONS, account=self.account, external_id=f"{root}:{who}")


def acct_of(account: Fields) -> str:
    """Return how somebody is called: jane, or jane@elsewhere.example; raises `MalformedWebhookError`."""
    acct = account.text("acct")
    if not _ACCT.fullmatch(acct):
        raise MalformedWebhookError("acct is no name")
    return acct


def _with(read: Callable[[Fields, Fields], list[InboundEvent]], roots: Fields) -> Read:
    return lambda item: read(item, roots)


def _attachments(status: Fields) -> tuple[Attachment, ...]:
    """Return the files of a status: those that our own server keeps, and never where they came from."""
    return tuple(
        Attachment(
            kind=_KINDS.get(each.text("type", ""), AttachmentKind.FILE),
            reference=each.text("url"),
            name=each.text("description", "").partition("\n")[0][:100],
        )
        for each in status.objects("media_attachments")
        if "url" in each
    )


def _elsewhere(status: Fields) -> list[str]:
    """Return where files are that our server does not keep, for people to look at."""
    files = status.objects("media_attachments")
    return [each.text("remote_url") for each in files if "url" not in each and "remote_url" in each]


def _id(holder: Fields) -> str:
    name = holder.text("id")
    if not _ID.fullmatch(name):
        raise MalformedWebhookError("id is no id")
    return name


def _moment(status: Fields, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(status.text(name))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedWebhookError(f"{name} is no moment") from None
