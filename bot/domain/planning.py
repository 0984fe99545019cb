"""Cutting a message to what a channel can carry; connectors call it from `plan`."""

from __future__ import annotations

import unicodedata

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Capabilities, SendAttachment, SendOperation, SendText, TextUnit
from bot.domain.messages import Attachment, OutboundMessage

#: Said over choices that come without words: no channel shows buttons under nothing.
CHOOSE = "Please choose:"
_JOINERS = {"\u200d", "\ufe0f"}
_MARKS = frozenset({"Mn", "Mc", "Me"})
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
#: Two of these are one flag.
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))


def measure(text: str, unit: TextUnit) -> int:
    """Return the length of `text` as the channel counts it."""
    match unit:
        case TextUnit.CHARACTERS:
            return len(text)
        case TextUnit.UTF16:
            return len(text.encode("utf-16-le", "surrogatepass")) // 2
        case TextUnit.BYTES:
            return len(text.encode("utf-8", "surrogatepass"))
        case TextUnit.GRAPHEMES:
            return sum(not (at and _continues(text, at)) for at in range(len(text)))


def split(text: str, limit: int, unit: TextUnit) -> list[str]:
    """Return `text` in pieces of at most `limit` units, cut at paragraphs, lines or spaces where possible.

    Joined by nothing the pieces are the text again; a character and the marks that belong to it stay together unless
    they alone exceed the limit.
    """
    pieces: list[str] = []
    rest = text
    while measure(rest, unit) > limit:
        cut = _cut(rest, limit, unit)
        pieces.append(rest[:cut])
        rest = rest[cut:]
    if rest or not pieces:
        pieces.append(rest)
    return pieces


def _cut(text: str, limit: int, unit: TextUnit) -> int:
    low, high = 1, len(text) if unit is TextUnit.GRAPHEMES else min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle], unit) <= limit:
            low = middle
        else:
            high = middle - 1
    for separator in ("\n\n", "\n", " "):
        at = text.rfind(separator, low // 2, low)
        if at > 0:
            return at + len(separator)
    cut = low
    while cut > 1 and _continues(text, cut):
        cut -= 1
    return cut if cut > 1 else low


def _continues(text: str, at: int) -> bool:
    """Whether the character at `at` belongs to the one before it: a mark, a skin tone, the second half of a flag."""
    here = text[at]
    if unicodedata.category(here) in _MARKS or here in _JOINERS or text[at - 1] == "\u200d" or here in _TONES:
        return True
    if here not in _FLAG_LETTERS:
        return False
    start = at
    while start > 0 and text[start - 1] in _FLAG_LETTERS:
        start -= 1
    return (at - start) % 2 == 1


def plan(message: OutboundMessage, address: ChannelAddress, capabilities: Capabilities) -> tuple[SendOperation, ...]:
    """Return the calls that show `message`: attachments first, then the text, with the choices under its last piece.

    Choices beyond what the channel shows are written out as a numbered list; files it cannot carry become a line of
    text that names them.
    """
    carried: list[Attachment] = []
    left_out: list[Attachment] = []
    for attachment in message.attachments:
        fits = (
            attachment.kind in capabilities.attachments and (attachment.size or 0) <= capabilities.attachment_max_bytes
        )
        (carried if fits else left_out).append(attachment)
    choices = message.choices if len(message.choices) <= capabilities.choices_max else ()
    text = _words(message, left_out, are_choices_written=not choices)
    operations: list[SendOperation] = [
        SendAttachment(
            address=address,
            attachment=attachment,
            author_name=message.author_name,
            author=message.author,
            is_late=message.is_late,
            reply_context=message.reply_context,
        )
        for attachment in carried
    ]
    pieces = [piece for piece in _pieces(text, capabilities, has_choices=bool(choices)) if piece.strip()]
    for n, piece in enumerate(pieces):
        operations.append(
            SendText(
                address=address,
                text=piece,
                choices=choices if n == len(pieces) - 1 else (),
                author_name=message.author_name,
                author=message.author,
                is_late=message.is_late,
                reply_context=message.reply_context,
            )
        )
    return tuple(operations)


def _words(message: OutboundMessage, left_out: list[Attachment], *, are_choices_written: bool) -> str:
    """Return the message's text with what the channel cannot show otherwise: files by name, choices by number."""
    text = message.text
    for attachment in left_out:
        text += f"\n[{attachment.kind.value}: {attachment.name or 'file'} – it cannot be shown on this channel]"
    if message.choices and not text.strip():
        text = CHOOSE
    if message.choices and are_choices_written:
        text += "\n" + "\n".join(f"{n}. {choice.title}" for n, choice in enumerate(message.choices, 1))
    return text.strip()


def _pieces(text: str, capabilities: Capabilities, *, has_choices: bool) -> list[str]:
    """Return the pieces of a text, the last one short enough for the choices below it."""
    pieces = split(text, capabilities.text_max, capabilities.text_unit)
    shorter = capabilities.choices_text_max
    if has_choices and shorter is not None:
        pieces[-1:] = split(pieces[-1], shorter, capabilities.text_unit)
    return pieces
