"""Files on their way to and from Meta."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields
from connectors.files import File
from connectors.meta.account import MetaAccount
from connectors.meta.api import GraphApi

#: What a customer sends is fetched up to here.
FETCH_MAX_BYTES = 25_000_000
#: Where Meta keeps customers' files.
_HOSTS = frozenset({"*.fbcdn.net", "*.fbsbx.com", "*.cdninstagram.com"})


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Where an account's files go."""

    api: GraphApi
    path: str
    #: what the form calls the file, and what the answer calls its id
    member: str
    id_member: str

    async def upload(self, kept: Attachment, content: bytes, members: Mapping[str, str]) -> str | Permanent | Retry:
        """Return what Meta calls a file from now on; no customer sees it yet, so what is uncertain may be repeated."""
        file = File(
            member=self.member,
            name=kept.name or "file",
            media_type=kept.media_type or "application/octet-stream",
            content=content,
        )
        answer = await self.api.upload(self.path, members, file)
        if isinstance(answer, Ambiguous):
            return Retry(reason=answer.reason)
        if not isinstance(answer, Fields):
            return answer
        try:
            return answer.text(self.id_member)
        except MalformedWebhookError:
            return Retry(reason="Meta's answer to an upload cannot be read")


def has_address(attachment: Attachment) -> bool:
    """Whether Meta itself can fetch the file, which we do not keep."""
    return attachment.media_id is None and attachment.reference.startswith(("https://", "http://"))


def downloads(account: MetaAccount, sleep: Callable[[float], Awaitable[None]]) -> Downloads:
    """Return what fetches customers' files, from Meta's own servers and from nowhere else."""
    own = frozenset({origin_of(account.base_url)})
    return Downloads(_HOSTS, FETCH_MAX_BYTES, account.proxy_url, own, sleep)
