"""What we send to WhatsApp as the JSON that it takes; pure.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.domain.messages import Attachment, AttachmentKind, Choice
from connectors.fields import storable

BUTTONS_MAX, BUTTON_TITLE_MAX = 3, 20
ROWS_MAX, ROW_TITLE_MAX, ROW_DESCRIPTION_MAX = 10, 24, 72
#: Of a text that fills a template's blank: Meta allows 1024 with the template's own words.
BLANK_MAX = 900
#: Types that WhatsApp shows as what they are, and up to how many bytes; everything else goes as a document.
_SHOWN: dict[str, tuple[str, int]] = {
    "image/jpeg": ("image", 5_000_000),
    "image/png": ("image", 5_000_000),
    "audio/aac": ("audio", 16_000_000),
    "audio/amr": ("audio", 16_000_000),
    "audio/mpeg": ("audio", 16_000_000),
    "audio/mp4": ("audio", 16_000_000),
    "audio/ogg": ("audio", 16_000_000),
    "video/mp4": ("video", 16_000_000),
    "video/3gpp": ("video", 16_000_000),
}
#: What a blank may not hold: breaks, tabs, more than four spaces in a row.
_SPACE = re.compile(r"\s+")
_BSUID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,132}")

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Template:
    """An approved template with one blank, for what is said after the reply window."""

    name: str
    #: as Meta calls it: "en_GB"
    language: str


def recipient(customer: str) -> Json:
    """Return how a customer is named: by the user id, or by the phone number where we know no other."""
    named = {"recipient": customer} if _BSUID.fullmatch(customer) else {"to": customer}
    return {"messaging_product": "whatsapp", "recipient_type": "individual", **named}


def text(body: str) -> Json:
    """Return a text, without a preview of its links."""
    return {"type": "text", "text": {"body": storable(body), "preview_url": False}}


def interactive(body: str, choices: tuple[Choice, ...]) -> Json:
    """Return a text with choices: as buttons where they fit, else as a list, whose rows have room for long titles."""
    if len(choices) <= BUTTONS_MAX and all(len(each.title) <= BUTTON_TITLE_MAX for each in choices):
        replies = [{"type": "reply", "reply": {"id": each.payload, "title": storable(each.title)}} for each in choices]
        return _interactive(body, "button", {"buttons": replies})
    rows = [_row(each) for each in choices]
    return _interactive(body, "list", {"button": "Choose", "sections": [{"rows": rows}]})


def _interactive(body: str, kind: str, action: Json) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": storable(body)}, "action": action}}


def _row(choice: Choice) -> Json:
    title = storable(choice.title)
    if len(title) <= ROW_TITLE_MAX:
        return {"id": choice.payload, "title": title}
    whole = title if len(title) <= ROW_DESCRIPTION_MAX else f"{title[: ROW_DESCRIPTION_MAX - 1]}…"
    return {"id": choice.payload, "title": f"{title[: ROW_TITLE_MAX - 1]}…", "description": whole}


def template(chosen: Template, body: str) -> Json:
    """Return the template with `body` in its blank, on one line as Meta wants it."""
    filled = {"type": "text", "text": _SPACE.sub(" ", storable(body)).strip()}
    components = [{"type": "body", "parameters": [filled]}]
    return {
        "type": "template",
        "template": {"name": chosen.name, "language": {"code": chosen.language}, "components": components},
    }


def file(attachment: Attachment, named: Json) -> Json:
    """Return a file that is `named` by an id or an address."""
    kind = kind_of(attachment)
    if kind == "document":
        named = named | {"filename": storable(attachment.name) or "file"}
    return {"type": kind, kind: named}


def kind_of(attachment: Attachment) -> str:
    """Return what WhatsApp shows a file as; one that only has an address goes as what its sender says it is."""
    shown, size_max = _SHOWN.get(attachment.media_type, ("document", 0))
    if attachment.media_id is None and not attachment.media_type:
        return "document" if attachment.kind is AttachmentKind.FILE else attachment.kind.value
    return shown if (attachment.size or 0) <= size_max else "document"
