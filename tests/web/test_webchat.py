from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import structlog
from PIL import Image

from bot.domain.messages import Attachment, AttachmentKind, Author, OutboundMessage
from bot.store.media import _piece
from bot.store.pictures import redraw
from bot.web.limits import Rate
from bot.web.webchat import MESSAGE_MAX_BYTES, PAGES_MAX, WebChatLimits
from connectors.webchat.connector import FILE_MAX_BYTES, VisitorKeys
from tests.webchat_site import GENEROUS, ChatSite, chat_site

SHOP = "https://shop.example.com"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ChatSite]:
    """Return a served site that another one, SHOP, may embed."""
    async with chat_site(tmp_path, origins=frozenset({f"{SHOP}/"})) as served:
        yield served


@dataclass
class Visitor:
    """A browser without a page."""

    http: httpx.AsyncClient
    token: str
    visitor: str

    async def write(self, client_id: str, text: str, **more: object) -> httpx.Response:
        """Send a message."""
        return await self.http.post("/chat/messages", json={"id": client_id, "text": text, **more})

    @asynccontextmanager
    async def stream(self, after: int = 0) -> AsyncIterator[AsyncIterator[str]]:
        """Open the feed and give its frames."""
        async with self.http.stream("GET", f"/chat/events?after={after}") as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield frames(answer)


async def frames(answer: httpx.Response) -> AsyncIterator[str]:
    """Yield a stream's frames."""
    text = ""
    async for piece in answer.aiter_text():
        text += piece
        *whole, text = text.split("\n\n")
        for frame in whole:
            yield frame


async def entries(stream: AsyncIterator[str], count: int) -> list[tuple[int, str]]:
    """Return the next entries of a stream, as number and text."""
    found: list[tuple[int, str]] = []
    async for frame in stream:
        if frame.startswith("id: "):
            number, data = frame.removeprefix("id: ").split("\ndata: ")
            found.append((int(number), json.loads(data)["text"]))
        if len(found) == count:
            break
    return found


@asynccontextmanager
async def arrived(site: ChatSite) -> AsyncIterator[Visitor]:
    """Give a visitor with a session."""
    async with httpx.AsyncClient(base_url=site.url, timeout=10) as http:
        answer = await http.post("/chat/session")
        assert answer.status_code == 201
        token, name = answer.json()["token"], answer.json()["visitor"]
        http.headers["authorization"] = f"Bearer {token}"
        yield Visitor(http=http, token=token, visitor=name)


@pytest.fixture
async def visitor(site: ChatSite) -> AsyncIterator[Visitor]:
    """Return a visitor with a session."""
    async with arrived(site) as here:
        yield here


def png() -> bytes:
    """Return a small picture."""
    kept = io.BytesIO()
    Image.new("RGB", (4, 3)).save(kept, "PNG")
    return kept.getvalue()


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


# ---------------------------------------------------------------------------------------------------------- the stream


async def test_a_line_cut_at_any_frame_loses_nothing(site: ChatSite, visitor: Visitor) -> None:
    """A page whose line is cut after each entry, and that comes back with the number it saw, hears each entry once."""
    await visitor.write("0123456789abcdef", "0")
    address = site.bot.messages[0].address
    for n in range(1, 6):
        await site.bot.tell(address, OutboundMessage(author=Author.BOT, text=str(n)), f"k{n}")
    heard: list[tuple[int, str]] = []
    while len(heard) < 7:
        async with visitor.stream(heard[-1][0] if heard else 0) as stream:
            heard += await entries(stream, 1)
    assert [number for number, _ in heard] == [1, 2, 3, 4, 5, 6, 7]
    assert {text for _, text in heard} == {"0", "1", "2", "3", "4", "5"}


async def test_a_page_hears_of_answers_at_once(site: ChatSite, visitor: Visitor) -> None:
    """An open page gets an answer well before it would have looked by itself, and the dots before it."""
    await visitor.write("0123456789abcdef", "hello")
    address = site.bot.messages[0].address
    async with visitor.stream() as stream:
        await entries(stream, 2)
        site.hub.typing(visitor.visitor)
        async with asyncio.timeout(0.5):
            assert await anext(aiter(stream)) == "event: typing\ndata: {}"
            await site.bot.tell(address, OutboundMessage(author=Author.BOT, text="now"))
            assert await entries(stream, 1) == [(3, "now")]


async def test_a_page_that_leaves_is_forgotten(site: ChatSite, visitor: Visitor) -> None:
    """After the line is closed nothing is kept of the page."""
    async with visitor.stream() as stream:
        assert await anext(aiter(stream)) == ": here"
        assert site.hub.page_count(visitor.visitor) == 1
    async with asyncio.timeout(2):
        while site.hub.page_count(visitor.visitor):  # noqa: ASYNC110 - the hub tells nobody
            await asyncio.sleep(0.01)


async def test_too_many_pages_are_refused(site: ChatSite, visitor: Visitor) -> None:
    """One visitor cannot hold the service's connections."""
    site.hub._pages[visitor.visitor] = {object() for _ in range(PAGES_MAX)}  # type: ignore[misc]
    answer = await visitor.http.get("/chat/events")
    assert (answer.status_code, answer.json()["error"]) == (429, "pages")
    del site.hub._pages[visitor.visitor]


