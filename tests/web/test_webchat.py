from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import structlog

from bot.web.limits import Rate
from bot.web.webchat import MESSAGE_MAX_BYTES, WebChatLimits
from tests.web.visitors import SHOP, Visitor, arrived, entries
from tests.webchat_site import GENEROUS, ChatSite, chat_site

# ------------------------------------------------------------------------------------------------------------ messages


async def test_a_message_is_stored_before_it_is_acknowledged(site: ChatSite, visitor: Visitor) -> None:
    """202 means stored: the message is with the pipeline, and the feed shows it and then the answer."""
    answer = await visitor.write("0123456789abcdef", "hello")
    assert (answer.status_code, answer.json()) == (202, {"stored": 1})
    assert [message.text for message in site.bot.messages] == ["hello"]
    async with visitor.stream() as stream:
        assert await entries(stream, 2) == [(1, "hello"), (2, "hello")]


async def test_a_repeated_message_is_one_message(visitor: Visitor) -> None:
    """The same id again, even at the same moment, is acknowledged and changes nothing."""
    answers = await asyncio.gather(*(visitor.write("0123456789abcdef", "hello") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    async with visitor.stream() as stream:
        await entries(stream, 2)
    history = (await visitor.http.get("/chat/history")).json()
    assert [entry["author"] for entry in history["events"]] == ["customer", "bot"]


async def test_what_is_not_stored_is_a_503(site: ChatSite, visitor: Visitor) -> None:
    """When the commit fails the widget is told to send again, and the next attempt succeeds."""
    site.bot.is_broken = True
    answer = await visitor.write("0123456789abcdef", "hello")
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "not_stored", "1")
    site.bot.is_broken = False
    assert (await visitor.write("0123456789abcdef", "hello")).status_code == 202


@pytest.mark.parametrize("path", ["history", "events", "files/x.y"])
async def test_nothing_is_read_without_a_token(site: ChatSite, path: str) -> None:
    """Without a token, with a made-up one, or with the visitor's public name there is only a 401."""
    async with arrived(site) as visitor, httpx.AsyncClient(base_url=site.url) as http:
        for header in ({}, {"authorization": f"Bearer {'A' * 56}"}, {"authorization": f"Bearer {visitor.visitor}"}):
            answer = await http.get(f"/chat/{path}", headers=header)
            assert (answer.status_code, answer.json()["error"]) == (401, "session")


async def test_visitors_do_not_see_each_other(site: ChatSite) -> None:
    """What one writes is in nobody else's history or stream."""
    async with arrived(site) as one, arrived(site) as other:
        await one.write("0123456789abcdef", "mine")
        await other.write("0123456789abcdef", "yours")
        async with one.stream() as stream:
            assert [text for _, text in await entries(stream, 2)] == ["mine", "mine"]
        texts = {entry["text"] for entry in (await other.http.get("/chat/history")).json()["events"]}
        assert "mine" not in texts


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 60_000, 400),
        (b'{"id": "0123456789abcdef"}', 400),
        (b'{"id": "0123456789abcdef", "text": "\\ud800"}', 202),
        (b'{"id": "0123456789abcdef", "text": "/restart"}', 202),
        (b'{"id": "0123456789abcdef", "text": "' + b"x" * MESSAGE_MAX_BYTES + b'"}', 413),
    ],
)
async def test_odd_bodies_get_clear_answers(visitor: Visitor, body: bytes, status: int) -> None:
    """Broken, deep, empty and huge bodies are refused with a sentence; odd text is plain text."""
    answer = await visitor.http.post("/chat/messages", content=body)
    assert answer.status_code == status
    assert status == 202 or answer.json()["message"]


