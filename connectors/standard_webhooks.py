"""Signed webhooks as the Standard Webhooks specification has them, for both directions; pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from bot.domain.errors import WebhookRejectedError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
#: Seconds that a call's own clock may be away from ours.
TOLERANCE = 300
#: Bytes of a secret (specification, "Signature scheme").
_SECRET_MIN, _SECRET_MAX = 24, 64
_VERSION = "v1"


def read_secret(text: str) -> bytes:
    """Return the key that `whsec_…` stands for; raises `ValueError` that says what it must look like."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not _SECRET_MIN <= len(key) <= _SECRET_MAX:
        raise ValueError(f"a secret is {PREFIX} and {_SECRET_MIN} to {_SECRET_MAX} random bytes in base64")
    return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of one call: `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return f"{_VERSION},{base64.b64encode(digest).decode()}"


def headers(key: bytes, message_id: str, body: bytes, now: float) -> dict[str, str]:
    """Return the headers that prove a call made `now`, in seconds since 1970."""
    timestamp = str(int(now))
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: signature(key, message_id, timestamp, body)}


def verify(keys: tuple[bytes, ...], shown: Mapping[str, str], body: bytes, now: float) -> None:
    """Return if one of the call's signatures is by one of `keys` and recent; raises `WebhookRejectedError`."""
    message_id, timestamp = shown.get(ID, ""), shown.get(TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len(str(int(now)))):
        raise WebhookRejectedError(f"{TIMESTAMP} is missing, or no count of seconds since 1970")
    try:
        expected = [signature(key, message_id, timestamp, body).encode() for key in keys]
        given = [each.encode() for each in shown.get(SIGNATURE, "").split(" ")]
    except UnicodeEncodeError:
        raise WebhookRejectedError("a header is no text") from None
    # All pairs are compared, so that the time tells nothing of which fits.
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise WebhookRejectedError("the signature is missing or wrong: is the secret that of this account?")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise WebhookRejectedError("the call is too old, or the clock of one side is wrong: five minutes are allowed")
