"""Bluesky under the contract: a body is a page of the chat's log, or of notifications, as it is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.bluesky.connector import BlueskyConnector, BlueskyMentionsConnector, BlueskySettings, Office
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

_PASSWORD = "abcd-of0the-contract"
OURS, JANE = "did:plc:copperleaf", "did:plc:jane"
_PROFILE = {"did": JANE, "handle": "jane.bsky.social", "displayName": "Jane"}


def messages() -> Subject:
    """Return direct messages, as the suite sees them."""
    made, unreachable = (BlueskyConnector(_office(url)) for url in ("https://bsky.social", "http://127.0.0.1:1"))
    return _subject(made, unreachable, _logged, {"$type": "chat.bsky.convo.defs#logHologram", "rev": "2222222000001"})


def mentions() -> Subject:
    """Return what is said in public, as the suite sees it."""
    urls = ("https://bsky.social", "http://127.0.0.1:1")
    made, unreachable = (BlueskyMentionsConnector(_office(url)) for url in urls)
    return _subject(made, unreachable, _posted, {"reason": "hologram"})


def _subject(
    connector: BlueskyConnector | BlueskyMentionsConnector,
    unreachable: BlueskyConnector | BlueskyMentionsConnector,
    event: Callable[[int, str], dict[str, Any]],
    unknown: dict[str, Any],
) -> Subject:
    def page(items: list[dict[str, Any]]) -> bytes:
        if event is _posted:
            return json.dumps({"notifications": items[::-1]}).encode()
        return json.dumps({"logs": items, "convos": {"c1": _convo()}}).encode()

    def bodies(texts: Sequence[str]) -> list[bytes]:
        return [page([event(number, text) for number, text in enumerate(texts, 1)])] if texts else []

    def tap(operation: SendText, which: int) -> bytes:  # noqa: ARG001
        return page([event(7, str(which + 1))])

    return Subject(
        connector=connector,
        unreachable=unreachable,
        request=_request,
        bodies=bodies,
        tap=tap,
        unknown=page([unknown]),
        proof_header=None,
        is_body_proved=False,
        secrets=(_PASSWORD,),
    )


def _office(url: str) -> Office:
    account = BlueskySettings(handle="copperleaf.bsky.social", app_password=SecretStr(_PASSWORD), base_url=url)
    office = Office(account, MemoryMedia(), MemoryCursors())
    office.poll.timeline = replace(office.poll.timeline, did=OURS)
    return office


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


def _convo() -> dict[str, Any]:
    kind = {"$type": "chat.bsky.convo.defs#directConvo"}
    return {"id": "c1", "members": [{"did": OURS, "handle": "copperleaf.bsky.social"}, _PROFILE], "kind": kind}


def _logged(number: int, text: str) -> dict[str, Any]:
    message = {"id": f"3k{number}", "text": text, "sender": {"did": JANE}, "sentAt": "2026-11-22T09:30:00.000Z"}
    kind = "chat.bsky.convo.defs#logCreateMessage"
    return {"$type": kind, "rev": f"2222222{number:06d}", "convoId": "c1", "message": message}


def _posted(number: int, text: str) -> dict[str, Any]:
    return {
        "uri": f"at://{JANE}/app.bsky.feed.post/3k{number}",
        "cid": f"bafyrei{number}",
        "author": _PROFILE,
        "reason": "mention",
        "record": {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-22T09:30:00.000Z"},
        "indexedAt": "2026-11-22T09:30:00.000Z",
    }
