"""What a message denies: "not the refund, the invoice", "I don't want to cancel, I want to change the address".

Only words that turn a topic down count. "I have not received it" and "why can't I log in" deny nothing: they say what
is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A message that turns something down."""

    #: what is turned down, in the message's words
    denied: str
    #: the rest, which is asked instead; empty: nothing is
    wanted: str


# How far a denied thing goes: to a sign, or to words that begin what is wanted.
_NEXT = r"but|just|only|rather|instead|i|i'm|i'd|i'll|can|could|please|it's|we|what|where|when|how"
_END = rf"(?=\s*(?:[,;.:!?–]|\s-\s|$)|\s+(?:{_NEXT})\b)"
_THING = r"(?:the|my|your|an?|this|that|these|any|about|for|to|another)"
_NO_THING = r"(?!(?:it|them|him|her|you|me|us|that|this|to know|any ?more|to wait)\b)"
_WANT = (
    r"want(?:ed|ing)?|need(?:ed)?|wish(?:ed)?|mean|meant|ask(?:ed|ing)?|looking|talking|interested|after|here|calling"
    r"|writing"
)
_NOT = r"do not|don't|dont|did not|didn't|didnt|never|was not|wasn't|wasnt|am not|not|wouldn't|would not"
#: Verbs that are no topic: "don't worry", "don't you have …".
_NO_TOPIC = (
    r"you|know|understand|think|work|get|see|have|worry|mind|care|like|believe|make|let|tell|want|need|mean|ask|wish"
    r"|forget|ignore|leave|keep|they|we|i\b"
)
#: What may follow "no" and is no topic either.
_NO_NOUN = (
    r"i|it|its|it's|that|the|you|we|they|not|but|thanks|thank|problem|worries|one|idea|way|longer|reply|answer|news"
    r"|sign|tracking|clue|luck|matter|need|more|please|sorry|wait"
)
_END_DE = r"(?=\s*(?:[,;.:!?–]|$)|\s+(?:sondern|nur|aber|ich)\b)"
_THING_DE = r"(?:um|nach|über|die|der|das|den|dem|ums|zum|zur|(?:m?eine?|kein|ihre?|unsere?)[nrms]?)"
_WANT_DE = r"will|wollen|möchten?|moechte|wollte|brauche"

