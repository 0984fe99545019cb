"""Messenger and Instagram under the contract: the same messages, on accounts of two kinds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.connectors import Connector, SendText
from connectors.meta.messaging import quick_replies
from tests.contracts.meta import SECRETS, envelope, request
from tests.contracts.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Messaging:
    """A kind of account, as its calls name it, with a person who writes to it."""

    object_name: str
    account: str
    person: str

    def subject(self, connector: Connector, unreachable: Connector) -> Subject:
        """Return the channel as the suite sees it."""
        return Subject(
            connector=connector,
            unreachable=unreachable,
            request=request,
            bodies=self._bodies,
            tap=self._tap,
            unknown=self._body({"hologram": {"depth": 3}}),
            proof_header="x-hub-signature-256",
            is_body_proved=True,
            secrets=SECRETS,
        )

    def _body(self, *items: dict[str, Any]) -> bytes:
        parties = {"sender": {"id": self.person}, "recipient": {"id": self.account}, "timestamp": 1_795_400_000_000}
        return json.dumps(envelope(self.object_name, self.account)([{**parties, **item} for item in items])).encode()

    def _bodies(self, texts: Sequence[str]) -> list[bytes]:
        items = [{"message": {"mid": f"m_{number}", "text": text}} for number, text in enumerate(texts)]
        return [self._body(*items)] if items else []

    def _tap(self, operation: SendText, which: int) -> bytes:
        shown = quick_replies(operation.choices, 20)[which]
        message = {"mid": f"m_t{which}", "text": shown["title"], "quick_reply": {"payload": shown["payload"]}}
        return self._body({"message": message})