async def test_a_body_without_a_length_is_cut_off(visitor: Visitor) -> None:
    """A chunked body is read no further than the limit."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 4096

    answer = await visitor.http.post("/chat/messages", content=endless())
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


async def test_a_flood_is_slowed_down(tmp_path: Path) -> None:
    """Past the burst a visitor hears when to come back; another visitor is not affected."""
    limits = WebChatLimits(messages=Rate(burst=3, every=60.0), sessions=GENEROUS, files=GENEROUS, reads=GENEROUS)
    async with chat_site(tmp_path, limits=limits) as site, arrived(site) as one, arrived(site) as other:
        statuses = [(await one.write(f"message-{n:04d}", "x")).status_code for n in range(4)]
        refused = await one.write("message-0009", "x")
        assert statuses == [202, 202, 202, 429]
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert (await other.write("message-0000", "x")).status_code == 202


async def test_ever_new_visitors_are_no_way_around_the_limits(tmp_path: Path) -> None:
    """All visitors of one public address share a limit; what may be a proxy that nobody named does not."""
    limits = WebChatLimits(messages=GENEROUS, sessions=GENEROUS, files=GENEROUS, arrivals=Rate(burst=2, every=60.0))
    here = (ip_network("127.0.0.1/32"),)
    async with chat_site(tmp_path, limits=limits, trusted_proxies=here) as site:
        for address, statuses in (
            ("8.8.8.8", [202, 202, 429]),
            ("8.8.4.4", [202, 202, 429]),
            ("10.0.0.1", [202, 202, 202]),
        ):
            heard = []
            for _ in range(3):
                async with arrived(site) as visitor:
                    visitor.http.headers["x-forwarded-for"] = address
                    heard.append((await visitor.write("message-0001", "x")).status_code)
            assert heard == statuses


async def test_reads_are_receipts(site: ChatSite, visitor: Visitor) -> None:
    """What the visitor has read reaches the pipeline and leaves the feed alone."""
    answer = await visitor.http.post("/chat/messages", json={"type": "read", "of": ["a" * 32]})
    assert answer.status_code == 202
    assert [receipt.of_external_id for receipt in site.bot.receipts] == ["a" * 32]
    assert (await visitor.http.get("/chat/history")).json() == {"events": [], "cursor": 0}


# ------------------------------------------------------------------------------------------------------------- origins


async def test_only_listed_sites_may_use_the_chat(site: ChatSite, visitor: Visitor) -> None:
    """The listed site and our own page are let in, by exactly their name; any other origin is refused."""
    listed = await visitor.http.get("/chat/history", headers={"origin": SHOP})
    assert (listed.status_code, listed.headers["access-control-allow-origin"]) == (200, SHOP)
    assert listed.headers["vary"] == "Origin"
    assert (await visitor.http.get("/chat/history", headers={"origin": site.url})).status_code == 200
    for origin in ("https://evil.example", "null", f"{SHOP}.evil.example", "http://shop.example.com", f"{SHOP}:8443"):
        refused = await visitor.http.get("/chat/history", headers={"origin": origin})
        assert (refused.status_code, refused.json()["error"]) == (403, "origin")
        assert "access-control-allow-origin" not in refused.headers


async def test_browsers_may_ask_first(visitor: Visitor) -> None:
    """A preflight of a listed site is answered with what the widget needs; refusals can be read by it too."""
    asked = {"origin": SHOP, "access-control-request-method": "POST"}
    answer = await visitor.http.options("/chat/messages", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, SHOP)
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    refused = await visitor.http.post("/chat/messages", content=b"{", headers={"origin": SHOP})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, SHOP)


async def test_the_widget_is_one_script(site: ChatSite) -> None:
    """Any site may load it, browsers keep it for minutes and ask by its tag, and it travels in less than 20 kB."""
    async with httpx.AsyncClient(base_url=site.url) as http:
        answer = await http.get("/chat/widget.js", headers={"origin": "https://any.example"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.num_bytes_downloaded < 20_000
        plain = await http.get("/chat/widget.js", headers={"accept-encoding": "identity"})
        assert (plain.text, "content-encoding" in plain.headers) == (answer.text, False)
        again = await http.get("/chat/widget.js", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for word in ("eval(", "innerHTML", "insertAdjacentHTML", "document.write", "new Function"):
        assert word not in answer.text


async def test_a_visitors_words_never_reach_the_log(
    site: ChatSite, visitor: Visitor, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the token nor the text is written anywhere when storing fails."""
    structlog.reset_defaults()
    site.bot.is_broken = True
    await visitor.write("0123456789abcdef", "my secret words")
    written = caplog.text + "".join(capfd.readouterr())
    assert "webchat_not_stored" in written
    assert "my secret words" not in written
    assert visitor.token not in written
