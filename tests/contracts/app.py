"""A brand's own app under the contract."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors import standard_webhooks
from connectors.app.connector import AppConnector, AppSettings
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

_KEY = b"the 32 bytes of the contract :-)"
_SECRET = f"whsec_{base64.b64encode(_KEY).decode()}"
_NOW = 1_795_400_000.0
_JANE = {"id": "u-1001", "name": "Jane"}


def subject() -> Subject:
    """Return an app as the suite sees it."""
    return Subject(
        connector=_connector("https://app.example.com/tandem"),
        unreachable=_connector("http://127.0.0.1:1"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_body([{"type": "hologram", "id": "h-1", "customer": _JANE}]),
        proof_header="webhook-signature",
        is_body_proved=True,
        secrets=(_SECRET, _SECRET.removeprefix("whsec_"), _KEY.decode()),
    )


def _connector(url: str) -> AppConnector:
    app = AppSettings(name="shop", secret=SecretStr(_SECRET), url=url)
    return AppConnector(app, MemoryMedia(), clock=lambda: _NOW)


def _request(body: bytes) -> WebhookRequest:
    headers = standard_webhooks.headers(_KEY, "call-1", body, _NOW)
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _body(events: list[dict[str, Any]]) -> bytes:
    return json.dumps({"events": events}).encode()


def _bodies(texts: Sequence[str]) -> list[bytes]:
    messages = [{"type": "message", "id": f"m-{n}", "customer": _JANE, "text": text} for n, text in enumerate(texts)]
    return [_body(messages)] if messages else []


def _tap(operation: SendText, which: int) -> bytes:
    return _body(
        [{"type": "message", "id": f"t-{which}", "customer": _JANE, "choice": operation.choices[which].payload}]
    )
