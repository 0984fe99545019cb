"""The names of our mails: each holds the key of the call that sent it, so that what comes back shows whose it is."""

from __future__ import annotations

import base64
import binascii
import re

#: Begins the `Message-ID` of every mail of ours.
OURS = "tandem."
_OURS = re.compile(r"<" + re.escape(OURS) + r"([A-Za-z0-9_-]{2,600})@[^<>@\s]{1,255}>")


def message_id_of(key: str, domain: str) -> str:
    """Return the `Message-ID` of the mail that the call of that key sends: the same again for the same call."""
    return f"<{OURS}{base64.urlsafe_b64encode(key.encode()).decode().rstrip('=')}@{domain}>"


def key_of(message_id: str) -> str | None:
    """Return the key of the call that sent a mail of that name; none for a mail that is not ours."""
    found = _OURS.fullmatch(message_id)
    if found is None:
        return None
    coded = found.group(1)
    try:
        key = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key if key.isprintable() else None
