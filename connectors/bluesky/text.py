"""Links in Bluesky's texts, and the names of our posts; pure.

Links stand beside a text, by bytes (https://docs.bsky.app/docs/advanced-guides/post-richtext).
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

from connectors.fields import Fields

_LINK = re.compile(r"https?://[^\s<>\"]+")
_LINKS_MAX = 50
#: What stands behind an address and is not of it.
_AFTER = ".,;:!?)]}'"
#: Characters of record keys, in their order (https://atproto.com/specs/tid).
_TID = "234567abcdefghijklmnopqrstuvwxyz"
_TID_LENGTH = 13
_KEY_LINK = "app.bsky.richtext.facet#link"


def facets_of(text: str) -> list[dict[str, object]]:
    """Return what makes the addresses in a text be links."""
    made: list[dict[str, object]] = []
    for found in _LINK.finditer(text):
        url = found[0].rstrip(_AFTER)
        begin = len(text[: found.start()].encode())
        place = {"byteStart": begin, "byteEnd": begin + len(url.encode())}
        made.append({"index": place, "features": [{"$type": _KEY_LINK, "uri": url}]})
    return made[:_LINKS_MAX]


def expanded(text: str, facets: list[Fields]) -> str:
    """Return a text with whole addresses in the place of shortened ones; raises `MalformedWebhookError`."""
    raw = text.encode()
    places: list[tuple[int, int, bytes]] = []
    for facet in facets[:_LINKS_MAX]:
        index = facet.object("index")
        begin, until = index.size("byteStart") or 0, index.size("byteEnd") or 0
        links = (each for each in facet.objects("features") if each.text("$type", "") == _KEY_LINK)
        places += [(begin, until, each.text("uri").encode()) for each in links]
    end = len(raw)
    for begin, until, url in sorted(places, reverse=True):
        is_inside = begin < until <= end
        if is_inside and _is_short_for(raw[begin:until], url):
            raw = raw[:begin] + url + raw[until:]
        end = min(end, begin)
    return raw.decode("utf-8", "replace")


def _is_short_for(shown: bytes, url: bytes) -> bool:
    """Whether what is shown is an address cut short, and not words that hide another."""
    beginning = shown.removesuffix("…".encode()).removesuffix(b"...")
    return shown != url and re.sub(rb"^https?://", b"", url).startswith(re.sub(rb"^https?://", b"", beginning))


def record_key(key: str, since: datetime) -> str:
    """Return the key of the record that a call with that key makes: the same call makes the same record.

    It is a TID, as of a moment within the hour before `since`, so that no two calls share one.
    """
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    micros = (since - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) - digest % 3_600_000_000
    number = (max(micros, 0) << 10 | (digest >> 40 & 0x3FF)) & (1 << 63) - 1
    return "".join(_TID[number >> 5 * place & 31] for place in range(_TID_LENGTH - 1, -1, -1))


def stamped(moment: datetime, record: str) -> str:
    """Return a moment as our posts tell it: its last digits are those of the record, by which we know ours."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{_stamp(record)}Z"


def is_stamped(written: str, record: str) -> bool:
    """Whether a post tells its moment as ours do."""
    return written.endswith(f".{_stamp(record)}Z")


def _stamp(record: str) -> str:
    digest = hashlib.blake2b(record.encode("utf-8", "replace"), digest_size=8, person=b"tandem-post").digest()
    return f"{int.from_bytes(digest, 'big') % 1_000_000:06d}"
