"""Reports of mail servers: which mail of ours did not arrive, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

from connectors.email.codes import status_in, words_of
from connectors.email.mime import Mail, decoded
from connectors.email.names import OURS
from connectors.email.senders import addresses_in, normal_address

_RAW_MAX = 300_000


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a mail server says about one mail of ours."""

    #: the mail's `Message-ID`, with its brackets
    message_id: str
    #: where it was to go; empty where the report does not say
    recipient: str
    #: "failed", "delayed", "delivered", "relayed", "expanded"
    action: str
    #: for an agent to read
    reason: str


def is_report(mail: Mail) -> bool:
    """Whether a mail is a machine's report on another mail."""
    return mail.content_type == "multipart/report"


def report_kind(mail: Mail) -> str:
    """Return what is reported on: "delivery-status", "disposition-notification", "feedback-report"."""
    return decoded(mail.message.get_param("report-type", "", unquote=True)).lower()[:50]


def read_report(mail: Mail) -> Report | None:
    """Return what a bounce says of a mail of ours; none if it is about none.

    Servers that write no report (https://www.rfc-editor.org/rfc/rfc3464) give the mail itself back: then its name is
    enough.
    """
    message_id = _message_id(mail)
    if message_id is None:
        return None
    fields = _fields(mail)
    recipient = _recipient(fields.get("final-recipient", "")) or _recipient(fields.get("original-recipient", ""))
    failed = addresses_in(mail, "x-failed-recipients")
    diagnosis = fields.get("diagnostic-code", "")
    status = fields.get("status", "") or status_in(mail.text[:5_000])
    code = re.search(r"\b[45]\d\d\b", diagnosis)
    return Report(
        message_id=message_id,
        recipient=recipient or (failed[0][1] if failed else ""),
        action=fields.get("action", "failed").lower().strip(),
        # "5.0.0" says nothing; the server's words may.
        reason=words_of(status_in(diagnosis) or status, int(code.group()) if code else 0),
    )


def _fields(mail: Mail) -> dict[str, str]:
    """Return the fields of the first recipient that the report tells of."""
    for part in mail.message.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, Message) and block.get("action"):
                return {name.lower(): decoded(value) for name, value in block.items()[:40]}
    return {}


def _recipient(field: str) -> str:
    """Return the address in "rfc822; jane@example.com"."""
    return normal_address(field.partition(";")[2].strip(" <>")) or ""


def _message_id(mail: Mail) -> str | None:
    """Return the name of the mail of ours that a mail gives back."""
    found = re.search(
        rb"(?im)^message-id:\s*(<" + re.escape(OURS).encode() + rb"[A-Za-z0-9_-]{4,400}@[^<>\s]{1,255}>)",
        mail.raw[:_RAW_MAX],
    )
    return found.group(1).decode("ascii", "replace") if found else None