async def test_streams_end_when_the_service_stops(tmp_path: Path) -> None:
    """An open page hears the end of its stream instead of a broken line."""
    async with chat_site(tmp_path) as site, arrived(site) as visitor, visitor.stream() as stream:
        assert await anext(aiter(stream)) == ": here"
        site.hub.close()
        assert [frame async for frame in stream] == []


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 20, "١"])
async def test_odd_cursors_are_refused(visitor: Visitor, after: str) -> None:
    """A place in the feed is a plain number."""
    assert (await visitor.http.get("/chat/events", params={"after": after})).status_code == 400


async def test_history_is_the_last_of_the_feed(site: ChatSite, visitor: Visitor) -> None:
    """A long feed shows its last 200 entries, and the cursor is its end."""
    for n in range(230):
        await site.feed.put(visitor.visitor, f"k{n}", {"type": "message", "author": "bot", "text": str(n)})
    history = (await visitor.http.get("/chat/history")).json()
    assert history["cursor"] == 230
    assert [entry["text"] for entry in history["events"]] == [str(n) for n in range(30, 230)]


# --------------------------------------------------------------------------------------------------------------- files


async def test_a_picture_goes_up_and_comes_down(site: ChatSite, visitor: Visitor) -> None:
    """A file's key is given once, names it in a message, and opens it for its visitor, as a plain picture."""
    answer = await visitor.http.post(
        "/chat/files", content=png(), headers={"content-type": "text/html", "x-file-name": quote("mug ☕.png")}
    )
    assert answer.status_code == 201
    kept = answer.json()
    assert (kept["name"], kept["media_type"], kept["kind"]) == ("mug ☕.png", "image/png", "image")
    assert (await visitor.write("0123456789abcdef", "", attachments=[kept["file"]])).status_code == 202
    assert site.bot.messages[0].attachments[0].name == "mug ☕.png"
    got = await visitor.http.get(f"/chat/files/{kept['file']}")
    assert (got.content, got.headers["content-type"]) == (redraw(png()), "image/png")
    assert got.headers["content-disposition"] == "inline; filename*=UTF-8''mug%20%E2%98%95.png"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_who_reads_slowly_holds_no_file(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file no more is read from disk than its reader takes, and it comes whole to who takes it all."""
    content = random.Random(1).randbytes(8_000_000)
    kept = (await visitor.http.post("/chat/files", content=content)).json()
    read = 0

    def counting(path: Path, start: int) -> bytes:
        nonlocal read
        piece = _piece(path, start)
        read += len(piece)
        return piece

    monkeypatch.setattr("bot.store.media._piece", counting)
    async with visitor.http.stream("GET", f"/chat/files/{kept['file']}") as answer:
        assert answer.headers["content-length"] == str(len(content))
        assert (await visitor.http.get("/chat/history")).status_code == 200
        assert read < len(content)
        assert b"".join([part async for part in answer.aiter_bytes()]) == content


async def test_what_is_no_picture_is_only_saved(visitor: Visitor) -> None:
    """Anything but a plain image comes down as bytes to save, under its name without what could mislead in it."""
    name = '../../a"\r\nset-cookie: x;\u202egpj.svg'
    shown = '../../a" set-cookie: x;gpj.svg'
    headers = {"content-type": "image/svg+xml", "x-file-name": quote(name, safe="")}
    kept = (await visitor.http.post("/chat/files", content=b"%PDF-1.7\n", headers=headers)).json()
    got = await visitor.http.get(f"/chat/files/{kept['file']}")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(shown, safe='')}"
    assert "set-cookie" not in got.headers


async def test_a_file_is_its_visitors_only(site: ChatSite, visitor: Visitor) -> None:
    """Another visitor who learns the key gets nothing, can attach nothing, and neither does a changed key."""
    kept = (await visitor.http.post("/chat/files", content=png())).json()
    async with arrived(site) as other:
        assert (await other.http.get(f"/chat/files/{kept['file']}")).status_code == 404
        assert (await other.write("0123456789abcdef", "", attachments=[kept["file"]])).status_code == 400
    assert (await visitor.http.get(f"/chat/files/{kept['file'][:-1]}")).status_code == 404
    gone = VisitorKeys(secret=site.keys.secret).file_key(
        visitor.visitor, Attachment(kind=AttachmentKind.FILE, media_id=None)
    )
    assert (await visitor.http.get(f"/chat/files/{gone}")).status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"\0" * (FILE_MAX_BYTES + 1), 413),
        (b"<!doctype html><script>alert(1)</script>", 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 415),
    ],
    ids=["empty", "large", "page", "damaged"],
)
async def test_files_that_are_not_kept(visitor: Visitor, content: bytes, status: int) -> None:
    """Empty, too large, of a kind that runs, or damaged: refused with a sentence."""
    answer = await visitor.http.post("/chat/files", content=content)
    assert answer.status_code == status
    assert answer.json()["message"]


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
