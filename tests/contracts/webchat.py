"""The web chat under the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.clock import SystemClock
from bot.domain.channels import AccountId
from bot.domain.connectors import SendText, WebhookRequest
from connectors.webchat.connector import VisitorKeys, WebChatConnector
from tests.contracts.subject import Subject
from tests.fakes.feed import MemoryFeed

_SECRET = "a secret of the service, 32 bytes"
_KEYS = VisitorKeys(secret=_SECRET.encode())
_SESSION = _KEYS.session(b"the seed of one visitor's ")


def subject() -> Subject:
    """Return the connector with one visitor's session."""
    return Subject(
        connector=WebChatConnector(account=AccountId("site"), keys=_KEYS, feed=MemoryFeed(), clock=SystemClock()),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=b'{"type": "wave", "id": "0123456789abcdef"}',
        proof_header="authorization",
        is_body_proved=False,
        secrets=(_SECRET, _SESSION.token),
    )


def _request(body: bytes) -> WebhookRequest:
    headers = {"authorization": f"Bearer {_SESSION.token}", "content-type": "application/json"}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _bodies(texts: Sequence[str]) -> list[bytes]:
    return [json.dumps({"id": f"message-{n:04d}", "text": text}).encode() for n, text in enumerate(texts)]


def _tap(operation: SendText, which: int) -> bytes:
    choice = operation.choices[which]
    return json.dumps({"id": "0123456789abcdef", "text": choice.title, "choice": choice.payload}).encode()
