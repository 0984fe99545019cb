from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image
from sanic import Sanic

from bot.domain.file_links import LIVES_FOR, FileLinks, preview
from bot.domain.messages import Attachment, AttachmentKind
from bot.store.database import Database
from bot.store.media import StoredMedia
from bot.web.files import FilesParts, files_blueprint
from bot.web.serving import bind, serve
from tests.pipeline.rig import SetClock


@dataclass(kw_only=True)
class Door:
    """A served port with files behind it."""

    links: FileLinks
    media: StoredMedia
    clock: SetClock
    http: httpx.AsyncClient

    async def keep(self, content: bytes, name: str, kind: AttachmentKind = AttachmentKind.FILE) -> Attachment:
        """Keep a file."""
        return await self.media.put(content, Attachment(kind=kind, name=name))

    def link(self, kept: Attachment) -> str:
        """Return the link to it."""
        return self.links.link(kept.media_id, self.clock.now())


@asynccontextmanager
async def opened(database: Database, folder: Path) -> AsyncIterator[Door]:
    """Serve files until the block ends."""
    bound = bind("127.0.0.1", 0, "service.port")
    links = FileLinks.of(f"http://127.0.0.1:{bound.getsockname()[1]}", "a secret of the service")
    clock = SetClock()
    media = StoredMedia(database, clock, folder)
    app: Sanic[Any, Any] = Sanic(f"files-{uuid4().hex[:8]}", configure_logging=False)
    app.blueprint(files_blueprint(FilesParts(links=links, media=media, now=clock.now)))
    async with serve(app, bound), httpx.AsyncClient() as http:
        yield Door(links=links, media=media, clock=clock, http=http)


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    """A served port."""
    async with opened(database, tmp_path / "media") as made:
        yield made


def photo(width: int = 1600, height: int = 900) -> bytes:
    """Return a picture."""
    file = io.BytesIO()
    Image.effect_noise((width, height), 90).save(file, "PNG")
    return file.getvalue()


async def test_fetched(door: Door) -> None:
    """Whoever has the link gets the file, to save and not to run, under its name and the type of its bytes."""
    kept = await door.keep("%PDF-1.7 ü".encode(), 'Rechnung "1".pdf')
    answer = await door.http.get(door.link(kept))

    assert (answer.status_code, answer.content) == (200, "%PDF-1.7 ü".encode())
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Rechnung%20%221%22.pdf"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    head = await door.http.head(door.link(kept))
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(kept.size))


async def test_pictures_have_previews(door: Door) -> None:
    """A picture may be looked at, and has a small one for previews; other files have none."""
    kept, other = await door.keep(photo(), "tea.png"), await door.keep(b"hello", "a.txt")
    whole, small = await door.http.get(door.link(kept)), await door.http.get(preview(door.link(kept)))

    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["content-disposition"].startswith("inline")
    assert small.headers["content-type"] == "image/jpeg"
    assert len(small.content) < 1_000_000 < len(whole.content)
    assert Image.open(io.BytesIO(small.content)).size == (1024, 576)
    assert (await door.http.get(preview(door.link(other)))).status_code == 404


async def test_erased(door: Door) -> None:
    """A file that was erased is gone from its links at once, and looks like one that never was."""
    kept = await door.keep(photo(40, 40), "tea.png")
    assert (await door.http.get(door.link(kept))).status_code == 200
    assert kept.media_id is not None
    await door.media.erase([kept.media_id])

    for url in (door.link(kept), preview(door.link(kept)), f"{door.links.public_url}/files/{'A' * 40}"):
        answer = await door.http.get(url)
        assert answer.status_code == 404
        assert answer.text.startswith("There is no such file")


async def test_void(door: Door) -> None:
    """Links end; without one nothing is found, neither by a file's id nor in a list."""
    kept = await door.keep(b"hello", "a.txt")
    link = door.link(kept)
    door.clock.pass_(seconds=(LIVES_FOR + timedelta(days=1)).total_seconds())

    for path in (link, f"{door.links.public_url}/files/{kept.media_id}", f"{door.links.public_url}/files/"):
        assert (await door.http.get(path)).status_code == 404


async def test_often(door: Door) -> None:
    """One link cannot be used to keep the door busy, least of all with what has to be drawn."""
    picture = preview(door.link(await door.keep(photo(40, 40), "tea.png")))
    assert [(await door.http.get(picture)).status_code for _ in range(7)] == [200] * 6 + [429]
    link = door.link(await door.keep(b"hello", "a.txt"))
    answers = [await door.http.head(link) for _ in range(70)]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
