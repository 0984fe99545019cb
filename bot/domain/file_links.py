"""Links to kept files, for whoever has them: signed by us, and void after some days."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.domain.messages import MediaId

#: How long a link works at least; up to a day more, so that a link made again on the same day is the same.
LIVES_FOR = timedelta(days=7)
#: Where the files are on our port.
PATH = "/files"
#: After a link: the same picture, small enough for any preview.
PREVIEW = "/preview"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEDIA_ID = re.compile(r"[0-9a-f]{32}")
_ID_BYTES, _DAY_BYTES, _MAC_BYTES = 16, 2, 12
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40}")


@dataclass(frozen=True, kw_only=True)
class FileLinks:
    """Makes links and reads them; both are pure."""

    #: how the world reaches us (https://care.example.com)
    public_url: str
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, public_url: str, secret: str) -> FileLinks:
        """Return what signs links with a key of its own, made from the service's secret."""
        return cls(public_url=public_url, key=hmac.digest(secret.encode(), b"links to files", "sha256"))

    def link(self, media_id: MediaId | None, now: datetime) -> str:
        """Return the link to a kept file, always of the same length; empty for a file that is not kept."""
        if media_id is None or not _MEDIA_ID.fullmatch(media_id):
            return ""
        last_day = (now - _EPOCH + LIVES_FOR).days
        said = bytes.fromhex(media_id) + last_day.to_bytes(_DAY_BYTES, "big")
        token = base64.urlsafe_b64encode(said + self._mac(said)).decode()
        return f"{self.public_url}{PATH}/{token}"

    def read(self, token: str, now: datetime) -> MediaId | None:
        """Return the file that the end of a link names; none where we did not sign it, or it is void by now."""
        if not _TOKEN.fullmatch(token):
            return None
        raw = base64.urlsafe_b64decode(token)
        said, mac = raw[: _ID_BYTES + _DAY_BYTES], raw[_ID_BYTES + _DAY_BYTES :]
        if not hmac.compare_digest(mac, self._mac(said)):
            return None
        last_day = int.from_bytes(said[_ID_BYTES:], "big")
        return MediaId(said[:_ID_BYTES].hex()) if (now - _EPOCH).days <= last_day else None

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self.key, said, "sha256")[:_MAC_BYTES]


def preview(link: str) -> str:
    """Return the link to a small picture of the picture that a link leads to."""
    return link + PREVIEW
