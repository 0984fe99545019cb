"""Files on their way to a Mastodon server (https://docs.joinmastodon.org/methods/media/)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.ports import MediaStore
from connectors import files
from connectors.fields import storable
from connectors.mastodon.api import Failure, MastodonApi

#: As many bytes as a picture may have; https://docs.joinmastodon.org/user/posting/#attachments
FILE_MAX_BYTES = 16_000_000
FILE_KINDS = frozenset({AttachmentKind.IMAGE, AttachmentKind.VIDEO, AttachmentKind.AUDIO})
#: Films are worked on for a while before they can be shown.
_LOOKS_MAX, _LOOKS_EVERY = 30, 2.0


class Uploads:
    """Brings an account's files to its server; nobody sees them yet, so what is uncertain may be repeated."""

    def __init__(self, api: MastodonApi, media: MediaStore, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Upload by `api` what `media` holds; `sleep` waits while the server works on a film."""
        self._api = api
        self._media = media
        self._sleep = sleep

    async def upload(self, attachment: Attachment) -> str | Permanent | Retry:
        """Return what the server calls a file from now on."""
        found = await files.load(self._media, attachment)
        if not isinstance(found, tuple):
            return found
        kept, content = found
        media_type = kept.media_type or "application/octet-stream"
        file = files.File(member="file", name=kept.name or "file", media_type=media_type, content=content)
        uploaded = await self._api.upload(file, storable(kept.name))
        if not isinstance(uploaded, tuple):
            return uncertain_is_later(uploaded)
        media_id, is_ready = uploaded
        for _ in range(_LOOKS_MAX):
            if is_ready:
                return media_id
            await self._sleep(_LOOKS_EVERY)
            looked = await self._api.is_ready(media_id)
            if not isinstance(looked, bool):
                return uncertain_is_later(looked)
            is_ready = looked
        return Retry(reason="the server is still working on the film")


def uncertain_is_later(failure: Failure) -> Permanent | Retry:
    """Return what is known of a failed call that shows nobody anything."""
    return Retry(reason=failure.reason) if isinstance(failure, Ambiguous) else failure
