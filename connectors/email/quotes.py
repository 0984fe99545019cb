"""What is new in a mail: its words without the mail it answers and without signatures, in one pass over its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Stands where something between new words was left out; what was above or below them needs no mark.
LEFT_OUT = "[…]"
_BLANKS = re.compile(r"\n{3,}")
#: "-----Original Message-----", in whatever language, and Gmail's and Apple's marks of a forwarded mail.
_BAR = re.compile(
    r"\s*-{2,} ?(original message|original appointment|forwarded message|ursprüngliche nachricht|originalnachricht"
    r"|weitergeleitete nachricht|message d'origine|message original|message transféré|mensaje original"
    r"|mensaje reenviado|messaggio originale|messaggio inoltrato|oorspronkelijk bericht|mensagem original"
    r"|ursprungligt meddelande|oprindelig meddelelse|wiadomość oryginalna) ?-{2,}\s*",
    re.IGNORECASE,
)
#: "On Monday Jane wrote:" in one line.
_SAID = re.compile(
    r"\s*(on|am|le|el|il|op|em|den|dne|dnia|w dniu|no dia)\b.{4,400}"
    r"(wrote|writes|schrieb.{0,200}|a écrit|escribió|ha scritto|schreef.{0,200}|escreveu|skrev.{0,200}|napisał\(?a?\)?"
    r"|napsal\(?a?\)?)\s?:\s*",
    re.IGNORECASE,
)
#: The same in any other language, right above what is quoted: an address, or a day and a time.
_SAID_ANYHOW = re.compile(r".*(@|20\d\d.*\d\d[:.h]\d\d|\d\d[:.h]\d\d.*20\d\d).*[:：]\s*")
#: The lines above a mail that Outlook quotes, in whatever language.
_FROM = re.compile(r"\W{0,3}(from|von|de|da|van|från|fra|od|expéditeur|remitente)\s?:\W{0,3}\s?\S.*", re.IGNORECASE)
_OTHER_FIELD = re.compile(
    r"\W{0,3}(sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|à|objet|enviado( el)?|fecha|para|asunto|inviato"
    r"|data|a|oggetto|verzonden|aan|onderwerp|assunto|skickat|till|ämne|sendt|til|emne|wysłano|do|temat)\s?:\W{0,3}\s?.*",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*[_=-]{10,}\s*")
#: What telephones write under a mail.
_DEVICE = re.compile(
    r"\s*(sent from (my|outlook|mail|yahoo|samsung|proton)\b|get outlook for\b|gesendet (von|mit)\b"
    r"|envoyé (de|depuis)\b|enviado desde\b|inviato da\b|verzonden (vanaf|via)\b"
    r"|skickat från\b|sendt fra\b|wysłane z\b).{0,100}",
    re.IGNORECASE,
)
#: Lines of a signature below "-- "; what is longer is no signature.
_SIGNATURE_MAX = 20
_LINE_MAX = 1_000


@dataclass(frozen=True, kw_only=True)
class News:
    """What is new in a mail."""

    text: str
    #: whether something was left out
    is_cut: bool


def news_of(text: str) -> News:
    """Return the words that are new, with `LEFT_OUT` between them for what is not; all where nothing would be left."""
    lines = _without_signature(_without_quotations(_without_older(text.split("\n"))))
    kept = _shortened(lines)
    if not kept:
        return News(text=_BLANKS.sub("\n\n", text).strip(), is_cut=False)
    return News(text=kept, is_cut=LEFT_OUT in lines)


def _without_older(lines: list[str]) -> list[str]:
    """Return the lines above those that say that all below is older."""
    last_quoted = max((at for at, each in enumerate(lines) if _is_quoted(each)), default=-1)
    for at, each in enumerate(lines):
        if len(each) <= _LINE_MAX and _is_bar(lines, at, last_quoted):
            above = lines[:at]
            while above and (not above[-1].strip() or _RULE.fullmatch(above[-1])):
                above.pop()
            return [*above, LEFT_OUT]
    return lines


def _is_bar(lines: list[str], at: int, last_quoted: int) -> bool:
    """Whether a mail that is answered begins there, which no signs at its lines show.

    "On Monday Jane wrote:" is such a bar only where something follows and no line below is marked as quoted.
    """
    if _BAR.fullmatch(lines[at]) or _is_head(lines, at):
        return True
    below = _said_until(lines, at) if at > last_quoted else None
    return below is not None and any(each.strip() for each in lines[below : below + 5])


def _is_head(lines: list[str], at: int) -> bool:
    """Whether the fields of a quoted mail begin there: who wrote it, and at least two of when, to whom, on what."""
    if not _FROM.fullmatch(lines[at]):
        return False
    below = [each for each in lines[at + 1 : at + 8] if each.strip()][:4]
    return sum(1 for each in below if len(each) <= _LINE_MAX and _OTHER_FIELD.fullmatch(each)) >= 2


def _said_until(lines: list[str], at: int) -> int | None:
    """Return the number of the line below "On Monday Jane wrote:"; none where it does not begin there."""
    if not lines[at].strip():
        return None
    for count in (1, 2, 3):
        said = " ".join(lines[at : at + count])
        if len(said) <= _LINE_MAX and said.rstrip().endswith(":") and _SAID.fullmatch(said) and re.search(r"\d", said):
            return at + count
    return None


def _is_quoted(each: str) -> bool:
    return each.startswith(">")


def _without_signature(lines: list[str]) -> list[str]:
    for at in range(len(lines) - 1, -1, -1):
        if lines[at] in {"-- ", "--"}:
            is_short = len(lines) - at - 1 - lines[at:].count(LEFT_OUT) <= _SIGNATURE_MAX
            return [*lines[:at], LEFT_OUT] if is_short else lines
    spoken = [at for at, each in enumerate(lines) if each.strip() and each != LEFT_OUT]
    if spoken and len(lines[spoken[-1]]) <= _LINE_MAX and _DEVICE.fullmatch(lines[spoken[-1]]):
        # Nobody misses it: no mark for that.
        return [*lines[: spoken[-1]], *lines[spoken[-1] + 1 :]]
    return lines


def _without_quotations(lines: list[str]) -> list[str]:
    """Return the lines with one mark for each quotation, and for the line that says whose it is."""
    kept: list[str] = []
    said_at = None
    for at, each in enumerate(lines):
        if _is_quoted(each):
            if said_at is None and kept:
                said_at = next((n for n in range(len(kept) - 1, max(len(kept) - 3, -1), -1) if kept[n].strip()), None)
                said_at = said_at if said_at is not None and _SAID_ANYHOW.fullmatch(kept[said_at][-300:]) else None
            if said_at is not None:
                del kept[said_at:]
            kept.append(LEFT_OUT)
            said_at = None
            continue
        if _said_until(lines, at) is not None:
            said_at = len(kept) if said_at is None else said_at
        elif each.strip() and said_at is not None and not _is_still_said(kept[said_at:], each):
            said_at = None
        kept.append(each)
    return kept


def _is_still_said(said: list[str], each: str) -> bool:
    return len(said) < 3 and not said[-1].rstrip().endswith(":") and len(each) <= _LINE_MAX


def _shortened(lines: list[str]) -> str:
    """Return the lines as text, with one mark where several follow each other."""
    kept: list[str] = []
    for each in lines:
        if each == LEFT_OUT:
            while kept and not kept[-1].strip():
                kept.pop()
            if kept and kept[-1] == LEFT_OUT:
                continue
        kept.append(each.rstrip())
    while kept and (kept[-1] == LEFT_OUT or not kept[-1]):
        kept.pop()
    while kept and (kept[0] == LEFT_OUT or not kept[0]):
        kept.pop(0)
    return _BLANKS.sub("\n\n", "\n".join(kept)).strip()
