"""Comments below a page's posts and an Instagram account's pictures under the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from bot.domain.connectors import SendText
from connectors.meta.instagram import InstagramAccount, InstagramConnector
from connectors.meta.messenger import MessengerAccount, MessengerConnector
from connectors.meta.public import CommentsConnector
from tests.contracts.meta import NOWHERE, SECRETS, proof, request
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

PAGE, ACCOUNT = "100000000000001", "17841400000000001"
POST, PICTURE = f"{PAGE}_7001", "18000000000000001"

Change = Callable[[int, str], dict[str, Any]]


def of_page() -> Subject:
    """Return Facebook comments as the suite sees them."""
    return _subject(_page(), _page(base_url=NOWHERE), ("page", PAGE), _below_post)


def of_instagram() -> Subject:
    """Return Instagram comments as the suite sees them."""
    return _subject(_instagram(), _instagram(base_url=NOWHERE), ("instagram", ACCOUNT), _below_picture)


def _subject(
    connector: CommentsConnector, unreachable: CommentsConnector, whose: tuple[str, str], change: Change
) -> Subject:
    def call(changes: list[dict[str, Any]]) -> bytes:
        object_name, account = whose
        entry = {"id": account, "time": 1_795_400_000, "changes": changes}
        return json.dumps({"object": object_name, "entry": [entry]}).encode()

    def bodies(texts: Sequence[str]) -> list[bytes]:
        return [call([change(number, text) for number, text in enumerate(texts)])] if texts else []

    return Subject(
        connector=connector,
        unreachable=unreachable,
        request=request,
        bodies=bodies,
        tap=_tap,
        unknown=call([{"field": "hologram", "value": {"depth": 3}}]),
        proof_header="x-hub-signature-256",
        is_body_proved=True,
        secrets=SECRETS,
    )


def _page(**more: Any) -> CommentsConnector:
    account = MessengerAccount(**proof("messenger", PAGE), has_comments=True, **more)
    (connector,) = MessengerConnector(account, MemoryMedia()).beside()
    return connector


def _instagram(**more: Any) -> CommentsConnector:
    account = InstagramAccount(**proof("instagram", ACCOUNT), has_comments=True, **more)
    (connector,) = InstagramConnector(account, MemoryMedia()).beside()
    return connector


def _below_post(number: int, text: str) -> dict[str, Any]:
    value = {
        "from": {"id": "24680135791113", "name": "Jane"},
        "item": "comment",
        "verb": "add",
        "post_id": POST,
        "comment_id": f"7001_{number}",
        "parent_id": POST,
        "created_time": 1_795_400_000,
        "message": text,
    }
    return {"field": "feed", "value": value}


def _below_picture(number: int, text: str) -> dict[str, Any]:
    media = {"id": PICTURE, "media_product_type": "FEED"}
    author = {"id": "987650001112223", "username": "jane"}
    return {"field": "comments", "value": {"id": f"1790{number}", "from": author, "media": media, "text": text}}


def _tap(operation: SendText, which: int) -> bytes:
    raise AssertionError(f"a comment has nothing to tap: {operation.choices[which]}")
