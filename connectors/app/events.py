"""What a brand's own app tells us, as inbound events; pure. `docs/connect-app.md` is the protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundEvent,
    InboundMessage,
    Reaction,
    Receipt,
    ReceiptKind,
    Withdrawal,
)
from connectors.batches import NotForUsError, UnknownKindError, digest_of, unsupported
from connectors.fields import Fields, load

CHANNEL = ChannelName("app")
#: What a customer may be called by the app: our addresses are at most 400 characters.
_CUSTOMER = re.compile(r"[!-~]{1,200}")
_EVENT = re.compile(r"[!-~]{1,200}")
_CHOICE = re.compile(r"[!-~]{1,24}")
_ATTACHMENTS_MAX = 10
_KINDS = {each.value: each for each in AttachmentKind}
_STATES = {each.value: each for each in ReceiptKind}


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose messages a call may bring."""

    account: AccountId

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the events of a call, N in and N out.

        Raises `MalformedWebhookError` for the whole call when one of them cannot be read: who writes the app hears of
        it at once.
        """
        made: list[InboundEvent] = []
        digest = digest_of(body)
        for number, event in enumerate(Fields(load(body)).objects("events")):
            try:
                made.append(self._read(event))
            except NotForUsError as reason:
                made.append(unsupported(digest, number, reason))
        return made

    def _read(self, event: Fields) -> InboundEvent:
        readers: dict[str, Callable[[Fields], InboundEvent]] = {
            "message": self._message,
            "edit": self._edit,
            "withdrawal": self._withdrawal,
            "reaction": self._reaction,
            "receipt": self._receipt,
            "echo": self._echo,
        }
        kind = event.text("type")
        if kind not in readers:
            raise UnknownKindError(kind)
        return readers[kind](event)

    def _message(self, event: Fields) -> InboundMessage:
        customer = event.object("customer")
        choice = event.text("choice", "")
        if choice and not _CHOICE.fullmatch(choice):
            raise MalformedWebhookError("a choice is none of ours")
        return InboundMessage(
            address=self._address(event),
            external_id=_id(event, "id"),
            text=event.text("text", ""),
            attachments=_attachments(event),
            choice=choice or None,
            quotes=event.aside("quotes"),
            display_name=customer.text("name", "") or None,
            language=customer.text("language", "") or None,
            sent_at=_moment(event),
            referral=event.text("referral", ""),
        )

    def _edit(self, event: Fields) -> InboundMessage:
        return InboundMessage(
            address=self._address(event),
            external_id=_id(event, "id"),
            text=event.text("text"),
            edits=_id(event, "of"),
            sent_at=_moment(event),
        )

    def _withdrawal(self, event: Fields) -> Withdrawal:
        return Withdrawal(address=self._address(event), external_id=_id(event, "id"), of_external_id=_id(event, "of"))

    def _reaction(self, event: Fields) -> Reaction:
        return Reaction(
            address=self._address(event),
            external_id=_id(event, "id"),
            of_external_id=_id(event, "of"),
            emoji=event.text("emoji", ""),
        )

    def _receipt(self, event: Fields) -> Receipt:
        state = event.text("state")
        if state not in _STATES:
            raise UnknownKindError(f"receipt.{state}")
        return Receipt(
            address=self._address(event),
            external_id=_id(event, "id"),
            of_external_id=_id(event, "of"),
            kind=_STATES[state],
            detail=event.text("detail", ""),
        )

    def _echo(self, event: Fields) -> Echo:
        return Echo(
            address=self._address(event),
            external_id=_id(event, "id"),
            text=event.text("text", ""),
            attachments=_attachments(event),
            author_name=event.text("author", "") or None,
            sent_at=_moment(event),
        )

    def _address(self, event: Fields) -> ChannelAddress:
        customer = event.object("customer").text("id")
        if not _CUSTOMER.fullmatch(customer):
            raise MalformedWebhookError("a customer's id must be 1 to 200 visible ASCII characters")
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=customer)


def _id(event: Fields, name: str) -> str:
    given = event.text(name)
    if not _EVENT.fullmatch(given):
        raise MalformedWebhookError(f"{name} must be 1 to 200 visible ASCII characters")
    return given


def _attachments(event: Fields) -> tuple[Attachment, ...]:
    files = event.objects("attachments")
    if len(files) > _ATTACHMENTS_MAX:
        raise MalformedWebhookError(f"a message has at most {_ATTACHMENTS_MAX} attachments")
    return tuple(
        Attachment(
            kind=_KINDS.get(each.text("kind", ""), AttachmentKind.FILE),
            reference=each.text("url"),
            name=each.text("name", ""),
            media_type=each.text("media_type", ""),
            size=each.size("size"),
        )
        for each in files
    )


def _moment(event: Fields) -> datetime | None:
    written = event.text("sent_at", "")
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedWebhookError("sent_at must be a moment as 2026-11-22T09:30:00Z") from None
