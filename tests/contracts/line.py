"""LINE under the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.line.connector import LineConnector, LineSettings, quick_replies, signature
from tests.contracts.subject import Subject

_TOKEN = "token0of0the0contract+/="
_SECRET = "9f2c0secret0of0the0contract"
CHANNEL_ID, PERSON = "2001234567", "U4af4980629ab5c2d0f5a4f2b7a3d1e0c"


def subject() -> Subject:
    """Return LINE as the suite sees it."""
    return Subject(
        connector=_connector("https://api.line.me"),
        unreachable=_connector("http://127.0.0.1:1"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_body([_event(0, type="hologram", hologram={"depth": 3})]),
        proof_header="x-line-signature",
        is_body_proved=True,
        secrets=(_TOKEN, _SECRET),
    )


def _connector(base_url: str) -> LineConnector:
    account = LineSettings(
        token=SecretStr(_TOKEN), channel_secret=SecretStr(_SECRET), channel_id=CHANNEL_ID, base_url=base_url
    )
    return LineConnector(account, f"https://care.example.com/webhooks/line/{CHANNEL_ID}")


def _request(body: bytes) -> WebhookRequest:
    headers = {"content-type": "application/json", "x-line-signature": signature(body, _SECRET.encode()).decode()}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _body(events: list[dict[str, Any]]) -> bytes:
    return json.dumps({"destination": "U0123456789abcdef0123456789abcdef", "events": events}).encode()


def _event(number: int, **members: Any) -> dict[str, Any]:
    return {
        "mode": "active",
        "timestamp": 1_795_400_000_000,
        "source": {"type": "user", "userId": PERSON},
        "webhookEventId": f"01KEMH6NRRRZ7E5JC5QTA9{number:04d}",
        "deliveryContext": {"isRedelivery": False},
        **members,
    }


def _bodies(texts: Sequence[str]) -> list[bytes]:
    if not texts:
        return []
    messages = [
        {"type": "text", "id": f"59598857{n:08d}", "quoteToken": "q", "text": text} for n, text in enumerate(texts)
    ]
    return [_body([_event(n, type="message", message=message) for n, message in enumerate(messages)])]


def _tap(operation: SendText, which: int) -> bytes:
    action: Any = quick_replies(operation.choices)[which]["action"]
    return _body([_event(which, type="postback", replyToken="r", postback={"data": action["data"]})])
