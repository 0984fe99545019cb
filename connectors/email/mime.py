"""Mail as bytes, taken apart: headers decoded, words and files found, whatever its sender made of the rules.

Reading never fails. What is built to exhaust who reads it (nesting without end, headers of megabytes) is not taken
apart at all: of such a mail only the headers are known.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import islice

from bot.domain.texts import line
from connectors.fields import storable
from connectors.markup import text_of

#: What mail programs call codings, and Python does not.
_CODINGS = {
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "x-gbk": "gb18030",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    # Windows' own letters are in most of what calls itself so.
    "iso-8859-1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
}
#: Codings of Python's that are no charsets.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
#: Nobody nests so deeply; each level costs time for each line of the mail.
_BOUNDARIES_MAX = 100
#: Bytes of one header that says how a part is built, and lines of a mail: what is taken apart within seconds.
_FIELD_MAX, _LINES_MAX = 8_000, 700_000
_BUILDING_FIELD = re.compile(rb"(?im)^content-[a-z-]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*")
#: Characters of a header, of a name, and of a mail's words that are looked at; headers and parts that are.
_HEADER_MAX, _NAME_MAX, _TEXT_MAX, _HEADERS_MAX, _PARTS_MAX = 10_000, 200, 100_000, 500, 300
#: Smaller pictures inside a text are spacers, icons and spies.
_ICON_MAX = 4_000
_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})


@dataclass(frozen=True, kw_only=True)
class File:
    """A file in a mail."""

    #: as the sender called it, on one line
    name: str
    media_type: str
    #: in bytes, roughly, as it is not decoded for this; none: unknown
    size: int | None
    part: Message

    def content(self) -> bytes:
        """Return the bytes."""
        if self.media_type == "message/rfc822":
            return b"".join(map(_written, _children(self.part)[:1]))
        return _payload(self.part)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail that was read."""

    #: lower-case names → values in order, each on one line
    headers: Mapping[str, tuple[str, ...]]
    #: what people read of it, quotations included
    text: str
    files: tuple[File, ...]
    #: whether it could be taken apart
    is_whole: bool
    message: Message
    raw: bytes

    def header(self, name: str) -> str:
        """Return the first header of that name; empty where there is none."""
        return next(iter(self.headers.get(name, ())), "")

    @property
    def content_type(self) -> str:
        """The kind of the whole: `multipart/report` and the like."""
        return self.message.get_content_type() if self.is_whole else "text/plain"


def read_mail(raw: bytes) -> Mail:
    """Return what a mail holds."""
    message = _taken_apart(raw)
    is_whole = message is not None
    if message is None:
        head = re.split(rb"\r?\n\r?\n", raw[: _HEADER_MAX * 10], maxsplit=1)[0]
        message = BytesHeaderParser().parsebytes(head)
    words: list[str] = []
    files: list[File] = []
    if is_whole:
        for leaf in _read_part(message):
            files.append(leaf) if isinstance(leaf, File) else words.append(leaf)
    return Mail(
        headers=_headers(message),
        text=storable("\n\n".join(each for each in words if each.strip()))[:_TEXT_MAX],
        files=tuple(files),
        is_whole=is_whole,
        message=message,
        raw=raw,
    )


def _taken_apart(raw: bytes) -> Message | None:
    """Return the mail's parts; none for one that would take too long."""
    is_bomb = (
        raw.count(b"\n") > _LINES_MAX
        or len(re.findall(rb"(?i)boundary", raw)) > _BOUNDARIES_MAX
        or any(len(each.group()) > _FIELD_MAX for each in _BUILDING_FIELD.finditer(raw))
    )
    if is_bomb:
        return None
    try:
        message = message_from_bytes(raw)
        return message if sum(1 for _ in _leaves(message)) <= _PARTS_MAX else None
    except Exception:  # noqa: BLE001 - the library's parser fails in many ways, RecursionError among them
        return None


def _leaves(message: Message) -> Iterator[Message]:
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if _is_multipart(part):
            waiting.extend(_children(part))
        else:
            yield part


def _is_multipart(part: Message) -> bool:
    return part.get_content_maintype() == "multipart" and part.is_multipart()


def _children(part: Message) -> list[Message]:
    inner = part.get_payload()
    return [each for each in inner if isinstance(each, Message)] if isinstance(inner, list) else []


def _headers(message: Message) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in islice(message.raw_items(), _HEADERS_MAX):
        known = found.setdefault(name.lower(), ())
        if len(known) < 20:
            found[name.lower()] = (*known, decoded(value))
    return found


def written(message: Message, name: str) -> list[str]:
    """Return a header as it was written, nothing decoded, as often as it stands there (five times at most)."""
    found = (str(value)[:_HEADER_MAX] for known, value in message.raw_items() if known.lower() == name)
    return list(islice(found, 5))


def decoded(value: object) -> str:
    """Return a header's value in plain letters, on one line, whatever codings its writer mixed."""
    text = str(value)[:_HEADER_MAX]
    try:
        pieces = decode_header(text) if "=?" in text else [(text, None)]
    except Exception:  # noqa: BLE001 - a broken coding is shown as it came
        pieces = [(text, None)]
    read = (piece if isinstance(piece, str) else _letters(piece, coding) for piece, coding in pieces)
    return line(storable("".join(map(_mended, read))))


