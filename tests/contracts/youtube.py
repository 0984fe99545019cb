"""YouTube under the contract: a body is a page of threads as it is fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.youtube.connector import YouTubeConnector, YouTubeSettings
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors

_SECRET, _REFRESH = "client0secret0of0the0contract", "1//refresh0token0of0the0contract"
OURS = "UCcopperleaf"


def subject() -> Subject:
    """Return YouTube as the suite sees it."""
    return Subject(
        connector=_connector("https://www.googleapis.com/youtube/v3", "https://oauth2.googleapis.com/token"),
        unreachable=_connector("http://127.0.0.1:1", "http://127.0.0.1:1/token"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_page([_thread(1, "hello", author=OURS)]),
        proof_header=None,
        is_body_proved=False,
        secrets=(_SECRET, _REFRESH),
    )


def _connector(base_url: str, token_url: str) -> YouTubeConnector:
    account = YouTubeSettings(
        channel_id=OURS,
        handle="@copperleaf",
        client_id="1-a.apps.googleusercontent.com",
        client_secret=SecretStr(_SECRET),
        refresh_token=SecretStr(_REFRESH),
        base_url=base_url,
        token_url=token_url,
    )
    return YouTubeConnector(account, MemoryCursors())


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


def _comment(name: str, text: str, author: str) -> dict[str, Any]:
    snippet = {
        "authorDisplayName": "@jane",
        "authorChannelId": {"value": author},
        "textOriginal": text,
        "publishedAt": "2026-11-22T09:30:00Z",
        "updatedAt": "2026-11-22T09:30:00Z",
    }
    return {"id": name, "snippet": snippet}


def _thread(number: int, text: str, author: str = "UCjane") -> dict[str, Any]:
    top = _comment(f"Ug{number}", text, author)
    return {"id": f"Ug{number}", "snippet": {"topLevelComment": top, "totalReplyCount": 0}}


def _page(threads: list[dict[str, Any]]) -> bytes:
    return json.dumps({"items": threads}).encode()


def _bodies(texts: Sequence[str]) -> list[bytes]:
    """Return one page with a thread whose replies are all but the first text."""
    if not texts:
        return []
    thread = _thread(0, texts[0])
    replies = [_comment(f"Ug0.r{n}", text, "UCjane") for n, text in enumerate(texts[1:])]
    return [_page([thread | ({"replies": {"comments": replies}} if replies else {})])]


def _tap(operation: SendText, which: int) -> bytes:  # noqa: ARG001
    return _page([_thread(7, str(which + 1))])
