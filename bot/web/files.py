"""Where channels and customers fetch files that we sent: `/files/TOKEN`, with the token of a signed link.

Nothing is listed, nothing is found without a link, and a file that was erased is gone from its links at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from urllib.parse import quote

from sanic import Blueprint, HTTPResponse, Request, response

from bot.domain.errors import MediaError
from bot.domain.file_links import PATH, PREVIEW, FileLinks
from bot.domain.messages import Attachment, MediaId
from bot.domain.ports import MediaStore
from bot.store.pictures import RASTER, Thumbnails
from bot.web.limits import Limiter, Rate

#: Of one link, whoever asks: a channel fetches a file a few times, and shows its own copy from then on.
_LOOKS = Rate(burst=60, every=1.0)
#: Each is drawn anew.
_PREVIEWS = Rate(burst=6, every=10.0)
_HEADERS = {
    # What is erased must not live on in a cache of others, nor the link in their logs.
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}


@dataclass(frozen=True, kw_only=True)
class FilesParts:
    """What the routes need."""

    links: FileLinks
    media: MediaStore
    now: Callable[[], datetime]


def files_blueprint(parts: FilesParts) -> Blueprint:
    """Return the routes under `/files`.

    404: the link is not ours, is too old, or its file was erased; which of them nobody is told.
    """
    blueprint = Blueprint("files", url_prefix=PATH)
    files = _Files(parts)
    blueprint.add_route(files.file, "/<token:str>", methods=["GET", "HEAD"], name="file")
    blueprint.add_route(files.preview, f"/<token:str>{PREVIEW}", methods=["GET", "HEAD"], name="preview")
    return blueprint


class _Files:
    """The handlers."""

    def __init__(self, parts: FilesParts) -> None:
        self._parts = parts
        self._looks, self._previews = Limiter(_LOOKS), Limiter(_PREVIEWS)
        self._thumbnails = Thumbnails()

    async def file(self, request: Request, token: str) -> HTTPResponse | None:
        """Answer with a file: a picture to look at, anything else to save."""
        media_id = self._parts.links.read(token, self._parts.now())
        if media_id is None:
            return _gone()
        if (refused := _refused(self._looks, media_id)) is not None:
            return refused
        found = await self._parts.media.pieces(media_id)
        if found is None:
            return _gone()
        kept, pieces = found
        headers = _HEADERS | {"content-disposition": _disposition(kept), "content-length": str(kept.size)}
        content_type = kept.media_type or "application/octet-stream"
        if request.method == "HEAD":
            return response.raw(b"", headers=headers, content_type=content_type)
        stream = await request.respond(content_type=content_type, headers=headers)
        if stream is not None:
            async for piece in pieces:
                await stream.send(piece)
            await stream.eof()
        return None

    async def preview(self, request: Request, token: str) -> HTTPResponse:
        """Answer with a small picture of a picture."""
        media_id = self._parts.links.read(token, self._parts.now())
        if media_id is None:
            return _gone()
        if (refused := _refused(self._previews, media_id)) is not None:
            return refused
        found = await self._parts.media.get(media_id)
        if found is None or found[0].media_type not in RASTER:
            return _gone()
        try:
            small = await self._thumbnails.draw(found[1])
        except MediaError:
            return _gone()
        headers = _HEADERS | {"content-length": str(len(small))}
        return response.raw(b"" if request.method == "HEAD" else small, headers=headers, content_type="image/jpeg")


def _refused(limiter: Limiter, media_id: MediaId) -> HTTPResponse | None:
    seconds = limiter.wait_for(media_id, time.monotonic())
    headers = {"retry-after": str(ceil(seconds))}
    return response.text("That was a lot at once. Try again in a moment.", 429, headers) if seconds else None


def _gone() -> HTTPResponse:
    return response.text("There is no such file, or its link is too old: ask for it again.", 404, _HEADERS)


def _disposition(kept: Attachment) -> str:
    place = "inline" if kept.media_type in RASTER else "attachment"
    return f"{place}; filename*=UTF-8''{quote(kept.name or 'file', safe='')}"
