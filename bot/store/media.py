"""Files that customers and agents send: the bytes in a folder, under names of ours; what they are in the database."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import puremagic
from PIL import Image, UnidentifiedImageError
from sqlalchemy import Connection, select

from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, MediaId
from bot.domain.ports import Clock
from bot.domain.texts import line
from bot.store.database import Database
from bot.store.ids import new_media_id
from bot.store.schema import media

SIZE_MAX = 20 * 1024 * 1024
#: An image of more pixels is a bomb, not a photograph.
PIXELS_MAX = 50_000_000
_RASTER = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_KIND_OF = {"audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
#: What a browser would run as a page, wherever in the first kilobytes it stands; after a `<` at the very start.
_PAGE_MARKS = ("<!doctype html", "<html", "<head", "<body", "<script", "<svg", "<iframe", "<img", "xmlns")
_PAGES = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml"})
_LOOKED_AT = 4096
_NAME_MAX = 200


class StoredMedia:
    """`bot.domain.ports.MediaStore` over a folder and the database."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        """Keep the bytes below `folder`, which is made when needed."""
        self._database = database
        self._clock = clock
        self._folder = folder

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the file and return it with our id, its sniffed type and its size; raises `MediaError`."""
        if not content:
            raise MediaError("the file is empty")
        if len(content) > SIZE_MAX:
            raise MediaError(f"the file is larger than {SIZE_MAX // 1024 // 1024} MB")
        kept = await asyncio.to_thread(inspect, content, attachment)
        media_id = new_media_id()
        name = line(attachment.name)[:_NAME_MAX]
        kept = replace(kept, media_id=media_id, name=name, reference="", size=len(content))
        try:
            await asyncio.to_thread(self._write, media_id, content)
        except OSError as error:
            raise MediaError("the file cannot be written to disk") from error
        digest = hashlib.sha256(content).hexdigest()
        await self._database.write(_add, kept, digest, self._clock.now())
        return kept

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        attachment = await self._database.read(_get, media_id)
        if attachment is None:
            return None
        try:
            return attachment, await asyncio.to_thread(self._path(media_id).read_bytes)
        except FileNotFoundError:
            return None

    def _path(self, media_id: MediaId) -> Path:
        return self._folder / media_id[:2] / media_id

    def _write(self, media_id: MediaId, content: bytes) -> None:
        path = self._path(media_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def inspect(content: bytes, attachment: Attachment) -> Attachment:
    """Return the attachment with the type its bytes have, whatever its sender said; raises `MediaError`."""
    if _is_page(content) or _is_program(content):
        raise MediaError("files of this kind are not accepted")
    media_type = _sniff(content)
    if media_type in _PAGES:
        raise MediaError("files of this kind are not accepted")
    if media_type in _RASTER:
        _check_image(content)
        return replace(attachment, kind=AttachmentKind.IMAGE, media_type=media_type)
    kind = _KIND_OF.get(media_type.partition("/")[0], AttachmentKind.FILE)
    if kind is not AttachmentKind.FILE and attachment.kind in _KIND_OF.values():
        # Sound and film come in the same containers: there the sender knows best.
        kind = attachment.kind
    return replace(attachment, kind=kind, media_type=media_type)


def _is_page(content: bytes) -> bool:
    head = content[:_LOOKED_AT]
    coding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = head.decode(coding, "replace").lstrip().lower()
    return text.startswith("<") and any(mark in text for mark in _PAGE_MARKS)


def _is_program(content: bytes) -> bool:
    return content.startswith(b"\x7fELF") or (content.startswith(b"MZ") and b"\0" in content[:64])


def _sniff(content: bytes) -> str:
    try:
        found = [str(match.mime_type) for match in puremagic.magic_string(content) if match.mime_type]
    except (puremagic.PureError, ValueError):
        found = []
    if found:
        return "audio/ogg" if found[0] == "application/ogg" else found[0]
    try:
        content[:_LOOKED_AT].decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the cut went through is no reason.
        if error.start < _LOOKED_AT - 4 or len(content) <= _LOOKED_AT:
            return "application/octet-stream"
    return "text/plain"


def _check_image(content: bytes) -> None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > PIXELS_MAX:
                raise MediaError("the picture has too many pixels")
            image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError("the picture has too many pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise MediaError("the picture is damaged") from error


def _add(connection: Connection, attachment: Attachment, digest: str, now: datetime) -> None:
    connection.execute(
        media.insert().values(
            id=attachment.media_id,
            kind=attachment.kind.value,
            name=attachment.name,
            media_type=attachment.media_type,
            size=attachment.size,
            sha256=digest,
            created_at=now,
        )
    )


def _get(connection: Connection, media_id: MediaId) -> Attachment | None:
    row = connection.execute(select(media).where(media.c.id == media_id)).one_or_none()
    if row is None:
        return None
    kind = AttachmentKind(row.kind)
    return Attachment(kind=kind, name=row.name, media_type=row.media_type, size=row.size, media_id=MediaId(row.id))
