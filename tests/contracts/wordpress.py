"""WordPress under the contract: a body is a page of comments as it is fetched, newest first."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendText, WebhookRequest
from connectors.wordpress.connector import WordPressConnector, WordPressSettings
from tests.contracts.subject import Subject
from tests.fakes.cursors import MemoryCursors

_PASSWORD = "abcd EFGH 1234 of0the0contract"


def subject() -> Subject:
    """Return WordPress as the suite sees it."""
    return Subject(
        connector=_connector("https://blog.example.com"),
        unreachable=_connector("http://127.0.0.1:1"),
        request=_request,
        bodies=_bodies,
        tap=_tap,
        unknown=_page([_comment(7, "hello") | {"type": "hologram"}]),
        proof_header=None,
        is_body_proved=False,
        secrets=(_PASSWORD, base64.b64encode(f"care:{_PASSWORD}".encode()).decode()),
    )


def _connector(url: str) -> WordPressConnector:
    site = WordPressSettings(url=url, user="care", password=SecretStr(_PASSWORD))
    made = WordPressConnector(site, MemoryCursors())
    made.comments = replace(made.comments, user_id=1)
    return made


def _request(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


def _comment(number: int, text: str) -> dict[str, Any]:
    return {
        "id": number,
        "post": 4,
        "parent": 0,
        "author": 0,
        "author_name": "Jane",
        "author_email": "jane@example.com",
        "date_gmt": "2026-11-22T09:30:00",
        "content": {"rendered": f"<p>{html.escape(text)}</p>\n"},
        "status": "approved",
        "type": "comment",
    }


def _page(comments: list[dict[str, Any]]) -> bytes:
    return json.dumps({"comments": comments}).encode()


def _bodies(texts: Sequence[str]) -> list[bytes]:
    comments = [_comment(number, text) for number, text in enumerate(texts, 1)]
    return [_page(comments[::-1])] if comments else []


def _tap(operation: SendText, which: int) -> bytes:  # noqa: ARG001
    return _page([_comment(7, str(which + 1))])
