"""Pictures on their way to Bluesky (https://docs.bsky.app/docs/api/com-atproto-repo-upload-blob)."""

from __future__ import annotations

from bot.domain.connectors import Retry
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment
from bot.domain.ports import MediaStore
from connectors import files
from connectors.bluesky.api import BlueskyApi, Failure, unseen
from connectors.fields import Fields, load, storable

#: Bytes of a picture: lexicon app.bsky.embed.images.
PICTURE_MAX = 1_000_000


class Pictures:
    """Brings an account's pictures to its server; nobody sees them yet, so what is uncertain may be repeated."""

    def __init__(self, api: BlueskyApi, media: MediaStore) -> None:
        """Upload by `api` what `media` holds."""
        self._api = api
        self._media = media

    async def shown(self, attachment: Attachment) -> dict[str, object] | Failure:
        """Return a picture as a post shows it."""
        found = await files.load(self._media, attachment)
        if not isinstance(found, tuple):
            return found
        kept, content = found
        answer = await self._api.upload(content, kept.media_type or "application/octet-stream")
        if not isinstance(answer, bytes):
            return unseen(answer)
        try:
            blob = Fields(load(answer)).object("blob")
            image = {
                "$type": "blob",
                "ref": {"$link": blob.object("ref").text("$link")},
                "mimeType": blob.text("mimeType"),
                "size": blob.size("size"),
            }
        except MalformedWebhookError:
            return Retry(reason="Bluesky's answer names no picture")
        return {"alt": storable(kept.name), "image": image}
