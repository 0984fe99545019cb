"""Files on their way to and from X.

https://docs.x.com/x-api/media/quickstart/media-upload-chunked
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.ports import MediaStore
from connectors.fields import Fields
from connectors.x.api import Failure, XApi

#: Type → what X calls it, and how large it may be.
_TYPES = {
    "image/jpeg": ("image", 5_000_000),
    "image/png": ("image", 5_000_000),
    "image/webp": ("image", 5_000_000),
    "image/gif": ("gif", 15_000_000),
    "video/mp4": ("video", 15_000_000),
}
FILE_MAX_BYTES = 15_000_000
FILE_KINDS = frozenset({AttachmentKind.IMAGE, AttachmentKind.VIDEO})
#: Where X keeps what people send.
HOSTS = frozenset({"*.twimg.com", "ton.twitter.com", "ton.x.com"})
_PART_BYTES = 4_000_000
#: Films are worked on for a while before they can be sent.
_LOOKS_MAX, _LONGEST_PAUSE = 12, 10.0


def fits(attachment: Attachment) -> bool:
    """Whether X shows a file of that type and size; of one whose type is not known yet it is believed."""
    if not attachment.media_type:
        return True
    known = _TYPES.get(attachment.media_type)
    return known is not None and (attachment.size or 0) <= known[1]


class Uploads:
    """Brings an account's files to X; nobody sees them yet, so what is uncertain may be repeated."""

    def __init__(self, api: XApi, media: MediaStore, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Upload by `api` what `media` holds; `sleep` waits while X works on a film."""
        self._api = api
        self._media = media
        self._sleep = sleep

    async def upload(self, attachment: Attachment, surface: str) -> str | Permanent | Retry:
        """Return what X calls a file from now on; `surface` is "dm" or "tweet"."""
        if attachment.media_id is None:
            return Permanent(reason="there is no file to send")
        try:
            found = await self._media.get(attachment.media_id)
        except Exception as error:  # noqa: BLE001 - whatever keeps the files: nothing has left yet
            return Retry(reason=f"the file cannot be read now ({type(error).__name__})")
        if found is None:
            return Permanent(reason="the file is no longer kept")
        kept, content = found
        known = _TYPES.get(kept.media_type)
        if known is None or len(content) > known[1]:
            return Permanent(
                reason="X shows pictures (JPEG, PNG, WEBP, GIF) up to 5 MB and films (MP4) up to 15 MB only"
            )
        try:
            made = await self._upload(kept.media_type, f"{surface}_{known[0]}", content)
        except MalformedWebhookError:
            return Retry(reason="X's answer to an upload cannot be read")
        return Retry(reason=made.reason) if isinstance(made, Ambiguous) else made

    async def _upload(self, media_type: str, category: str, content: bytes) -> str | Failure:
        about = {"media_type": media_type, "media_category": category, "total_bytes": len(content)}
        begun = await self._api.post("2/media/upload/initialize", about)
        if not isinstance(begun, Fields):
            return begun
        media_id = begun.object("data").text("id")
        for number, start in enumerate(range(0, len(content), _PART_BYTES)):
            part = content[start : start + _PART_BYTES]
            taken = await self._api.upload(f"2/media/upload/{media_id}/append", number, part)
            if not isinstance(taken, Fields):
                return taken
        ended = await self._api.post(f"2/media/upload/{media_id}/finalize", {})
        for _ in range(_LOOKS_MAX):
            if not isinstance(ended, Fields):
                return ended
            pause = _pause_in(ended)
            if pause is None:
                return media_id
            if pause < 0:
                return Permanent(reason="X cannot show the film")
            await self._sleep(min(pause, _LONGEST_PAUSE))
            ended = await self._api.get("2/media/upload", {"command": "STATUS", "media_id": media_id})
        return Retry(reason="X is still working on the film")


def _pause_in(answer: Fields) -> float | None:
    """Return for how many seconds X wants to work on a file, none when it is ready; less than none: it has failed."""
    data = answer.object("data") if "data" in answer else Fields({})
    info = data.object("processing_info") if "processing_info" in data else Fields({})
    match info.text("state", "succeeded"):
        case "succeeded":
            return None
        case "failed":
            return -1.0
        case _:
            return float(info.size("check_after_secs") or 1)
