"""Fetches the files that agents put with a message, from Slack and from nowhere else."""

from __future__ import annotations

import aiohttp
from yarl import URL

from bot.desk.slack.events import SlackFile
from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.ports import MediaStore

#: The largest file we take over, in bytes.
SIZE_MAX = 20 * 1024 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}


class SlackFiles:
    """Fetches a file with the bot token and keeps it."""

    def __init__(self, token: str, base_url: str, media: MediaStore, size_max: int = SIZE_MAX) -> None:
        """`base_url` is that of Slack's Web API: beside slack.com, only its host is ever sent the token."""
        self._token = token
        self._api = URL(base_url)
        self._media = media
        self._size_max = size_max

    async def keep(self, file: SlackFile) -> Attachment:
        """Return the file as a stored attachment; raises `MediaError` with a sentence for the agent."""
        name = file.name or "the file"
        if file.size > self._size_max:
            raise MediaError(f"{name} is too large: {self._size_max // (1024 * 1024)} MB is the most.")
        content = await self._fetch(file, name)
        kind = _KINDS.get(file.media_type.partition("/")[0], AttachmentKind.FILE)
        described = Attachment(kind=kind, name=file.name, media_type=file.media_type, size=len(content))
        return await self._media.put(content, described)

    async def _fetch(self, file: SlackFile, name: str) -> bytes:
        if not self.is_slack(file.url):
            raise MediaError(f"{name} is not stored in Slack, so it cannot be sent. Upload it to Slack instead.")
        headers = {"Authorization": f"Bearer {self._token}"}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(URL(file.url), headers=headers, allow_redirects=False) as answer,
        ):
            # Without the scope files:read Slack redirects to its sign-in page.
            if answer.status != 200 or (answer.content_type == "text/html" and file.media_type != "text/html"):
                raise MediaError(f"Slack does not hand out {name} (status {answer.status}). Send it again.")
            content = bytearray()
            async for chunk in answer.content.iter_chunked(64 * 1024):
                content += chunk
                if len(content) > self._size_max:
                    raise MediaError(f"{name} is too large: {self._size_max // (1024 * 1024)} MB is the most.")
        return bytes(content)

    def is_slack(self, address: str) -> bool:
        """Whether the address is Slack's own: nothing of ours goes anywhere else."""
        try:
            url = URL(address)
            if url.origin() == self._api.origin():
                return True
        except ValueError:
            return False
        host = url.host or ""
        return url.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))
