from __future__ import annotations

import io
import random
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from bot.domain.messages import Attachment, AttachmentKind
from bot.store.media import _piece
from bot.store.pictures import redraw
from connectors.webchat.connector import FILE_MAX_BYTES, VisitorKeys
from tests.web.visitors import Visitor, arrived
from tests.webchat_site import ChatSite


def png() -> bytes:
    """Return a small picture."""
    kept = io.BytesIO()
    Image.new("RGB", (4, 3)).save(kept, "PNG")
    return kept.getvalue()


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
