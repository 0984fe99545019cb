"""A media store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.domain.messages import Attachment, MediaId


@dataclass
class MemoryMedia:
    """Keeps files as long as the test."""

    files: dict[MediaId, tuple[Attachment, bytes]] = field(default_factory=dict)

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the bytes and return the attachment with its id and size."""
        media_id = MediaId(f"{len(self.files):032x}")
        kept = replace(attachment, media_id=media_id, size=len(content))
        self.files[media_id] = (kept, content)
        return kept

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        return self.files.get(media_id)
