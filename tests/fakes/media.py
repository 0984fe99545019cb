"""A media store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace

from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, MediaId


@dataclass
class MemoryMedia:
    """Keeps files as long as the test."""

    files: dict[MediaId, tuple[Attachment, bytes]] = field(default_factory=dict)
    #: in bytes
    size_max: int = 1_000_000

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the bytes and return the attachment with its id and size."""
        if len(content) > self.size_max:
            raise MediaError(f"{attachment.name} is too large.")
        media_id = MediaId(f"{len(self.files) + 1:032x}")
        kept = replace(attachment, media_id=media_id, size=len(content), reference="")
        self.files[media_id] = (kept, content)
        return kept

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        return self.files.get(media_id)

    async def pieces(self, media_id: MediaId) -> tuple[Attachment, AsyncIterator[bytes]] | None:
        """Return the file, its bytes in pieces, or none."""
        found = self.files.get(media_id)
        return (found[0], _in_two(found[1])) if found else None

    async def erase(self, media_ids: Collection[MediaId]) -> int:
        """Forget files."""
        return sum(self.files.pop(each, None) is not None for each in media_ids)


async def _in_two(content: bytes) -> AsyncIterator[bytes]:
    half = len(content) // 2
    for piece in (content[:half], content[half:]):
        yield piece
