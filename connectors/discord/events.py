"""What Discord's gateway dispatches as inbound events; pure.

https://docs.discord.com/developers/events/gateway-events#receive-events

Direct messages are one conversation for each channel with a customer. In channels of a server everybody reads along: a
conversation there is that of one author in one channel or thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundEvent,
    InboundMessage,
    Reaction,
    Unsupported,
    Withdrawal,
)
from connectors.batches import NotForUsError, UnknownKindError, digest_of, read_all
from connectors.fields import Fields, load

CHANNEL = ChannelName("discord")
#: Channels and threads of servers, where everybody reads along.
PUBLIC_CHANNEL = ChannelName("discord-channels")

#: Messages that people write: plain ones and answers. Others are Discord's own: somebody joined, something was pinned.
_WRITTEN = frozenset({0, 19})
#: A tap on a button.
_COMPONENT = 3
_SNOWFLAKE = re.compile(r"[0-9]{1,20}")
_PAYLOAD = re.compile(r"[!-~]{1,24}")
_EMOJI = re.compile(r"<a?(:\w{1,64}:)[0-9]{1,20}>")
#: Of moments in ids. https://docs.discord.com/developers/reference#snowflakes
_EPOCH, _TIME_FROM_BIT = datetime(2015, 1, 1, tzinfo=UTC), 22
_ROLES_MAX = 1000
_KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What came over the gateway, and what has to be known of it that it does not say itself."""

    #: of the gateway: with a dispatch's number it names the dispatch for ever
    session_id: str
    dispatches: tuple[Fields, ...]
    #: thread → the channel it is in
    parents: Mapping[str, str] = field(default_factory=dict)
    #: message → who wrote it: a deletion does not tell
    authors: Mapping[str, str] = field(default_factory=dict)
    #: the same whenever the same batch comes again
    digest: str = ""

    @classmethod
    def read(cls, body: bytes) -> Batch:
        """Return a batch written as JSON; raises `MalformedWebhookError`."""
        batch = Fields(load(body))
        return cls(
            session_id=batch.text("session_id"),
            dispatches=tuple(batch.objects("dispatches")),
            parents=_texts(batch, "parents"),
            authors=_texts(batch, "authors"),
            digest=digest_of(body),
        )

    def dump(self) -> str:
        """Return the batch as JSON that `read` takes; of what else has to be known, the threads alone."""
        known = json.dumps({"session_id": self.session_id, "parents": dict(self.parents)})
        return f'{known[:-1]}, "dispatches": [{", ".join(each.dump() for each in self.dispatches)}]}}'


