"""E-mail under the contract: a body is a batch of mails as they lie in a folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from bot.domain.connectors import SendText, WebhookRequest
from connectors.email.connector import EmailAccount, EmailConnector
from connectors.email.login import Login, Security, Server
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

PASSWORD = "mail-password0of0the0contract"
ADDRESS = "support@copperleaf.example"


def subject() -> Subject:
    """Return e-mail as the suite sees it."""
    return Subject(
        connector=_connector(),
        unreachable=_connector(),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_body([_mail(9, "hello").replace("text/plain", "multipart/report; report-type=hologram; boundary=b")]),
        proof_header=None,
        is_body_proved=False,
        secrets=(PASSWORD, base64.b64encode(f"\0{ADDRESS}\0{PASSWORD}".encode()).decode()),
        encode=encode,
    )


def _connector() -> EmailConnector:
    nowhere = Server(host="127.0.0.1", port=1, security=Security.NONE)
    account = EmailAccount(
        address=ADDRESS,
        name="Copperleaf",
        imap=nowhere,
        smtp=nowhere,
        login=Login(ADDRESS, password=PASSWORD),
        aliases=frozenset({"hello@copperleaf.example"}),
        sent_folder="Sent",
        authserv_id="mx.copperleaf.example",
    )
    return EmailConnector(account, MemoryMedia(), MemoryCursors())


def encode(body: Any) -> bytes:
    """Return a recorded batch as it is read: mails are recorded as lists of lines."""
    mails = body.get("mails") if isinstance(body, dict) else None
    if isinstance(mails, list):
        body = body | {"mails": [_joined(each) for each in mails]}
    return json.dumps(body).encode()


def _joined(mail: Any) -> Any:
    lines = mail.get("raw") if isinstance(mail, dict) else None
    if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
        return mail
    raw = "\r\n".join(lines).encode("utf-8", "replace").decode("latin-1")
    return mail | {"raw": raw}


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


def _mail(number: int, text: str) -> str:
    lines = [
        "From: Jane Doe <jane@example.com>",
        f"To: {ADDRESS}",
        f"Message-ID: <{number}@example.com>",
        "In-Reply-To: <0@example.com>",
        "Date: Mon, 23 Nov 2026 10:00:00 +0000",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.encodebytes(text.encode()).decode(),
    ]
    return "\r\n".join(lines)


def _body(mails: Sequence[str]) -> bytes:
    batch = [{"uid": number + 1, "raw": mail} for number, mail in enumerate(mails)]
    return json.dumps({"is_sent": False, "validity": 17, "mails": batch}).encode()


def _bodies(texts: Sequence[str]) -> list[bytes]:
    return [_body([_mail(number, text) for number, text in enumerate(texts)])] if texts else []


def _tap(operation: SendText, which: int) -> bytes:
    raise AssertionError(f"a mail has no buttons, and there is none for choice {which} of {operation.text}")
