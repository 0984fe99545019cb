"""What a channel tells the contract suite about itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.connectors import Connector, SendText, WebhookRequest

#: `<channel>/<what>.json`, each `{"body": a recorded payload, "events": what it means, as `plain` shows it}`.
FIXTURES = Path(__file__).parent.parent / "fixtures"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A connector under the contract, and what only its channel knows."""

    connector: Connector
    #: a body → the request of the channel that carries it, genuine in every respect
    request: Callable[[bytes], WebhookRequest]
    #: texts → bodies that bring them, all from one customer, each a message; as few bodies as the channel uses
    bodies: Callable[[Sequence[str]], list[bytes]]
    #: a text with choices as sent, and which of them → the body that a tap on it brings
    tap: Callable[[SendText, int], bytes]
    #: a genuine body of a kind that the channel does not have yet
    unknown: bytes
    #: the header that proves the request, lower-case; none: the channel never calls us, and every request is rejected
    proof_header: str | None
    #: whether the proof covers the body, so that no byte of it may change
    is_body_proved: bool
    #: what must never be logged, raised or printed
    secrets: tuple[str, ...]
    #: the same connector with a network on which nothing answers; none: it calls nobody
    unreachable: Connector | None = None
    #: a recorded body → as it travels
    encode: Callable[[Any], bytes] = lambda body: json.dumps(body).encode()
    #: what of a body the proof is over, where the same can be written in several ways
    proved: Callable[[bytes], object] = bytes

    @property
    def name(self) -> str:
        """The channel's name: also its folder of fixtures."""
        return self.connector.channel
