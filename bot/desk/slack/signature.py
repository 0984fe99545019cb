"""Whether a request is Slack's (https://docs.slack.dev/authentication/verifying-requests-from-slack/).

Slack's own library does this after parsing, fails on odd headers, and logs the body of whatever it refuses.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

#: Seconds between Slack's clock and ours beyond which a request counts as a replay.
MAX_AGE = 300
_MOMENT = re.compile(r"[0-9]{1,12}")


def stamp_of(headers: Mapping[str, str]) -> int | None:
    """Return when a request says it was signed, in seconds since 1970; none when it does not."""
    stamp = headers.get("x-slack-request-timestamp", "")
    return int(stamp) if _MOMENT.fullmatch(stamp) else None


def is_slacks(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether the headers sign these very bytes with `secret`, not long before or after `now`, in seconds."""
    stamp = stamp_of(headers)
    if stamp is None or abs(now - stamp) > MAX_AGE:
        return False
    said = headers["x-slack-request-timestamp"].encode()
    signed = hmac.digest(secret.encode(), b"v0:" + said + b":" + body, "sha256").hex()
    shown = headers.get("x-slack-signature", "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(f"v0={signed}".encode(), shown)
