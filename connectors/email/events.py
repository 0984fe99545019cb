"""Mails as they lie in a mailbox → events: pure, and never an error for whatever somebody has sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot.domain.channels import ADDRESS_MAX, AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundEvent,
    InboundMessage,
    Receipt,
    ReceiptKind,
    Unsupported,
)
from connectors.email.mime import File, Mail, read_mail
from connectors.email.names import key_of
from connectors.email.quotes import LEFT_OUT, news_of
from connectors.email.reports import Report, is_report, read_report, report_kind
from connectors.email.senders import Proof, Sender, addresses_in, is_robot, machine_of, sender_of
from connectors.fields import Fields, load

CHANNEL = ChannelName("email")
#: Characters of a text beyond which agents are given the whole as a file.
_LONG = 7_500
_FILES_MAX, _CONTEXT_MAX, _ID_MAX = 20, 900, 300
#: The last part of an attachment's reference: the whole text of the mail, instead of one of its files.
WHOLE_TEXT = "text"
_UNREADABLE = "[a mail that is built so that it cannot be read here; it is in the mailbox]"
_KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,400}>")
_REPLY = re.compile(r"\s*((re|aw|antw|sv|vs|odp|rif|ref|res|tr|fw|fwd|wg)\s*(\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2}(-[a-z]{2})?", re.IGNORECASE)
_CALENDAR = re.compile(r"^(SUMMARY|DTSTART|DTEND|LOCATION)(?:;[^:\n]*)?:(.*)$", re.MULTILINE)
_ACTIONS = {"failed": ReceiptKind.FAILED, "delivered": ReceiptKind.DELIVERED}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A mail and its place in a mailbox."""

    #: whether it lies among what was sent
    is_sent: bool
    #: the folder's UIDVALIDITY, and the mail's UID
    validity: int
    uid: int
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Ourselves:
    """Who we are, to whoever reads mails."""

    #: our own address, and others that reach the same mailbox; lower case
    addresses: frozenset[str]
    account: AccountId
    #: the name by which our mail server signs `Authentication-Results`; empty: nobody said
    authserv_id: str


def load_batch(body: bytes) -> list[Placed]:
    """Return a batch of mails written as JSON, each character of `raw` one byte; raises `MalformedWebhookError`."""
    batch = Fields(load(body))
    is_sent, validity = batch.flag("is_sent"), batch.integer("validity")
    mails = []
    for each in batch.objects("mails"):
        try:
            raw = each.text("raw").encode("latin-1")
        except UnicodeEncodeError:
            raise MalformedWebhookError("$.mails.raw must hold bytes, one a character") from None
        mails.append(Placed(is_sent=is_sent, validity=validity, uid=each.integer("uid"), raw=raw))
    return mails


def read_placed(placed: Placed, us: Ourselves) -> InboundEvent:
    """Return what a mail means."""
    mail = read_mail(placed.raw)
    external_id = _external_id(mail)
    if placed.is_sent:
        return _read_sent(mail, placed, us, external_id)
    if is_report(mail):
        return _read_report(mail, us, external_id)
    sender = sender_of(mail, us.authserv_id)
    kind = machine_of(mail) or _not_for_us(sender, us)
    if kind in {"bounce", "no-reply"}:
        # Some servers give a mail back without any report.
        event = _read_report(mail, us, external_id)
        return event if isinstance(event, Receipt) else Unsupported(external_id=external_id, kind=kind)
    if kind is not None or sender is None:
        return Unsupported(external_id=external_id, kind=kind or "nobody")
    return _read_message(mail, placed, sender, us)


def _not_for_us(sender: Sender | None, us: Ourselves) -> str | None:
    if sender is None or len(str(_address(sender.external_id, us))) > ADDRESS_MAX:
        return "nobody"
    return "from-ourselves" if sender.address in us.addresses else "no-reply" if is_robot(sender.address) else None