#: "I don't want to …", "I wasn't asking for …", "I did not mean …"
_UNWANTED = (
    rf"\b(?:(?:i|we)(?:'m| am| was|'ve| have)?\s+)?(?:{_NOT})\s+(?:really\s+|actually\s+)?(?:{_WANT})\s+"
    rf"(?:to\s+|for\s+|about\s+|in\s+)?{_NO_THING}(?P<denied>[^,;.!?]+?){_END}"
)
#: "don't cancel it", at the beginning of a sentence
_FORBIDDEN = (
    rf"(?:^|[.!?,;]\s*|\b(?:please|pls|but|and|so|no)\s+)(?:do not|don't|dont)\s+(?!{_NO_TOPIC})"
    rf"(?P<denied>\w+[^,;.!?]*?){_END}"
)
#: "not the refund, …", "it's not about …", "my question isn't about …"
_NOT_THAT = (
    r"(?:(?:^|[\s,;-])(?:(?:it|this|that|my question)(?:'s|s| is| was)?\s+)?not"
    r"|\b(?:it|this|that|my\s+\w+)\s+(?:isn't|isnt|wasn't|wasnt))\s+(?:about\s+)?"
    rf"(?P<denied>{_THING}\s+[^,;.!?]+?){_END}"
)
#: "no refund please, just …"
_NO_SUCH = (
    rf"^no\s+(?!(?:{_NO_NOUN})\b)(?P<denied>[a-z]+(?: [a-z]+){{0,2}}?)(?:\s+please)?"
    r"(?=[,;.–]|\s+(?:but|just|only|i)\b)"
)
#: "ich will nicht …", "ich brauche keine …"
_UNWANTED_DE = (
    rf"\b(?:ich|wir)\s+(?:{_WANT_DE})\s+(?P<denied>(?:[^,;.!?]*?\s)?(?:nicht|keine?[nrms]?)\b[^,;.!?]*?){_END_DE}"
)
#: "ich frage nicht nach …, sondern …"
_RATHER_DE = (
    r"(?:^|(?<=[.,;!?]\s))(?=[^,;.!?]*\b(?:nicht|kein(?:e[nrms]?)?)\b)(?P<denied>[^,;.!?]+?)(?=\s*,?\s*\bsondern\b)"
)
_DENIALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _UNWANTED,
        _FORBIDDEN,
        _NOT_THAT,
        # "the invoice, not the refund"; "not cancel, pause it"; "not CL-104233"
        r"(?:,|;|\s-|\s–)\s*not\s+(?P<denied>[a-z]+(?: [a-z]+){0,3})\s*[.!]?$",
        r"(?:^|[,;])\s*not\s+(?P<denied>[a-z]+(?: [a-z]+)?)(?=,\s)",
        r"\bnot\s+(?P<denied>#?(?:cl)?[\s-]?\d[\w-]*)",
        rf"\b(?:have|with)\s+no\s+(?:intention|wish|plans?)\s+(?:of|to)\s+(?P<denied>[^,;.!?]+?){_END}",
        _NO_SUCH,
        # "forget the refund", "rather than returning it"
        rf"\b(?:forget|never ?mind|scrap)\s+(?:about\s+)?(?P<denied>(?:the|my|that|your)\s+[^,;.!?]+?){_END}",
        rf"\b(?:instead of|rather than)\s+(?P<denied>[^,;.!?]+?){_END}",
        _RATHER_DE,
        rf"(?:^|[\s,;])nicht\s+(?P<denied>{_THING_DE}\s+[^,;.!?]+?){_END_DE}",
        _UNWANTED_DE,
        # "bitte nicht stornieren", "keine Rücksendung, nur …", "statt einer Rücksendung"
        r"(?:^|[,.!]\s*)bitte\s+(?P<denied>(?:\w+\s+){0,4}?nicht\s+\w+en)\s*[.!]?$",
        rf"(?:^|,\s*)(?P<denied>keine?[nrms]?\s+\w+)(?=\s*,?\s*(?:nur|sondern|bitte|ich)\b){_END_DE}",
        r"\b(?:an)?statt\s+(?P<denied>\w+(?:\s+(?!hätte|möchte|will|bitte|lieber|brauche)\w+){0,3})",
    )
)
#: Things that are wanted no more, which is a wish of its own where nothing else is asked or "it" stands for them.
_NO_MORE = re.compile(r"\b(?:any ?more|any ?longer|no longer|mehr)\b", re.IGNORECASE)
_WANTED_THING = re.compile(r"(?:want|need)(?:ed)?\s+(?:the|my|your|an?|this|that|these)\b", re.IGNORECASE)
_POINTING = re.compile(r"\b(?:it|them|these|those)\b", re.IGNORECASE)
#: What is left standing at the edges of what is wanted.
_EDGES = re.compile(
    r"^(?:[\s,;.:!?–-]|(?:but|just|only|rather|instead|and|no|please|sondern|nur|aber|bitte|lieber)\b)+|[\s,;:–-]+$",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"(?:\W|\b(?:no|wait|stop|oh|actually|sorry|halt|warte|doch|please|thanks|thank you|hi|hello|hey"
    r"|it's|its|this is|my question|i|bitte|nein|danke|ich|es geht)\b)*",
    re.IGNORECASE,
)
_NEGATIVES = re.compile(r"\b(?:nicht|keine?[nrms]?)\b\s*", re.IGNORECASE)


def denied_parts(text: str) -> list[tuple[int, int]]:
    """Return where a text names what it denies."""
    return [match.span("denied") for match in _matches(text)]


def contrast(text: str) -> Contrast | None:
    """Return what a text denies and what it wants instead; none where it denies nothing."""
    matches = _matches(text)
    if not matches:
        return None
    rest, end = [], 0
    for match in matches:
        rest.append(text[end : match.start()])
        end = match.end()
    wanted = " ".join(part for part in (_EDGES.sub("", part) for part in [*rest, text[end:]]) if part)
    if _is_wish(matches, wanted):
        return None
    denied = "; ".join(_NEGATIVES.sub("", match["denied"]).strip() for match in matches)
    return Contrast(denied=denied, wanted="" if _EMPTY.fullmatch(wanted) else wanted)


def _is_wish(matches: list[re.Match[str]], wanted: str) -> bool:
    """Whether what is unwanted is what the rest is about: "I don't want the mug any more", "…, how do I return it"."""
    for match in matches:
        is_over = _NO_MORE.search(match["denied"]) is not None
        is_thing = _WANTED_THING.search(match[0]) is not None
        if (is_over and not wanted) or ((is_over or is_thing) and _POINTING.search(wanted)):
            return True
    return False


def _matches(text: str) -> list[re.Match[str]]:
    plain = text.replace("’", "'")
    found: list[re.Match[str]] = []
    for pattern in _DENIALS:
        for match in pattern.finditer(plain):
            if not any(match.start() < other.end() and other.start() < match.end() for other in found):
                found.append(match)
    return sorted(found, key=lambda match: match.start())
