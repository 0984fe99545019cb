"""What the channels of Meta's have in common under the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.domain.connectors import WebhookRequest
from connectors.meta.account import signature

TOKEN, APP_SECRET, VERIFY_TOKEN = (
    "EAAGtoken0of0the0contract",
    "9f2c0secret0of0the0contract",
    "verify-token-of-the-contract",
)
SECRETS = (TOKEN, APP_SECRET, VERIFY_TOKEN)
#: Where nothing listens.
NOWHERE = "http://127.0.0.1:1"


def proof(channel: str, account: str) -> dict[str, Any]:
    """Return what every account has: token, secrets and address."""
    return {
        "id": account,
        "token": TOKEN,
        "app_secret": APP_SECRET,
        "verify_token": VERIFY_TOKEN,
        "webhook_url": f"https://care.example.com/webhooks/{channel}/{account}",
        "app_id": "4400000000000001",
    }


def request(body: bytes) -> WebhookRequest:
    """Return a call that Meta signed."""
    headers = {"content-type": "application/json", "x-hub-signature-256": signature(body, APP_SECRET)}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def envelope(object_name: str, account: str) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Return what puts items of Messenger or Instagram into one call."""

    def wrapped(items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"object": object_name, "entry": [{"id": account, "time": 1_795_400_000_000, "messaging": items}]}

    return wrapped