def _address(external_id: str, us: Ourselves) -> ChannelAddress:
    return ChannelAddress(channel=CHANNEL, account=us.account, external_id=external_id)


def _read_message(mail: Mail, placed: Placed, sender: Sender, us: Ourselves) -> InboundMessage:
    news = news_of(mail.text) if mail.is_whole else None
    text = news.text if news else _UNREADABLE
    files = list(_attachments(mail, placed))
    left_out = [f"[{each.name}]" for each in files[_FILES_MAX:]]
    if news is not None and (news.is_cut or len(text) > _LONG):
        files.insert(0, _whole_text(placed))
    words = [_subject_of_first(mail, text), text, *_invitations(mail), *left_out]
    language = mail.header("content-language").partition(",")[0]
    suffix = " (sender not proved)" if sender.proof is Proof.FAILED else ""
    return InboundMessage(
        address=_address(sender.external_id, us),
        external_id=_external_id(mail),
        text="\n\n".join(each for each in words if each),
        attachments=tuple(files[: _FILES_MAX + 1]),
        display_name=f"{(sender.name or sender.address)[:150]}{suffix}",
        language=language.lower() if _LANGUAGE.fullmatch(language) else None,
        sent_at=_sent_at(mail),
        reply_context=_reply_context(mail),
    )


def _subject_of_first(mail: Mail, text: str) -> str:
    """Return the subject of a mail that begins an exchange: often nothing else says what it is about."""
    subject = mail.header("subject")[:300]
    is_answer = mail.header("in-reply-to") or mail.header("references") or _REPLY.match(subject)
    return "" if is_answer or subject.lower() in text.lower() else subject


def _reply_context(mail: Mail) -> dict[str, str]:
    """Return what an answer has to carry so that mail programs show it below the mail."""
    own = _MESSAGE_ID.search(mail.header("message-id"))
    # The whole of it, which may be longer than what is read of other headers.
    before = str(mail.message.get("references", ""))
    named = (
        _MESSAGE_ID.findall(f"{before[:1_000]} {before[-5_000:]}" if len(before) > 6_000 else before)
        or _MESSAGE_ID.findall(mail.header("in-reply-to"))[:1]
    )
    context = {
        "subject": mail.header("subject")[:300],
        "message_id": own.group() if own else "",
        "references": " ".join(_trimmed(named)),
    }
    return {name: value for name, value in context.items() if value}


def _trimmed(named: list[str]) -> list[str]:
    """Return the first of an exchange's mails and the last ones, as far as there is room."""
    kept: list[str] = []
    room = _CONTEXT_MAX - len(named[0]) - 1 if named else 0
    for each in reversed(named[1:]):
        room -= len(each) + 1
        if room < 0:
            break
        kept.insert(0, each)
    return [*named[:1], *kept]


def _external_id(mail: Mail) -> str:
    """Return a name that no other mail has, and the same mail again does.

    A `Message-ID` is its sender's invention: some give none, some the same to all, and one who knows another's could
    make us drop that as a repeat. So who wrote what and when is part of the name.
    """
    own = _MESSAGE_ID.search(mail.header("message-id"))
    told = "\0".join([mail.header("from"), mail.header("date"), mail.header("subject"), mail.text])
    digest = hashlib.blake2b(told.encode(), digest_size=10).hexdigest()
    names = "" if own else hashlib.blake2b(mail.raw, digest_size=10).hexdigest()
    return f"{own.group()[1:-1][:_ID_MAX] if own else names}#{digest}"


