"""What a text costs as SMS: its encoding, and in how many segments it is sent and billed; pure.

https://www.twilio.com/docs/glossary/what-sms-character-limit, 3GPP TS 23.038 §6.2.1
"""

from __future__ import annotations

from dataclasses import dataclass

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Sent as two characters.
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
#: The commonest of what Twilio writes otherwise where we ask for `SmartEncoded`.
_SMART = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "•": "-", "\u200b": ""}
)
#: Characters of a message of one segment, and of each segment of a longer one.
_GSM_ALONE, _GSM_EACH = 160, 153
_UCS_ALONE, _UCS_EACH = 70, 67


@dataclass(frozen=True, kw_only=True)
class Segments:
    """What a text is sent as."""

    #: "GSM-7", or "UCS-2" which holds less than half as much
    encoding: str
    count: int


def segments(text: str) -> Segments:
    """Return what a text is sent as."""
    plain = text.translate(_SMART)
    if all(character in _GSM or character in _GSM_EXTENSION for character in plain):
        widths = [2 if character in _GSM_EXTENSION else 1 for character in plain]
        return Segments(encoding="GSM-7", count=_count(widths, _GSM_ALONE, _GSM_EACH))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Segments(encoding="UCS-2", count=_count(widths, _UCS_ALONE, _UCS_EACH))


def _count(widths: list[int], alone: int, each: int) -> int:
    """Return how many segments hold characters of these widths; none is cut in two."""
    if sum(widths) <= alone:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > each:
            count, used = count + 1, 0
        used += width
    return count
