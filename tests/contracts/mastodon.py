"""Mastodon under the contract: a body is a page of notifications as it is fetched, newest first."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.mastodon.connector import MastodonConnector, MastodonMentionsConnector, MastodonSettings, Office
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

_TOKEN = "token0of0the0contract"


def messages() -> Subject:
    """Return what is written to the account alone, as the suite sees it."""
    return _subject(MastodonConnector(_office("")), MastodonConnector(_office("http://127.0.0.1:1")), "direct")


def mentions() -> Subject:
    """Return what is said to it in public, as the suite sees it."""
    made, unreachable = (MastodonMentionsConnector(_office(url)) for url in ("", "http://127.0.0.1:1"))
    return _subject(made, unreachable, "public")


def _subject(
    connector: MastodonConnector | MastodonMentionsConnector,
    unreachable: MastodonConnector | MastodonMentionsConnector,
    visibility: str,
) -> Subject:
    def bodies(texts: Sequence[str]) -> list[bytes]:
        made = [_mention(number, text, visibility) for number, text in enumerate(texts, 1)]
        return [_page(made[::-1])] if made else []

    def tap(operation: SendText, which: int) -> bytes:  # noqa: ARG001
        return _page([_mention(7, str(which + 1), visibility)])

    return Subject(
        connector=connector,
        unreachable=unreachable,
        request=_request,
        bodies=bodies,
        tap=tap,
        unknown=_page([{"id": "9", "type": "hologram", "account": {"id": "44", "acct": "jane"}}]),
        proof_header=None,
        is_body_proved=False,
        secrets=(_TOKEN,),
    )


def _office(url: str) -> Office:
    account = MastodonSettings(name="care@mastodon.example", token=SecretStr(_TOKEN), base_url=url)
    return Office(account, MemoryMedia(), MemoryCursors())


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


def _mention(number: int, text: str, visibility: str) -> dict[str, Any]:
    jane = {"id": "44", "username": "jane", "acct": "jane@elsewhere.example", "display_name": "Jane"}
    link = "https://mastodon.example/@care"
    called = f'<span class="h-card"><a href="{link}" class="u-url mention">@<span>care</span></a>'
    status = {
        "id": f"1000{number}",
        "in_reply_to_id": "10000",
        "created_at": "2026-11-22T09:30:00.000Z",
        "edited_at": None,
        "visibility": visibility,
        "spoiler_text": "",
        "content": f"<p>{called}</span> {html.escape(text)}</p>",
        "account": jane,
        "mentions": [{"id": "1", "username": "care", "acct": "care"}],
        "media_attachments": [],
    }
    return {"id": str(number), "type": "mention", "account": jane, "status": status}


def _page(notifications: list[dict[str, Any]]) -> bytes:
    return json.dumps({"notifications": notifications, "roots": {}}).encode()
