"""Files that customers and agents send: the bytes in a folder, under names of ours; what they are in the database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import puremagic
from sqlalchemy import Connection, delete, select

from bot.domain.conversations import ConversationId
from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, MediaId
from bot.domain.ports import Clock
from bot.domain.texts import line
from bot.store import transcript
from bot.store.database import Database, lock_table
from bot.store.ids import new_media_id
from bot.store.pictures import RASTER, redraw
from bot.store.schema import media

SIZE_MAX = 20 * 1024 * 1024
#: Bytes of the disk that files leave to the database: who fills it with files keeps nobody from writing.
RESERVED = 1024 * 1024 * 1024
#: What nothing points to is left alone for so long: it may be on its way into a message.
UNSETTLED_FOR = timedelta(days=1)
#: Files that one transaction forgets.
_AT_ONCE = 500
_KIND_OF = {"audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
#: What a browser would run as a page, wherever in the first kilobytes it stands; after a `<` at the very start.
_PAGE_MARKS = ("<!doctype html", "<html", "<head", "<body", "<script", "<svg", "<iframe", "<img", "xmlns")
_PAGES = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml"})
_LOOKED_AT = 4096
_NAME_MAX = 200
#: Bytes that are read at once of a file on its way out.
_PIECE = 64 * 1024


class StoredMedia:
    """`bot.domain.ports.MediaStore` over a folder and the database; equal files share their bytes."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        """Keep the bytes below `folder`, which is made when needed."""
        self._database = database
        self._clock = clock
        self._folder = folder
        # Several large pictures at once would not fit into memory.
        self._drawing = asyncio.Lock()

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the file and return it with our id, its sniffed type and its size; raises `MediaError`.

        A picture is drawn anew, so what is kept of it are not the bytes that came.
        """
        if not content:
            raise MediaError("the file is empty")
        if len(content) > SIZE_MAX:
            raise MediaError(f"the file is larger than {SIZE_MAX // 1024 // 1024} MB")
        if not await asyncio.to_thread(self._has_room):
            raise MediaError("there is no room for files now")
        kept = await asyncio.to_thread(inspect, content, attachment)
        if kept.media_type in RASTER:
            async with self._drawing:
                content = await asyncio.to_thread(redraw, content)
        name = line(attachment.name)[:_NAME_MAX]
        kept = replace(kept, media_id=new_media_id(), name=name, reference="", size=len(content))
        digest = hashlib.sha256(content).hexdigest()
        is_kept = False
        while not is_kept:
            try:
                await asyncio.to_thread(self._write, digest, content)
            except OSError as error:
                raise MediaError("the file cannot be written to disk") from error
            # Whoever erased the last equal file in this moment has taken the bytes away.
            is_kept = await self._database.write(_add, kept, self._path(digest), self._clock.now())
        return kept

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        found = await self._find(media_id)
        try:
            return (found[0], await asyncio.to_thread(found[1].read_bytes)) if found else None
        except FileNotFoundError:
            return None

    async def pieces(self, media_id: MediaId) -> tuple[Attachment, AsyncIterator[bytes]] | None:
        """Return the file with its bytes piece by piece, each read once the one before was taken; or none."""
        found = await self._find(media_id)
        return (found[0], _pieces(found[1])) if found else None

    async def _find(self, media_id: MediaId) -> tuple[Attachment, Path] | None:
        found = await self._database.read(_get, media_id)
        if found is None:
            return None
        for path in self._paths(media_id, found[1]):
            if await asyncio.to_thread(path.is_file):
                return found[0], path
        return None

    async def erase(self, media_ids: Collection[MediaId]) -> int:
        """Forget files, and delete the bytes that nobody else's file has; return how many there were."""
        return await self._database.write(self._erase, media_ids)

    async def erase_conversation(self, conversation_id: str) -> int:
        """Forget all files that were sent in a conversation, either way; its lines no longer say what they were."""
        return await self._database.write(self._erase_conversation, conversation_id)

    async def sweep(self) -> int:
        """Forget what no message has had for a day, and delete bytes of no file; return how many files there were."""
        before = self._clock.now() - UNSETTLED_FOR
        loose = await self._database.read(_loose, before)
        count = 0
        for start in range(0, len(loose), _AT_ONCE):
            count += await self.erase(loose[start : start + _AT_ONCE])
        return count + await self._database.write(self._delete_strays, before)

    def _erase_conversation(self, connection: Connection, conversation_id: str) -> int:
        return self._erase(connection, transcript.forget_files(connection, ConversationId(conversation_id)))

    def _erase(self, connection: Connection, media_ids: Collection[MediaId]) -> int:
        # Nobody may come to share the bytes between the look and the deletion.
        lock_table(connection, media)
        mine = media.c.id.in_(media_ids)
        gone = connection.execute(delete(media).where(mine).returning(media.c.id, media.c.sha256)).all()
        for media_id, digest in gone:
            own, shared = self._path(media_id), self._path(digest)
            own.unlink(missing_ok=True)
            if connection.execute(select(media.c.id).where(media.c.sha256 == digest).limit(1)).first() is None:
                shared.unlink(missing_ok=True)
        return len(gone)

    def _delete_strays(self, connection: Connection, before: datetime) -> int:
        """Delete bytes that have no row, as a process that died between the two may have left."""
        lock_table(connection, media)
        known = {name for row in connection.execute(select(media.c.id, media.c.sha256)) for name in row}
        count = 0
        for path in self._folder.glob("*/*"):
            if path.name not in known and path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
                count += 1
        return count

    def _has_room(self) -> bool:
        """Whether the disk has more left than is kept for what people write."""
        folder = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        return shutil.disk_usage(folder).free > RESERVED

    def _paths(self, media_id: MediaId, digest: str) -> Iterator[Path]:
        yield self._path(digest)
        # Until equal files were kept once, each was kept by its id.
        yield self._path(media_id)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _write(self, digest: str, content: bytes) -> None:
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"{digest}.{secrets.token_hex(8)}")
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        # A power cut takes names away that their folders do not keep yet, also those that others have just given.
        for folder in (path.parent, self._folder, self._folder.parent):
            _make_safe(folder)


