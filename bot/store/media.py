"""Files that customers and agents send: the bytes in a folder, under names of ours; what they are in the database."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import puremagic
from PIL import Image, UnidentifiedImageError
from sqlalchemy import Connection, select

from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, MediaId
from bot.domain.ports import Clock
from bot.store.database import Database
from bot.store.ids import new_media_id
from bot.store.schema import media

SIZE_MAX = 20 * 1024 * 1024
#: An image of more pixels is a bomb, not a photograph.
PIXELS_MAX = 50_000_000
_RASTER = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_NOT_KEPT = frozenset({"text/html", "application/xhtml+xml", "application/x-msdownload", "application/x-executable"})
_KIND_OF = {"audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}


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
        kept = replace(kept, media_id=media_id, reference="", size=len(content))
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
    media_type = _sniff(content)
    if media_type in _NOT_KEPT:
        raise MediaError("files of this kind are not accepted")
    if media_type in _RASTER:
        _check_image(content)
        return replace(attachment, kind=AttachmentKind.IMAGE, media_type=media_type)
    kind = _KIND_OF.get(media_type.partition("/")[0], AttachmentKind.FILE)
    return replace(attachment, kind=kind, media_type=media_type)


def _sniff(content: bytes) -> str:
    try:
        found = str(puremagic.from_string(content, mime=True))
    except (puremagic.PureError, ValueError):
        found = ""
    if found:
        return found
    try:
        content[:4096].decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"


def _check_image(content: bytes) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > PIXELS_MAX:
                    raise MediaError("the picture has too many pixels")
                image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
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
