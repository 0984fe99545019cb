"""SMS under the contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.setup import Facilities
from connectors.sms.connector import SmsConnector, SmsSettings
from connectors.sms.events import read_form, signature
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

ACCOUNT_SID, TOKEN = "AC" + "0c" * 16, "twilio0token0of0the0contract"
NUMBER, PERSON = "+447700900123", "+447700900456"
URL = "https://care.example.com/webhooks/sms/447700900123"


def subject() -> Subject:
    """Return SMS as the suite sees it."""
    return Subject(
        connector=_connector(),
        unreachable=_connector(base_url="http://127.0.0.1:1"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_encode({**_message(9), "MessageStatus": "hologram", "From": NUMBER, "To": PERSON}),
        proof_header="x-twilio-signature",
        is_body_proved=True,
        secrets=(TOKEN, base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()),
        encode=_encode,
        proved=lambda body: sorted(set(read_form(body))),
    )


def _connector(**more: Any) -> SmsConnector:
    settings = SmsSettings(account_sid=ACCOUNT_SID, auth_token=SecretStr(TOKEN), number=NUMBER, **more)
    facilities = Facilities(public_url="https://care.example.com", media=MemoryMedia(), cursors=MemoryCursors())
    return SmsConnector(settings, facilities)


def _request(body: bytes) -> WebhookRequest:
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signature(URL, read_form(body), TOKEN),
    }
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _encode(members: Any) -> bytes:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}
    return urlencode(texts, errors="surrogatepass").encode()


def _message(number: int, text: str = "") -> dict[str, str]:
    sid = f"SM{number:032x}"
    about = {"MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT_SID, "NumMedia": "0", "NumSegments": "1"}
    return about | {"From": PERSON, "To": NUMBER, "Body": text}


def _bodies(texts: Sequence[str]) -> list[bytes]:
    return [_encode(_message(number, text)) for number, text in enumerate(texts)]


def _tap(operation: SendText, which: int) -> bytes:
    raise AssertionError(f"SMS has nothing to tap: {operation.choices[which]}")
