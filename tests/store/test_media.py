from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bot.clock import SystemClock
from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, MediaId
from bot.store.database import Database
from bot.store.media import PIXELS_MAX, SIZE_MAX, StoredMedia, inspect

CLAIMED = Attachment(kind=AttachmentKind.FILE, reference="ref", name="../../etc/passwd", media_type="image/png", size=3)


def png(width: int, height: int) -> bytes:
    """Return a picture's file that says to be of this size, whatever is in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def picture(kind: str) -> bytes:
    """Return a small, honest picture."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, kind)
    return file.getvalue()


@pytest.fixture
def media(database: Database, tmp_path: Path) -> StoredMedia:
    """Return an empty store."""
    return StoredMedia(database, SystemClock(), tmp_path / "media")


async def test_a_file_comes_back_as_it_was(media: StoredMedia, tmp_path: Path) -> None:
    """A file is found by the id it was given, with its bytes, its sender's name for it and its true size."""
    kept = await media.put(b"some words", CLAIMED)
    assert kept.media_id is not None
    assert (kept.name, kept.size, kept.reference, kept.media_type) == (CLAIMED.name, 10, "", "text/plain")
    assert await media.get(kept.media_id) == (kept, b"some words")
    files = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert [path.name for path in files] == [kept.media_id]


async def test_equal_files_are_two(media: StoredMedia) -> None:
    """Nobody's file is known by its content."""
    assert (await media.put(b"x", CLAIMED)).media_id != (await media.put(b"x", CLAIMED)).media_id


@pytest.mark.parametrize("media_id", ["0" * 32, "../../../etc/passwd", "", "\0"])
async def test_what_was_never_kept_is_not_found(media: StoredMedia, media_id: str) -> None:
    """An id that was not given out finds nothing, wherever it points."""
    if "\0" in media_id and not media._database.is_sqlite:
        pytest.skip("PostgreSQL refuses such a text, and so do our routes")
    assert await media.get(MediaId(media_id)) is None


async def test_a_file_that_vanished_is_not_found(media: StoredMedia, tmp_path: Path) -> None:
    """A file that somebody removed from the folder is not found, without an error."""
    kept = await media.put(b"x", CLAIMED)
    next(path for path in (tmp_path / "media").rglob("*") if path.is_file()).unlink()
    assert kept.media_id is not None
    assert await media.get(kept.media_id) is None


async def test_a_full_disk_is_a_clear_refusal(media: StoredMedia, tmp_path: Path) -> None:
    """When the bytes cannot be written, nothing is kept and the caller is told."""
    (tmp_path / "media").write_bytes(b"a file where the folder should be")
    with pytest.raises(MediaError, match="written"):
        await media.put(b"x", CLAIMED)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_are_known_by_their_bytes(kind: str) -> None:
    """A picture is a picture, whatever its sender calls it."""
    found = inspect(picture(kind), Attachment(kind=AttachmentKind.AUDIO, name="song.mp3", media_type="audio/mpeg"))
    assert (found.kind, found.media_type) == (AttachmentKind.IMAGE, f"image/{kind.lower()}")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"OggS\x00\x02" + b"\0" * 40, AttachmentKind.AUDIO),
        (b"\x00\x00\x00\x20ftypisom" + b"\0" * 40, AttachmentKind.VIDEO),
        (b"%PDF-1.7\n", AttachmentKind.FILE),
        (b"just words", AttachmentKind.FILE),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"a" * 40, AttachmentKind.AUDIO),
        (bytes(range(256)), AttachmentKind.FILE),
        ("ä".encode() * 3000, AttachmentKind.FILE),
    ],
)
def test_other_files_are_known_by_their_bytes(content: bytes, kind: AttachmentKind) -> None:
    """Sound, film and the rest are told apart by what they are."""
    assert inspect(content, CLAIMED).kind is kind


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"\xef\xbb\xbf<!doctype HTML>",
        b" \n\t<HTML><body>",
        b"<!-- x --><html>",
        b"<script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
        "<html><script>alert(1)</script>".encode("utf-16"),
        b"MZ\x90\x00" + b"\0" * 60,
        b"\x7fELF\x02\x01\x01" + b"\0" * 60,
    ],
)
def test_pages_and_programs_are_refused(content: bytes) -> None:
    """What a browser or a machine would run is not kept, whatever it is called."""
    with pytest.raises(MediaError, match="not accepted"):
        inspect(content, CLAIMED)


@pytest.mark.parametrize(
    "size", [(PIXELS_MAX + 1, 1), (9000, 9000), (12_000, 12_000), (40_000, 40_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_picture_of_too_many_pixels_is_refused(size: tuple[int, int]) -> None:
    """A small file that unfolds into a huge picture is refused before it is unfolded."""
    with pytest.raises(MediaError, match="picture"):
        inspect(png(*size), CLAIMED)


@pytest.mark.parametrize("cut", [9, 20, 40])
def test_a_damaged_picture_is_refused(cut: int) -> None:
    """A picture that cannot be read is refused, not passed on."""
    with pytest.raises(MediaError, match="damaged"):
        inspect(picture("PNG")[:cut], CLAIMED)


def test_a_voice_message_in_a_films_container_stays_one() -> None:
    """What its sender calls sound is sound where sound and film come in the same container."""
    content = b"\x00\x00\x00\x20ftypisom" + b"\0" * 40
    voice = inspect(content, Attachment(kind=AttachmentKind.AUDIO))
    assert (voice.kind, voice.media_type) == (AttachmentKind.AUDIO, "video/mp4")


def test_words_with_angles_are_words() -> None:
    """A text is not taken for a page because it begins with a bracket."""
    assert inspect(b"<3 this tea", CLAIMED).media_type == "text/plain"


async def test_the_size_of_a_file_is_limited(media: StoredMedia) -> None:
    """An empty file and one that is too large are refused."""
    with pytest.raises(MediaError, match="empty"):
        await media.put(b"", CLAIMED)
    with pytest.raises(MediaError, match="20 MB"):
        await media.put(bytes(SIZE_MAX + 1), CLAIMED)
    assert (await media.put(bytes(SIZE_MAX), CLAIMED)).size == SIZE_MAX
