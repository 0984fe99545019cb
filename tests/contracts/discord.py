"""Discord under the contract: direct messages, and channels where everybody reads along.

Nothing calls us: a request carries what the gateway brought, as the poller gives it to the connector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import Connector, SendText, WebhookRequest
from connectors.discord.connector import DiscordSettings
from connectors.discord.payloads import buttons
from connectors.setup import Facilities
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

_TOKEN = "MTIw.secret0of.the0contract-_="
APPLICATION, SURFACE, STAFF = "120000000000000001", "330000000000000001", "550000000000000001"
PERSON, DIRECT, GUILD = "770000000000000001", "880000000000000001", "990000000000000001"


def subject() -> Subject:
    """Return direct messages as the suite sees them."""
    return _subject(0, lambda **members: {"channel_id": DIRECT, **members})


def public_subject() -> Subject:
    """Return channels of servers as the suite sees them."""
    return _subject(1, lambda **members: {"channel_id": SURFACE, "guild_id": GUILD, **members})


def _subject(which: int, place: Callable[..., dict[str, Any]]) -> Subject:
    def bodies(texts: Sequence[str]) -> list[bytes]:
        messages = [
            place(id=str(145_000_000_000_000_000 + n), author=_AUTHOR, content=text) for n, text in enumerate(texts)
        ]
        return [_body([("MESSAGE_CREATE", message) for message in messages])] if texts else []

    def tap(operation: SendText, index: int) -> bytes:
        shown: Any = [button for row in buttons(operation.choices) for button in row["components"]]  # type: ignore[attr-defined]
        data = {"component_type": 2, "custom_id": shown[index]["custom_id"]}
        return _body([("INTERACTION_CREATE", place(id=f"9{index}", type=3, token="t", user=_AUTHOR, data=data))])

    return Subject(
        connector=_connectors("https://discord.com/api/v10")[which],
        unreachable=_connectors("http://127.0.0.1:1")[which],
        request=_request,
        bodies=bodies,
        tap=tap,
        unknown=_body([("HOLOGRAM_CREATE", {"depth": 3})]),
        proof_header=None,
        is_body_proved=False,
        secrets=(_TOKEN,),
    )


_AUTHOR = {"id": PERSON, "username": "jane", "global_name": "Jane Doe"}


def _connectors(base_url: str) -> tuple[Connector, ...]:
    settings = DiscordSettings(
        token=SecretStr(_TOKEN),
        application_id=APPLICATION,
        channels=(SURFACE,),
        staff_roles=(STAFF,),
        base_url=base_url,
    )
    return settings.connectors(Facilities(public_url=None, media=MemoryMedia(), cursors=MemoryCursors()))


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={}, query={}, body=body)


def _body(dispatches: list[tuple[str, dict[str, Any]]]) -> bytes:
    made = [{"op": 0, "s": n, "t": kind, "d": data} for n, (kind, data) in enumerate(dispatches, 1)]
    return json.dumps({"session_id": "5e551011", "dispatches": made}).encode()
