"""Our mails, as bytes: threaded below the customer's, as plain text and simple HTML, and marked as a machine's."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime

from bot.domain.connectors import SendOperation, SendText
from bot.domain.messages import Attachment, Author
from bot.domain.texts import line
from connectors.email.names import message_id_of
from connectors.email.senders import mailbox_of
from connectors.fields import storable

_POLICY = compat32.clone(linesep="\r\n", max_line_length=0)
_SUBJECT_MAX, _NAME_MAX = 250, 100
#: What no text of a mail may hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINK = re.compile(r"https?://[^\s<>\"]{1,2000}[^\s<>\".,;:!?)\]']")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,400}>")
_REPLY = re.compile(r"(re:\s*)+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What all our mails have in common."""

    #: where they come from
    address: str
    #: the brand, as customers see it
    name: str
    #: of a mail that answers none
    subject: str

    @property
    def domain(self) -> str:
        """The domain that our mails are named after."""
        return self.address.rpartition("@")[2]


def compose(operation: SendOperation, key: str, head: Letterhead, now: datetime, content: bytes = b"") -> bytes:
    """Return the whole mail; `content` is the file of an attachment."""
    body = _text(operation) if isinstance(operation, SendText) else _file(operation.attachment, content)
    context = operation.reply_context
    author = operation.author_name if operation.author == Author.AGENT else None
    body["From"] = f"{_coded(_named(author, head))} <{head.address}>"
    body["To"] = f"<{mailbox_of(operation.address.external_id)}>"
    body["Subject"] = _coded(_subject(context.get("subject", ""), head))
    body["Date"] = format_datetime(now)
    body["Message-ID"] = message_id_of(key, head.domain)
    answered = _MESSAGE_ID.findall(context.get("message_id", ""))[:1]
    if answered:
        body["In-Reply-To"] = answered[0]
        # Each on a line of its own: no line may be longer than a thousand characters.
        body["References"] = "\r\n ".join([*_MESSAGE_ID.findall(context.get("references", "")), *answered])
    if operation.author != Author.AGENT:
        body["Auto-Submitted"] = "auto-replied"
        # Exchange sends no absence notes to such mails.
        body["X-Auto-Response-Suppress"] = "All"
    return body.as_bytes(policy=_POLICY)


def _named(author: str | None, head: Letterhead) -> str:
    """Return who speaks: the brand, or a person of it."""
    brand = line(head.name)[:_NAME_MAX]
    person = line(author)[:_NAME_MAX] if author else ""
    return f"{person} ({brand})" if person and brand else person or brand


def _subject(answered: str, head: Letterhead) -> str:
    answered = line(answered)[:_SUBJECT_MAX]
    return (
        f"Re: {_REPLY.sub('', answered, count=1) if _REPLY.match(answered) else answered}" if answered else head.subject
    )


def _coded(text: str) -> str:
    """Return a phrase as it stands in a header."""
    text = line(storable(text))
    if re.fullmatch(r"[A-Za-z0-9 !'*+,./:?_-]{0,70}", text):
        return f'"{text}"' if re.search(r"[,.:]", text) and not text.startswith("Re:") else text
    return Header(text, "utf-8", maxlinelen=76).encode(linesep="\r\n")


def _text(operation: SendText) -> MIMEMultipart:
    words = _CONTROL.sub("", storable(operation.text)).replace("\r\n", "\n").replace("\r", "\n")
    body = MIMEMultipart("alternative")
    body.attach(_words(words, "plain"))
    body.attach(_words(_page(words), "html"))
    return body


def _words(text: str, kind: str) -> MIMEText:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    return MIMEText(text if text.endswith("\n") else f"{text}\n", kind, charset)  # type: ignore[arg-type]


def _page(text: str) -> str:
    """Return a text as simple HTML, its addresses as links."""
    pieces, at = [], 0
    for link in _LINK.finditer(text):
        address = html.escape(link.group())
        pieces += [html.escape(text[at : link.start()]), f'<a href="{address}">{address}</a>']
        at = link.end()
    pieces.append(html.escape(text[at:]))
    paragraphs = re.split(r"\n{2,}", "".join(pieces).strip("\n"))
    shown = "".join(f"<p>{each.replace(chr(10), '<br>' + chr(10))}</p>\n" for each in paragraphs)
    return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{shown}</body></html>'


def _file(attachment: Attachment, content: bytes) -> MIMEMultipart:
    name = line(storable(attachment.name))[:200] or "file"
    main, _, sub = (attachment.media_type or "application/octet-stream").partition("/")
    if not re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}", f"{main}/{sub}") or main in {"multipart", "message"}:
        main, sub = "application", "octet-stream"
    part = MIMEBase(main, sub)
    part.set_payload(content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
    body = MIMEMultipart("mixed")
    body.attach(_words(name, "plain"))
    body.attach(part)
    return body
