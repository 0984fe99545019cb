"""Telegram under the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.domain.connectors import SendText, WebhookRequest
from connectors.telegram.connector import TelegramAccount, TelegramConnector, keyboard
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

_TOKEN = "7000001:AAsecret-token_of-the-contract"
_SECRET = "webhook-secret_of-the-contract"
_CHAT = {"id": 42, "type": "private", "first_name": "Jane"}


def subject() -> Subject:
    """Return Telegram as the suite sees it."""
    return Subject(
        connector=_connector("https://api.telegram.org"),
        unreachable=_connector("http://127.0.0.1:1"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=json.dumps({"update_id": 9, "hologram": {"chat": _CHAT}}).encode(),
        proof_header="x-telegram-bot-api-secret-token",
        is_body_proved=False,
        secrets=(_TOKEN, _TOKEN.partition(":")[2], _SECRET),
    )


def _connector(base_url: str) -> TelegramConnector:
    account = TelegramAccount(
        token=_TOKEN,
        webhook_url="https://care.example.com/webhooks/telegram",
        webhook_secret=_SECRET,
        base_url=base_url,
    )
    return TelegramConnector(account, MemoryMedia())


def _request(body: bytes) -> WebhookRequest:
    headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": _SECRET}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def _bodies(texts: Sequence[str]) -> list[bytes]:
    messages = [{"message_id": n, "date": 1_795_400_000, "chat": _CHAT, "text": text} for n, text in enumerate(texts)]
    return [json.dumps({"update_id": n, "message": message}).encode() for n, message in enumerate(messages)]


def _tap(operation: SendText, which: int) -> bytes:
    button = keyboard(operation.choices).inline_keyboard[which][0]
    message = {"message_id": 1, "date": 1_795_400_000, "chat": _CHAT}
    query = {"id": f"4{which}", "from": {"id": 42}, "message": message, "data": button.callback_data}
    return json.dumps({"update_id": which, "callback_query": query}).encode()