def _texts(batch: Fields, name: str) -> dict[str, str]:
    members = batch.object(name) if name in batch else ()
    return {key: members.text(key) for key in members} if isinstance(members, Fields) else {}


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose messages a batch may bring."""

    #: number of the application, which is that of its bot user
    account: AccountId
    #: channels of servers in which customers are answered, with their threads
    surfaces: frozenset[str] = frozenset()
    #: roles of people of the brand: what they write there is no customer's
    staff_roles: frozenset[str] = frozenset()

    def read(self, batch: Batch) -> list[InboundEvent]:
        """Return the events of a batch, N in and N out."""
        read = _Reader(mailbox=self, batch=batch).read
        return read_all(((dispatch, read) for dispatch in batch.dispatches), batch.digest)

    def read_history(self, messages: Iterable[Fields], batch: Batch) -> list[InboundEvent]:
        """Return what customers wrote among the messages of known channels, as the HTTP API gives them."""
        read = _Reader(mailbox=self, batch=batch).written
        events = read_all(((message, read) for message in messages), batch.digest)
        return [event for event in events if not isinstance(event, Unsupported)]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads the dispatches of one batch."""

    mailbox: Mailbox
    batch: Batch

    def read(self, dispatch: Fields) -> list[InboundEvent]:
        kind = dispatch.text("t")
        readers: dict[str, Callable[[Fields, Fields], Iterable[InboundEvent]]] = {
            "MESSAGE_CREATE": self._message,
            "MESSAGE_UPDATE": self._edit,
            "MESSAGE_DELETE": self._deletion,
            "MESSAGE_DELETE_BULK": self._deletions,
            "MESSAGE_REACTION_ADD": self._reaction,
            "MESSAGE_REACTION_REMOVE": self._reaction,
            "INTERACTION_CREATE": self._interaction,
        }
        if kind not in readers:
            raise UnknownKindError(kind.lower())
        return list(readers[kind](dispatch, dispatch.object("d")))

    # ----------------------------------------------------------------------------------------------------- messages

    def _message(self, _dispatch: Fields, message: Fields) -> Iterable[InboundEvent]:
        return self.written(message)

    def written(self, message: Fields) -> list[InboundEvent]:
        author = self._author(message)
        if self._is_staff(message):
            return [self._echo(message, author)]
        return [self._written(message, author, external_id=_snowflake(message, "id"), edits=None)]

    def _edit(self, _dispatch: Fields, message: Fields) -> Iterable[InboundEvent]:
        author, edited_at = self._author(message), message.text("edited_timestamp", "")
        if not edited_at:
            # Discord looked a link up, or somebody pinned it: the words are the same.
            raise NotForUsError("message_update.not_edited")
        if self._is_staff(message):
            raise NotForUsError("message_update.staff")
        number = _snowflake(message, "id")
        return [self._written(message, author, external_id=f"{number}:{edited_at}", edits=number)]

    def _author(self, message: Fields) -> Fields:
        author = message.object("author")
        if author.flag("bot") or author.flag("system") or "webhook_id" in message:
            raise NotForUsError("message.bot")
        if "type" in message and message.integer("type") not in _WRITTEN:
            raise NotForUsError(f"message.type.{message.integer('type')}")
        return author

    def _written(self, message: Fields, author: Fields, *, external_id: str, edits: str | None) -> InboundMessage:
        text, attachments = self._content(message)
        number, person = _snowflake(message, "id"), _snowflake(author, "id")
        address = self._address(message, person)
        is_public = address.channel == PUBLIC_CHANNEL
        return InboundMessage(
            address=address,
            external_id=external_id,
            text=text,
            attachments=attachments,
            edits=edits,
            # What is forwarded is named so as well.
            quotes=None if message.objects("message_snapshots") else message.aside("message_reference", "message_id"),
            display_name=_name(author, message),
            sent_at=_written_at(number),
            reply_context={"message_id": number} if is_public else {},
            is_to_us=not is_public or self._is_to_us(message),
        )

    def _is_to_us(self, message: Fields) -> bool:
        """Whether a message in public names us, answers us, or opens a thread where customers are answered."""
        names_us = any(each.text("id", "") == self.mailbox.account for each in message.objects("mentions"))
        answered = message.object("referenced_message") if "referenced_message" in message else None
        answers_us = answered is not None and answered.object("author").text("id") == self.mailbox.account
        return names_us or answers_us or message.text("id") == message.text("channel_id")

    def _is_staff(self, message: Fields) -> bool:
        member = message.object("member") if "member" in message else None
        roles = member.texts("roles", _ROLES_MAX) if member is not None else []
        return not self.mailbox.staff_roles.isdisjoint(roles)

    def _echo(self, message: Fields, author: Fields) -> Echo:
        """Return what a person of the brand answered; to whom, only an answer to a message says."""
        answered = message.object("referenced_message") if "referenced_message" in message else None
        whom = answered.object("author") if answered is not None else None
        if whom is None or whom.flag("bot"):
            raise NotForUsError("message.staff")
        text, attachments = self._content(message)
        number = _snowflake(message, "id")
        return Echo(
            address=self._address(message, _snowflake(whom, "id")),
            external_id=number,
            text=text,
            attachments=attachments,
            author_name=_name(author, message),
            sent_at=_written_at(number),
        )

    def _content(self, message: Fields) -> tuple[str, tuple[Attachment, ...]]:
        """Return the words and files of a message; raises `NotForUsError` where there are none."""
        lines, files = [self._words(message)], list(_files(message))
        for snapshot in message.objects("message_snapshots"):
            forwarded = snapshot.object("message")
            lines.append(self._words(forwarded))
            files += _files(forwarded)
        lines += [f"[sticker: {each.text('name', '')}]" for each in message.objects("sticker_items")]
        if "poll" in message:
            lines.append(f"[poll: {message.object('poll').object('question').text('text', '')}]")
        text = "\n".join(filter(None, lines))
        if not (text or files):
            # In servers Discord keeps words from bots without the Message Content Intent.
            raise NotForUsError("message.empty")
        return text, tuple(files)

    def _words(self, message: Fields) -> str:
        """Return the text as people read it: names for numbers, and without our own name in front."""
        text = re.sub(rf"^\s*<@!?{self.mailbox.account}>", "", message.text("content", ""))
        for person in message.objects("mentions"):
            number = person.text("id", "")
            name = f"@{_name(person) or number}"
            text = text.replace(f"<@{number}>", name).replace(f"<@!{number}>", name)
        return _EMOJI.sub(r"\1", text).strip()

    # ------------------------------------------------------------------------------------------------ everything else

    def _deletion(self, _dispatch: Fields, deleted: Fields) -> Iterable[InboundEvent]:
        return [self._gone(deleted, _snowflake(deleted, "id"))]

    def _deletions(self, _dispatch: Fields, deleted: Fields) -> Iterable[InboundEvent]:
        numbers = deleted.texts("ids", 1000)
        known = [number for number in numbers if number in self.batch.authors]
        if not known:
            raise NotForUsError("message_delete_bulk.unknown")
        return [self._gone(deleted, number) for number in known]

    def _gone(self, deleted: Fields, number: str) -> Withdrawal:
        address = self._address(deleted, self.batch.authors.get(number, ""))
        return Withdrawal(address=address, external_id=f"deleted:{number}", of_external_id=number)

    def _reaction(self, dispatch: Fields, reaction: Fields) -> Iterable[InboundEvent]:
        person, emoji = _snowflake(reaction, "user_id"), reaction.object("emoji")
        if person == self.mailbox.account:
            raise NotForUsError("reaction.own")
        name = emoji.text("name", "")
        return [
            Reaction(
                address=self._address(reaction, person),
                external_id=f"{self.batch.session_id}:{dispatch.integer('s')}",
                of_external_id=_snowflake(reaction, "message_id"),
                emoji="" if dispatch.text("t").endswith("REMOVE") else f":{name}:" if "id" in emoji else name,
            )
        ]

    def _interaction(self, _dispatch: Fields, interaction: Fields) -> Iterable[InboundEvent]:
        kind = interaction.integer("type")
        if kind != _COMPONENT:
            raise NotForUsError(f"interaction.type.{kind}")
        payload = interaction.object("data").text("custom_id")
        if not _PAYLOAD.fullmatch(payload):
            raise NotForUsError("interaction.foreign")
        member = interaction.object("member") if "member" in interaction else None
        person = (member or interaction).object("user")
        number = _snowflake(interaction, "id")
        return [
            InboundMessage(
                address=self._address(interaction, _snowflake(person, "id")),
                external_id=number,
                choice=payload,
                display_name=_name(person),
                language=interaction.text("locale", "") or None,
                sent_at=_written_at(number),
            )
        ]

    def _address(self, place: Fields, person: str) -> ChannelAddress:
        """Return where something happened: in the channel with one customer, or in one where everybody reads."""
        channel = _snowflake(place, "channel_id")
        if self.mailbox.surfaces.isdisjoint({channel, self.batch.parents.get(channel, "")}):
            if "guild_id" in place:
                raise NotForUsError("other_channel")
            return ChannelAddress(channel=CHANNEL, account=self.mailbox.account, external_id=channel)
        if not person:
            raise NotForUsError("unknown_author")
        return ChannelAddress(channel=PUBLIC_CHANNEL, account=self.mailbox.account, external_id=f"{channel}:{person}")


def _snowflake(fields: Fields, name: str) -> str:
    number = fields.text(name)
    if not _SNOWFLAKE.fullmatch(number):
        raise MalformedWebhookError(f"{name} is no id of Discord's")
    return number


def _written_at(number: str) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(number) >> _TIME_FROM_BIT)


def _name(person: Fields, message: Fields | None = None) -> str | None:
    """Return what a person is called: in this server, everywhere, or by their user name."""
    member = message.object("member") if message is not None and "member" in message else None
    nick = member.text("nick", "") if member is not None else ""
    return nick or person.text("global_name", "") or person.text("username", "") or None


def _files(message: Fields) -> Iterator[Attachment]:
    for item in message.objects("attachments"):
        media_type = item.text("content_type", "").partition(";")[0].strip()
        yield Attachment(
            kind=_KINDS.get(media_type.partition("/")[0], AttachmentKind.FILE),
            reference=item.text("url"),
            name=item.text("filename", "") or "file",
            media_type=media_type,
            size=item.size("size"),
        )