def _mended(text: str) -> str:
    """Return text in which bytes that stood in a header as they were are letters."""
    try:
        return _letters(text.encode("utf-8", "surrogateescape"), None)
    except UnicodeEncodeError:
        return text


def _letters(content: bytes, charset: str | None) -> str:
    """Return bytes as text: in the coding they claim, else UTF-8, else Windows' letters, and never an error."""
    named = (charset or "utf-8").lower().strip(" '\"")
    for coding in (_CODINGS.get(named, named), "utf-8"):
        try:
            if codecs.lookup(coding).name not in _NO_CHARSETS:
                return content.decode(coding)
        except Exception:  # noqa: BLE001, S112 - an unknown coding, one that is no charset, or other bytes than it has
            continue
    return content.decode("cp1252", "replace")


# --------------------------------------------------------------------------------------------------------------- parts


def _read_part(part: Message) -> Iterator[str | File]:
    """Yield words and files of a part in their order; of alternatives the plain words, where there are any."""
    kind = part.get_content_type()
    if not _is_multipart(part):
        leaf = _read_leaf(part, kind)
        if leaf is not None:
            yield leaf
    elif kind == "multipart/encrypted":
        yield "[an encrypted message, which cannot be read here]"
        yield from (leaf for each in _children(part) for leaf in _read_part(each) if isinstance(leaf, File))
    elif kind == "multipart/alternative":
        yield from _read_alternatives(_children(part))
    else:
        for each in _children(part):
            yield from _read_part(each)


def _read_alternatives(ways: list[Message]) -> Iterator[str | File]:
    read = [list(_read_part(each)) for each in ways]
    plain = [each.get_content_type() == "text/plain" for each in ways]
    spoken = [any(isinstance(leaf, str) and leaf.strip() for leaf in leaves) for leaves in read]
    order = sorted(range(len(ways)), key=lambda at: not plain[at])
    chosen = next((at for at in order if spoken[at]), None)
    for at, leaves in enumerate(read):
        yield from (leaf for leaf in leaves if at == chosen or isinstance(leaf, File))


def _read_leaf(part: Message, kind: str) -> str | File | None:
    name = _name(part)
    is_attached = part.get_content_disposition() == "attachment"
    if kind in {"text/plain", "text/html"} and not is_attached and not name:
        return _words(part, kind)
    if kind in _SIGNATURES:
        return None
    size = _size(part)
    if kind.startswith("image/") and not is_attached and size is not None and size <= _ICON_MAX:
        return None
    return File(name=name or _name_for(part, kind), media_type=kind, size=size, part=part)


def _words(part: Message, kind: str) -> str:
    # More than is read, for the tags of a page and the signs of a coding.
    text = _letters(_payload(part)[: _TEXT_MAX * 20], part.get_content_charset())
    if kind == "text/html":
        return text_of(text)
    text = text[: _TEXT_MAX * 2].replace("\r\n", "\n").replace("\r", "\n")
    is_flowed = str(part.get_param("format", "")).lower() == "flowed"
    return _joined(text, is_spaceless=str(part.get_param("delsp", "")).lower() == "yes") if is_flowed else text


def _joined(text: str, *, is_spaceless: bool) -> str:
    """Return a flowed text with its paragraphs in one line each (https://www.rfc-editor.org/rfc/rfc3676)."""
    lines: list[str] = []
    is_open = False
    for each in text.split("\n"):
        stuffed = each.removeprefix(" ")
        is_quoted = stuffed.startswith(">")
        if is_open and lines and not is_quoted and stuffed != "-- ":
            lines[-1] += stuffed
        else:
            lines.append(stuffed)
        is_open = stuffed.endswith(" ") and stuffed != "-- " and not is_quoted
        if is_open and is_spaceless:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _payload(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - a coding that cannot be undone is no content
        return b""
    return content if isinstance(content, bytes) else b""


def _written(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except Exception:  # noqa: BLE001 - what is broken beyond writing can be had from the mailbox
        return b""


def _size(part: Message) -> int | None:
    inner = part.get_payload()
    if not isinstance(inner, str):
        return None
    is_base64 = str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"
    return len(inner) * 3 // 4 if is_base64 else len(inner)


def _name(part: Message) -> str:
    try:
        found = part.get_filename() or ""
    except Exception:  # noqa: BLE001 - a name in a broken coding is none
        return ""
    return decoded(found).replace("/", "_").replace("\\", "_")[:_NAME_MAX]


def _name_for(part: Message, kind: str) -> str:
    if kind == "message/rfc822" and (inner := _children(part)):
        return f"{decoded(inner[0].get('subject', ''))[:80] or 'mail'}.eml"
    ends = {"text/calendar": "invitation.ics", "text/plain": "text.txt", "text/html": "page.html"}
    return ends.get(kind, kind.replace("/", "."))
