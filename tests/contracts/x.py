"""X under the contract: direct messages, and what is said in public."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from bot.domain.connectors import SendText, WebhookRequest
from connectors.x.connector import Office, XAccount, XConnector, XMentionsConnector, signature
from connectors.x.oauth import Credentials
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

US, PERSON = "1700000000000000001", "2200000000000000002"
CREDENTIALS = Credentials(
    consumer_key="xkey0of0the0contract",
    consumer_secret="xsecret0of0the0contract",
    token=f"{US}-xtoken0of0the0contract",
    token_secret="xtokensecret0of0the0contract",
)
SECRETS = (CREDENTIALS.consumer_secret, CREDENTIALS.token_secret, CREDENTIALS.token)


def messages() -> Subject:
    """Return direct messages as the suite sees them."""
    return _subject(XConnector, _message)


def mentions() -> Subject:
    """Return what is said in public as the suite sees it."""
    return _subject(XMentionsConnector, _post)


def _subject(kind: type[XConnector | XMentionsConnector], item: Callable[[int, str], dict[str, Any]]) -> Subject:
    def bodies(texts: Sequence[str]) -> list[bytes]:
        return [json.dumps({"data": item(number, text)}).encode() for number, text in enumerate(texts)]

    return Subject(
        connector=kind(_office()),
        unreachable=kind(_office(base_url="http://127.0.0.1:1")),
        request=_request,
        bodies=bodies,
        tap=_tap,
        unknown=json.dumps({"data": _event("hologram.create", {"id": "1"})}).encode(),
        proof_header="x-twitter-webhooks-signature",
        is_body_proved=True,
        secrets=SECRETS,
    )


def _office(**more: Any) -> Office:
    account = XAccount(credentials=CREDENTIALS, webhook_url=f"https://care.example.com/webhooks/x/{US}", **more)
    return Office(account, MemoryMedia(), MemoryCursors())


def _request(body: bytes) -> WebhookRequest:
    proof = signature(body, CREDENTIALS.consumer_secret)
    headers = {"content-type": "application/json", "x-twitter-webhooks-signature": proof}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _event(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"event_uuid": "-6850472171600526495", "filter": {"user_id": US}, "event_type": kind, "payload": payload}


def _message(number: int, text: str) -> dict[str, Any]:
    made = {
        "target": {"recipient_id": US},
        "sender_id": PERSON,
        "message_data": {"text": text, "entities": {"urls": []}},
    }
    item = {"type": "message_create", "id": str(3000 + number), "created_timestamp": "1795400000000"}
    return _event("dm.received", {"direct_message_events": [item | {"message_create": made}], "users": {}})


def _post(number: int, text: str) -> dict[str, Any]:
    payload = {
        "id": str(5000 + number),
        "conversation_id": "5000",
        "author_id": PERSON,
        "text": text,
        "created_at": "2026-11-22T09:00:00.000Z",
        "entities": {"mentions": [{"start": 0, "end": 11, "username": "copperleaf", "id": US}]},
    }
    return _event("post.mention.create", payload)


def _tap(operation: SendText, which: int) -> bytes:
    raise AssertionError(f"X has nothing to tap: {operation.choices[which]}")
