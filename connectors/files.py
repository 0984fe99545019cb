"""Files on their way out: those that we keep, and the forms that carry them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.connectors import Permanent, Retry
from bot.domain.messages import Attachment
from bot.domain.ports import MediaStore
from connectors.fields import storable


@dataclass(frozen=True, kw_only=True)
class File:
    """A file on its way to a channel."""

    #: what the form calls it
    member: str
    #: what the customer will see
    name: str
    #: MIME type
    media_type: str
    content: bytes


async def load(media: MediaStore, attachment: Attachment) -> tuple[Attachment, bytes] | Permanent | Retry:
    """Return a file that we keep."""
    if attachment.media_id is None:
        return Permanent(reason="there is no file to send")
    try:
        found = await media.get(attachment.media_id)
    except Exception as error:  # noqa: BLE001 - whatever keeps the files: nothing has left yet
        return Retry(reason=f"the file cannot be read now ({type(error).__name__})")
    return found if found is not None else Permanent(reason="the file is no longer kept")


def form(members: Mapping[str, str], file: File) -> tuple[str, bytes]:
    """Return content type and body of a multipart form; the file's name is written as browsers write it."""
    boundary = secrets.token_hex(16)
    head = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in members.items()
    )
    name = storable(file.name).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    part = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{file.member}"; filename="{name}"\r\n'
        f"Content-Type: {file.media_type}\r\n\r\n"
    )
    body = head + part.encode() + file.content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