def _make_safe(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield a file piece by piece, opened for each anew: whoever takes them slowly keeps neither memory nor a file."""
    start = 0
    while piece := await asyncio.to_thread(_piece, path, start):
        yield piece
        start += len(piece)


def _piece(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(_PIECE)


def _loose(connection: Connection, before: datetime) -> list[MediaId]:
    """Return the files older than that which are in no message."""
    used = transcript.all_files(connection)
    old = connection.scalars(select(media.c.id).where(media.c.created_at < before))
    return [MediaId(media_id) for media_id in old if media_id not in used]


def inspect(content: bytes, attachment: Attachment) -> Attachment:
    """Return the attachment with the type its bytes have, whatever its sender said; raises `MediaError`."""
    if _is_page(content) or _is_program(content):
        raise MediaError("files of this kind are not accepted")
    media_type = _sniff(content)
    if media_type in _PAGES:
        raise MediaError("files of this kind are not accepted")
    if media_type in RASTER:
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


def _add(connection: Connection, attachment: Attachment, path: Path, now: datetime) -> bool:
    """Add the file's row; return whether its bytes are there still. They cannot go before this transaction ends."""
    connection.execute(
        media.insert().values(
            id=attachment.media_id,
            kind=attachment.kind.value,
            name=attachment.name,
            media_type=attachment.media_type,
            size=attachment.size,
            sha256=path.name,
            created_at=now,
        )
    )
    if path.exists():
        return True
    connection.execute(delete(media).where(media.c.id == attachment.media_id))
    return False


def _get(connection: Connection, media_id: MediaId) -> tuple[Attachment, str] | None:
    row = connection.execute(select(media).where(media.c.id == media_id)).one_or_none()
    if row is None:
        return None
    kind = AttachmentKind(row.kind)
    found = Attachment(kind=kind, name=row.name, media_type=row.media_type, size=row.size, media_id=MediaId(row.id))
    return found, row.sha256
