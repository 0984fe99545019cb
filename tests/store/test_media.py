from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import Connection

from bot.clock import SystemClock
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation
from bot.domain.customers import CustomerId
from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, Author, MediaId, MessageId, TranscriptLine
from bot.store import conversations, transcript
from bot.store.database import Database
from bot.store.media import RESERVED, SIZE_MAX, UNSETTLED_FOR, StoredMedia, inspect
from bot.store.pictures import FRAMES_MAX, PIXELS_MAX, redraw

CLAIMED = Attachment(kind=AttachmentKind.FILE, reference="ref", name="../../etc/passwd", media_type="image/png", size=3)


def png(width: int, height: int) -> bytes:
    """Return a picture's file that says to be of this size, whatever is in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def names_in(folder: Path) -> list[str]:
    """Return the names of all files that are kept."""
    return sorted(path.name for path in (folder / "media").rglob("*") if path.is_file())


def picture(kind: str) -> bytes:
    """Return a small, honest picture."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, kind)
    return file.getvalue()


class SetClock:
    """A clock that stands."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._moment


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
    assert names_in(tmp_path) == [hashlib.sha256(b"some words").hexdigest()]


async def test_a_large_file_comes_in_pieces(media: StoredMedia, tmp_path: Path) -> None:
    """Pieces are read one by one as they are taken, so that nobody who takes them slowly fills the memory."""
    content = bytes(range(256)) * 2_000
    kept = await media.put(content, CLAIMED)
    assert kept.media_id is not None
    found = await media.pieces(kept.media_id)
    assert found is not None
    assert b"".join([piece async for piece in found[1]]) == content
    again = await media.pieces(kept.media_id)
    assert again is not None
    assert len(await anext(again[1])) < len(content) / 4
    (tmp_path / "media" / names_in(tmp_path)[0][:2] / names_in(tmp_path)[0]).unlink()
    with pytest.raises(FileNotFoundError):
        await anext(again[1])
    assert await media.pieces(kept.media_id) is None


async def test_equal_files_are_two_and_kept_once(media: StoredMedia, tmp_path: Path) -> None:
    """Nobody's file is known by its content, whose bytes are there once, until the last of them is erased."""
    first, second = [(await media.put(b"x", CLAIMED)).media_id for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first != second
    assert len(names_in(tmp_path)) == 1
    assert await media.erase([first, first, MediaId("0" * 32)]) == 1
    assert await media.get(first) is None
    found = await media.get(second)
    assert found is not None
    assert found[1] == b"x"
    assert await media.erase([second]) == 1
    assert names_in(tmp_path) == []


async def test_a_file_kept_by_its_id_is_found_and_erased(media: StoredMedia, tmp_path: Path) -> None:
    """What was kept when each file had its own bytes is served and erased as all others."""
    kept = await media.put(b"x", CLAIMED)
    assert kept.media_id is not None
    path = tmp_path / "media" / kept.media_id[:2] / kept.media_id
    path.parent.mkdir(exist_ok=True)
    next(each for each in (tmp_path / "media").rglob("*") if each.is_file()).rename(path)
    assert await media.get(kept.media_id) == (kept, b"x")
    await media.erase([kept.media_id])
    assert names_in(tmp_path) == []


async def test_files_come_and_go_at_once(media: StoredMedia) -> None:
    """While equal files are erased and kept at the same time, whatever is kept has its bytes."""

    async def come_and_go(count: int) -> None:
        for _ in range(count):
            kept = await media.put(b"the same", CLAIMED)
            assert kept.media_id is not None
            assert await media.get(kept.media_id) == (kept, b"the same")
            await media.erase([kept.media_id])

    await asyncio.gather(*(come_and_go(10) for _ in range(4)))


async def test_a_conversations_files_are_erased(media: StoredMedia, database: Database, tmp_path: Path) -> None:
    """Of a conversation's files nothing is left but that there were some, and others' files stay."""
    kept, others = await media.put(b"x", CLAIMED), await media.put(b"y", CLAIMED)
    remote = replace(CLAIMED, reference="https://cdn.example/secret.png")
    conversation = await database.write(meet)
    line = TranscriptLine(
        id=MessageId("m" * 32),
        author=Author.CUSTOMER,
        author_name=None,
        text="my bill",
        attachments=(kept, remote),
        choices=(),
        at=datetime.now(UTC),
        delivery=None,
    )
    await database.write(transcript.add, conversation.id, line, None)
    assert await media.erase_conversation(conversation.id) == 1
    assert names_in(tmp_path) == [hashlib.sha256(b"y").hexdigest()]
    (left,) = await database.read(transcript.last, conversation.id, 10)
    assert left.attachments == (Attachment(kind=AttachmentKind.FILE),) * 2
    assert others.media_id is not None
    assert await media.get(others.media_id) is not None
    await database.write(conversations.bind_customer, conversation.address, CustomerId("c1"), "order", line.at)
    assert await database.read(conversations.of_customer, "c1") == [conversation.id]


def meet(connection: Connection) -> Conversation:
    """Begin a conversation."""
    address = ChannelAddress(channel=ChannelName("test"), account=AccountId("brand"), external_id="jane")
    return conversations.meet(connection, address, None, datetime.now(UTC))


async def test_sweeping(media: StoredMedia, tmp_path: Path) -> None:
    """What is in no message for a day goes, and bytes without a file; what came just now stays."""
    await media.put(b"x", CLAIMED)
    stray = tmp_path / "media" / "ab" / "abcdef.0123"
    stray.parent.mkdir()
    stray.write_bytes(b"half a file")
    assert await media.sweep() == 0
    media._clock = SetClock(datetime.now(UTC) + UNSETTLED_FOR + timedelta(minutes=1))
    assert await media.sweep() == 2
    assert names_in(tmp_path) == []


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


async def test_files_leave_room_for_what_people_write(media: StoredMedia, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are refused well before the disk is full, as messages need it too."""
    left = shutil.disk_usage("/")._replace(free=RESERVED)
    monkeypatch.setattr("shutil.disk_usage", lambda _: left)
    with pytest.raises(MediaError, match="no room"):
        await media.put(b"x", CLAIMED)


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
        redraw(png(*size))


@pytest.mark.parametrize("cut", [9, 20, 40])
def test_a_damaged_picture_is_refused(cut: int) -> None:
    """A picture that cannot be read is refused, not passed on."""
    with pytest.raises(MediaError, match="damaged"):
        redraw(picture("PNG")[:cut])


def moving(kind: str, count: int, size: int = 8) -> bytes:
    """Return a picture that moves: each frame is of another colour, and shown for 40 milliseconds and more."""
    file = io.BytesIO()
    colours = [(n * 7 % 256, n * 3 % 256, n % 256) for n in range(count)]
    frames = [Image.new("RGB", (size, size), colour) for colour in colours]
    times = [40 + 10 * (n % 3) for n in range(count)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=times, loop=0)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_moving_pictures_move_on(kind: str) -> None:
    """A picture that moves still does, frame by frame and as fast."""
    with Image.open(io.BytesIO(redraw(moving(kind, 5)))) as drawn:
        assert (drawn.format, getattr(drawn, "n_frames", 1), drawn.size) == (kind, 5, (8, 8))
        for number in range(5):
            drawn.seek(number)
            drawn.load()
            assert drawn.info["duration"] == 40 + 10 * (number % 3)


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of more frames, or of more pixels in all frames, than anybody draws is refused."""
    with pytest.raises(MediaError, match="frames"):
        redraw(moving("GIF", FRAMES_MAX + 1, 1))
    monkeypatch.setattr("bot.store.pictures.PIXELS_MAX", 8 * 8 * 4)
    assert redraw(moving("GIF", 4))
    with pytest.raises(MediaError, match="pixels"):
        redraw(moving("GIF", 5))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_where_a_picture_was_taken_is_not_kept(kind: str) -> None:
    """Place, device, comments and thumbnails in a picture's file go; how it is turned is drawn into it."""
    told = Image.Exif()
    told[0x0112] = 6  # to be turned by a quarter
    told[0x010F] = "SecretPhone"
    told.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    notes = PngInfo()
    notes.add_text("Comment", "secret words")
    extras = {"pnginfo": notes} if kind == "PNG" else {"comment": b"secret words"}
    file = io.BytesIO()
    Image.new("RGB", (16, 8), "red").save(file, kind, exif=told, xmp=b"<x:xmpmeta>secret</x:xmpmeta>", **extras)
    assert b"SecretPhone" in file.getvalue()
    content = redraw(file.getvalue())
    for word in b"Secret", b"secret", b"xmpmeta", b"Exif":
        assert word not in content
    with Image.open(io.BytesIO(content)) as drawn:
        assert drawn.size == (8, 16)
        assert not drawn.getexif()
        red = drawn.convert("RGB").getpixel((4, 4))
        assert isinstance(red, tuple)
        assert red[0] > 250
        assert red[1] < 10


def test_what_hides_behind_a_picture_is_not_kept() -> None:
    """What stands behind the end of a picture, or in a comment of it, does not come through."""
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF", comment=b"<script>alert(1)</script>")
    for content in (
        picture("PNG") + b"<script>alert(1)</script>",
        file.getvalue(),
        picture("JPEG") + b"PK\x03\x04<script",
    ):
        assert b"<script" in content
        assert b"<script" not in redraw(content)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_all_depths(mode: str) -> None:
    """Grey, indexed, transparent and deep pictures stay what they are."""
    file = io.BytesIO()
    Image.new(mode, (5, 3)).save(file, "PNG")
    with Image.open(io.BytesIO(redraw(file.getvalue()))) as drawn:
        assert (drawn.mode, drawn.size) == (mode, (5, 3))


async def test_a_picture_is_kept_as_it_was_drawn(media: StoredMedia) -> None:
    """Size and bytes of a kept picture are those of the new drawing."""
    kept = await media.put(picture("JPEG") + b"hidden", CLAIMED)
    assert kept.media_id is not None
    assert await media.get(kept.media_id) == (kept, redraw(picture("JPEG")))
    assert (kept.kind, kept.size) == (AttachmentKind.IMAGE, len(redraw(picture("JPEG"))))


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