def _sent_at(mail: Mail) -> datetime | None:
    try:
        moment = parsedate_to_datetime(mail.header("date"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None


# --------------------------------------------------------------------------------------------------------------- files


def _reference(placed: Placed, what: str) -> str:
    return f"{'sent' if placed.is_sent else 'inbox'}:{placed.validity}:{placed.uid}:{what}"


def _attachments(mail: Mail, placed: Placed) -> Iterator[Attachment]:
    for number, file in enumerate(mail.files):
        yield Attachment(
            kind=_KINDS.get(file.media_type.partition("/")[0], AttachmentKind.FILE),
            reference=_reference(placed, str(number)),
            name=file.name,
            media_type=file.media_type,
            size=file.size,
        )


def _whole_text(placed: Placed) -> Attachment:
    reference = _reference(placed, WHOLE_TEXT)
    return Attachment(kind=AttachmentKind.FILE, reference=reference, name="whole mail.txt", media_type="text/plain")


def content_of(raw: bytes, what: str) -> bytes | None:
    """Return the bytes of what the last part of a reference names in a mail; none where there is no such thing."""
    mail = read_mail(raw)
    if what == WHOLE_TEXT:
        return mail.text.encode()
    number = int(what) if re.fullmatch(r"\d{1,4}", what) else -1
    return mail.files[number].content() if 0 <= number < len(mail.files) else None


def _invitations(mail: Mail) -> Iterator[str]:
    """Yield a line for each invitation to a meeting."""
    for file in mail.files[:_FILES_MAX]:
        if file.media_type == "text/calendar":
            yield _invitation(file)


def _invitation(file: File) -> str:
    written = file.content()[:20_000].decode("utf-8", "replace").replace("\r\n", "\n").replace("\n ", "")
    told: dict[str, str] = {}
    for name, value in _CALENDAR.findall(written):
        told.setdefault(name, value.replace("\\,", ",").replace("\\n", " ").strip()[:200])
    parts = (told.get("SUMMARY", ""), told.get("DTSTART", ""), told.get("LOCATION", ""))
    return f"[invitation: {', '.join(each for each in parts if each)}]"


# ------------------------------------------------------------------------------------------------------------- reports


def _read_report(mail: Mail, us: Ourselves, external_id: str) -> InboundEvent:
    report = read_report(mail)
    about = report_kind(mail) if is_report(mail) else "bounce"
    kind = _ACTIONS.get(report.action) if report and about in {"bounce", "delivery-status"} else None
    if report is None or kind is None:
        return Unsupported(external_id=external_id, kind=about or "report")
    return _receipt(report, kind, external_id, us)


def _receipt(report: Report, kind: ReceiptKind, external_id: str, us: Ourselves) -> Receipt:
    return Receipt(
        # Without the recipient, the key of our call finds the conversation.
        address=_address(report.recipient or str(us.account), us),
        external_id=external_id,
        of_external_id=report.message_id,
        kind=kind,
        detail=report.reason if kind is ReceiptKind.FAILED else "",
        of_key=key_of(report.message_id) or "",
    )


def _read_sent(mail: Mail, placed: Placed, us: Ourselves, external_id: str) -> InboundEvent:
    """Return what lies among what was sent: of ours, that it left; of a person's answer, what they said.

    What people write to begin an exchange (to a supplier, to each other) is no business of ours.
    """
    recipients = [address for name in ("to", "cc") for _, address in addresses_in(mail, name)]
    others = [address for address in recipients if address not in us.addresses]
    own = _MESSAGE_ID.search(mail.header("message-id"))
    key = key_of(own.group()) if own else None
    if others and own and key is not None:
        address = _address(others[0], us)
        return Receipt(
            address=address, external_id=external_id, of_external_id=own.group(), kind=ReceiptKind.SENT, of_key=key
        )
    if not others or not mail.header("in-reply-to") or machine_of(mail) is not None:
        return Unsupported(external_id=external_id, kind="sent")
    names = [name for name, _ in addresses_in(mail, "from")]
    return Echo(
        address=_address(others[0], us),
        external_id=external_id,
        text=news_of(mail.text).text.replace(LEFT_OUT, "").strip(),
        attachments=tuple(_attachments(mail, placed))[:_FILES_MAX],
        author_name=(names or [""])[0] or None,
        sent_at=_sent_at(mail),
    )
