"""Cutting a message to what a channel can carry; connectors call it from `plan`."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Capabilities, SendAttachment, SendOperation, SendText, TextUnit
from bot.domain.messages import Attachment, OutboundMessage, Quote

#: Said over choices that come without words: no channel shows buttons under nothing.
CHOOSE = "Please choose:"
_ZERO_WIDTH_JOINER = "\u200d"
#: Of the zero-width ones, what belongs to the character before it without being a mark: joiners, skin tones, tags.
_EXTENDING = frozenset(map(chr, [0x200C, 0x200D, *range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)]))
_MARKS = frozenset({"Mn", "Mc", "Me"})
#: Spacing marks that stand for themselves (https://www.unicode.org/reports/tr29/#SpacingMark).
_OWN_SIGNS = frozenset(
    "\u102b\u102c\u1038\u1062\u1063\u1064\u1067\u1068\u1069\u106a\u106b\u106c\u106d\u1083\u1087\u1088\u1089"
    "\u108a\u108b\u108c\u108f\u109a\u109b\u109c\u1a61\u1a63\u1a64\uaa7b\uaa7d\U00011720\U00011721"
)
#: After these nothing goes on.
_CONTROLS = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})
#: Two of these are one flag.
_FLAG_LETTERS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))
#: Pictures that joiners make one of: a part of Unicode's Extended_Pictographic, without its gaps and its rare corners.
_PICTURES = frozenset(
    "\u2194\u2195\u2604\u2620\u2640\u2642\u2695\u2696\u26a7\u26d3\u2708\u2764\u27a1\u2b1b"
) | frozenset(
    chr(code)
    for first, last in (
        (0x1F300, 0x1F321),
        (0x1F324, 0x1F393),
        (0x1F39E, 0x1F3F0),
        (0x1F3F3, 0x1F3F5),
        (0x1F3F7, 0x1F3FA),
        (0x1F400, 0x1F4FD),
        (0x1F4FF, 0x1F53D),
        (0x1F5FA, 0x1F64F),
        (0x1F680, 0x1F6C5),
        (0x1F7E0, 0x1F7EB),
        (0x1F90C, 0x1F93A),
        (0x1F93C, 0x1F945),
        (0x1F947, 0x1F9FF),
        (0x1FA70, 0x1FAFF),
    )
    for code in range(first, last + 1)
)


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
            return len(_starts(text))


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
    """Return where the first piece of a text ends that exceeds the limit."""
    # Nothing counts a character for less than one, but readers.
    starts = _starts(text if unit is TextUnit.GRAPHEMES else text[: limit + 1])
    low = starts[limit] if unit is TextUnit.GRAPHEMES else _longest(text, limit, unit)
    for separator in ("\n\n", "\n", " "):
        at = text.rfind(separator, low // 2, low)
        if at > 0:
            return at + len(separator)
    cut = starts[bisect_right(starts, low) - 1]
    return cut if cut > 1 else low


def _longest(text: str, limit: int, unit: TextUnit) -> int:
    """Return how many characters, at least one, are within the limit."""
    low, high = 1, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle], unit) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _starts(text: str) -> list[int]:
    """Return where in a text each sign begins that readers take for one.

    Where Unicode's rules (https://www.unicode.org/reports/tr29/) are longer than these, there are more signs here and
    never fewer, so that what fits here fits a channel too. One pass over the text.
    """
    starts: list[int] = []
    before = ""
    # Of the sign at hand: whether it is a picture with marks, whether a joiner follows that, and its letters of flags.
    is_picture, is_joining, letter_count = False, False, 0
    for at, here in enumerate(text):
        is_flag = letter_count == 1 and before in _FLAG_LETTERS and here in _FLAG_LETTERS
        is_extended = bool(before) and _extends(here) and not _is_control(before)
        is_joined = is_joining and here in _PICTURES
        if not (is_extended or is_joined or is_flag or (before == "\r" and here == "\n")):
            starts.append(at)
            letter_count = 0
        is_joining = is_picture and here == _ZERO_WIDTH_JOINER
        is_mark = is_extended and here != _ZERO_WIDTH_JOINER and unicodedata.category(here) != "Mc"
        is_picture = here in _PICTURES or (is_picture and is_mark)
        letter_count += here in _FLAG_LETTERS
        before = here
    return starts


def _extends(character: str) -> bool:
    """Whether a character belongs to the one before it, whatever that is: a mark, a joiner, a skin tone, a tag."""
    if character.isascii():
        return False
    is_mark = unicodedata.category(character) in _MARKS and character not in _OWN_SIGNS
    return is_mark or character in _EXTENDING


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROLS and character not in _EXTENDING


def plan(message: OutboundMessage, address: ChannelAddress, capabilities: Capabilities) -> tuple[SendOperation, ...]:
    """Return the calls that show `message`: attachments first, then the text, with the choices under its last piece.

    Choices beyond what the channel shows are written out as a numbered list; files it cannot carry become a line of
    text that names them, with their link where only the customer reads it. Where the channel shows no quotes, the words
    that are answered stand above the text, behind `>`.
    """
    carried: list[Attachment] = []
    left_out: list[Attachment] = []
    for attachment in message.attachments:
        (carried if _is_carried(attachment, capabilities) else left_out).append(attachment)
    choices = message.choices if len(message.choices) <= capabilities.choices_max else ()
    quoted = message.quotes.external_id if message.quotes and capabilities.has_quotes and message.text.strip() else ""
    named = "".join(_named(attachment, capabilities) for attachment in left_out)
    text = _words(message, named, are_choices_written=not choices)
    if message.quotes is not None and not quoted:
        text = f"> {message.quotes.text}\n{text}".strip()
    files = (_file(message, address, attachment) for attachment in carried)
    pieces = [piece for piece in _pieces(text, capabilities, has_choices=bool(choices)) if piece.strip()]
    texts = (
        SendText(
            address=address,
            text=piece,
            choices=choices if n == len(pieces) - 1 else (),
            quotes=quoted if n == 0 else "",
            author_name=message.author_name,
            author=message.author,
            is_late=message.is_late,
            reply_context=message.reply_context,
        )
        for n, piece in enumerate(pieces)
    )
    return (*files, *texts)


def _file(message: OutboundMessage, address: ChannelAddress, attachment: Attachment) -> SendAttachment:
    return SendAttachment(
        address=address,
        attachment=attachment,
        author_name=message.author_name,
        author=message.author,
        is_late=message.is_late,
        reply_context=message.reply_context,
    )


def quoting(message: OutboundMessage, wanted: Callable[[Quote], str]) -> OutboundMessage:
    """Return a message whose quote is called by what the channel wants to hear of it; by nothing where it cannot."""
    if message.quotes is None:
        return message
    return replace(message, quotes=replace(message.quotes, external_id=wanted(message.quotes)))


def _is_carried(attachment: Attachment, capabilities: Capabilities) -> bool:
    """Whether a file goes as a file; one that only has an address is taken for what its sender says it is."""
    is_shown = not capabilities.attachment_types or attachment.media_type in capabilities.attachment_types
    is_linked = attachment.media_id is None and attachment.reference.startswith("https://")
    return (
        attachment.kind in capabilities.attachments
        and (attachment.size or 0) <= capabilities.attachment_max_bytes
        and (is_shown or (is_linked and not attachment.media_type))
        and (is_linked or bool(attachment.link) or not capabilities.fetches_files)
    )


def _named(attachment: Attachment, capabilities: Capabilities) -> str:
    """Return the line of text that stands for a file; a link to it is for the customer alone."""
    name = attachment.name or "file"
    if attachment.link and not capabilities.is_public:
        return f"\n{name} – {attachment.link}"
    return f"\n[{attachment.kind.value}: {name} – it cannot be shown on this channel]"


def _words(message: OutboundMessage, named: str, *, are_choices_written: bool) -> str:
    """Return the message's text with what the channel cannot show otherwise: files as `named`, choices by number."""
    text = message.text + named
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
