"""Messenger under the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.domain.connectors import SendText
from connectors.meta.messaging import quick_replies
from connectors.meta.messenger import MessengerAccount, MessengerConnector
from tests.contracts.meta import NOWHERE, SECRETS, envelope, proof, request
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

PAGE, PERSON = "100000000000001", "24680135791113"
_wrap = envelope("page", PAGE)


def subject() -> Subject:
    """Return Messenger as the suite sees it."""
    return Subject(
        connector=_connector(),
        unreachable=_connector(base_url=NOWHERE),
        request=request,
        bodies=_bodies,
        tap=_tap,
        unknown=json.dumps(_wrap([_item(hologram={"depth": 3})])).encode(),
        proof_header="x-hub-signature-256",
        is_body_proved=True,
        secrets=SECRETS,
    )


def _connector(**more: Any) -> MessengerConnector:
    account = MessengerAccount(**proof("messenger", PAGE), has_human_agent=True, **more)
    return MessengerConnector(account, MemoryMedia())


def _item(**members: Any) -> dict[str, Any]:
    return {"sender": {"id": PERSON}, "recipient": {"id": PAGE}, "timestamp": 1_795_400_000_000, **members}


def _bodies(texts: Sequence[str]) -> list[bytes]:
    if not texts:
        return []
    items = [_item(message={"mid": f"m_{number}", "text": text}) for number, text in enumerate(texts)]
    return [json.dumps(_wrap(items)).encode()]


def _tap(operation: SendText, which: int) -> bytes:
    shown = quick_replies(operation.choices, 20)[which]
    message = {"mid": f"m_t{which}", "text": shown["title"], "quick_reply": {"payload": shown["payload"]}}
    return json.dumps(_wrap([_item(message=message)])).encode()
