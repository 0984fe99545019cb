"""WhatsApp under the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.domain.connectors import SendText
from connectors.meta.whatsapp import WhatsAppAccount, WhatsAppConnector
from connectors.meta.whatsapp_payloads import Template, interactive
from tests.contracts.meta import NOWHERE, SECRETS, proof, request
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

NUMBER, BUSINESS, PERSON = "277300000000001", "264900000000001", "GB.13491208655302741918"


def subject() -> Subject:
    """Return WhatsApp as the suite sees it."""
    return Subject(
        connector=_connector(),
        unreachable=_connector(base_url=NOWHERE),
        request=request,
        bodies=_bodies,
        tap=_tap,
        unknown=json.dumps(_wrap([_message(0, type="hologram", hologram={"depth": 3})])).encode(),
        proof_header="x-hub-signature-256",
        is_body_proved=True,
        secrets=SECRETS,
    )


def _connector(**more: Any) -> WhatsAppConnector:
    account = WhatsAppAccount(
        **proof("whatsapp", NUMBER),
        business_account_id=BUSINESS,
        template=Template(name="follow_up", language="en_GB"),
        **more,
    )
    return WhatsAppConnector(account, MemoryMedia())


def _wrap(messages: list[dict[str, Any]]) -> dict[str, Any]:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "442071838750", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Aoife O'Brien"}, "user_id": PERSON, "wa_id": "353861234567"}],
        "messages": messages,
    }
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": BUSINESS, "changes": [{"field": "messages", "value": value}]}],
    }


def _message(number: int, **members: Any) -> dict[str, Any]:
    return {
        "from": "353861234567",
        "from_user_id": PERSON,
        "id": f"wamid.{number}",
        "timestamp": "1795400000",
        **members,
    }


def _bodies(texts: Sequence[str]) -> list[bytes]:
    if not texts:
        return []
    messages = [_message(number, type="text", text={"body": text}) for number, text in enumerate(texts)]
    return [json.dumps(_wrap(messages)).encode()]


def _tap(operation: SendText, which: int) -> bytes:
    shown: Any = interactive(operation.text, operation.choices)["interactive"]
    if shown["type"] == "button":
        kind, chosen = "button_reply", shown["action"]["buttons"][which]["reply"]
    else:
        kind, chosen = "list_reply", shown["action"]["sections"][0]["rows"][which]
    message = _message(which, type="interactive", interactive={"type": kind, kind: chosen})
    return json.dumps(_wrap([message])).encode()
