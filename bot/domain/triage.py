"""What a public message is, and what to do about it: decided from its words and from what the bot made of them.

Whatever is not certain goes to people, never into public.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.moods import Mood, mood

#: The bot's word for what a message means counts from this confidence on, and to answer everybody from a higher one.
SURE_FROM = 0.5
ANSWER_FROM = 0.7
#: Points from which a message is spam, when it speaks to us and when it only names us.
_SPAM_TO_US, _SPAM_ABOUT_US = 3, 2

#: What spam says, with the points it makes.
_LURES: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (points, re.compile(pattern, re.IGNORECASE))
    for points, pattern in (
        (3, r"\b(?:t\.me|wa\.me|bit\.ly|tinyurl\.com|linktr\.ee|discord\.gg)/"),
        (3, r"\bpromote (?:it|this|your|ur|on|yourself)\b|\bsend (?:it|pic|this)s? (?:to|on) @"),
        (3, r"\b(?:check|visit|see|look at) (?:out )?(?:my|our|the link in my) (?:page|profile|bio|link|story)\b"),
        (3, r"\bfollow me for\b|\binvest with\b"),
        (3, r"\blinks? in (?:my |the )?bio\b|\b(?:dm|message|text|inbox) (?:me|her|him|@\w+) (?:now|to|for|if)\b"),
        (
            3,
            r"\b(?:earn|make|made|profit)\w* (?:up to |over )?[$£€]?\d[\d,.]*k? ?(?:\w+ ){0,3}(?:day|week|month)\b",
        ),
        (3, r"\b(?:hacker|recover\w*) .*\b(?:wallet|funds?|lost|stolen|account)\b"),
        (2, r"\b(?:bitcoin|btc|crypto\w*|forex|nfts?|airdrop|onlyfans|casino|sugar daddy|viagra|escorts?)\b"),
        (2, r"\b(?:gain|buy|free|more|real) (?:\w+ )?(?:followers|likes|subscribers|views)\b"),
        (2, r"\b(?:passive income|double your|financial freedom|investment (?:plan|platform)|work from home)\b"),
        (1, r"\b(?:giveaway|invest\w*|loans?|traders?|followers|click here|limited offer|100% free)\b"),
        (1, r"https?://|\bwww\."),
    )
)
_MENTION = re.compile(r"(?<![\w/])@[\w.]+(?:@[\w.-]+)?")
_TAG = re.compile(r"(?<!\w)#\w+")
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_MENTIONS_MAX, _TAGS_MAX = 4, 6
#: Words that a friend is called with; more say something.
_CALL_MAX = 3

#: What no question is asked with, however sure the bot is of one.
_CURSES = re.compile(
    r"\b(?:scam\w*|rip[- ]?off|ripped off|disgust\w*|disgrace\w*|appalling|awful|terrible|horrible|worst|useless|rude|"
    r"never again|shocking|ridiculous|a joke|unacceptable|disappoint\w*|wtf|wth|fuming|furious|fed up|complaint)\b"
    r"|[😡🤬😠👎🤮]",
    re.IGNORECASE,
)
#: What complains where the bot is not sure what is meant.
_COMPLAINS = re.compile(
    r"\b(?:avoid|broken|smashed|mouldy|stale|leak(?:s|ed|ing)|ruin(?:ed|s)|"
    r"(?:never|nothing) (?:has |have )?(?:arrived|came|come|turned up)|still (?:waiting|no|not)|"
    r"no (?:reply|answer|response)|ignor(?:ed|ing)|refund|money back|complain\w*|wast(?:e|ed) of)\b",
    re.IGNORECASE,
)
_PRAISES = re.compile(
    r"\b(?:love|loved|loving|amazing|awesome|best|brilliant|delicious|excellent|fab\w*|fantastic|gorgeous|great|lovely|"
    r"perfect|superb|tasty|wonderful|yum\w*|thanks?|thank you|obsessed|favou?rite|beautiful|congrat\w*|well done)\b"
    r"|[❤🧡💛💚💙💜😍🥰😋🙌👏🔥💯🤩]",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|^\W*(?:who|what|when|where|why|how|which|can|could|do|does|did|is|are|will|would|any(?:one|body)|has|have)\b",
    re.IGNORECASE,
)


class Aim(StrEnum):
    """Whom a public message speaks to."""

    TO_US = "to_us"
    ABOUT_US = "about_us"
    NOT_FOR_US = "not_for_us"


class Kind(StrEnum):
    """What a public message is."""

    SPAM = "spam"
    #: it wants nothing of anybody: a greeting, a sign, a friend who is called
    CHATTER = "chatter"
    PRAISE = "praise"
    QUESTION = "question"
    COMPLAINT = "complaint"


#: What an intent is in public; every other one that the bot is sure of is a question.
_KIND_OF_INTENT = {
    **dict.fromkeys(("legal_threat", "delivery_problem", "payment_problem"), Kind.COMPLAINT),
    **dict.fromkeys(("greet", "goodbye", "affirm", "deny", "nevermind", "inform", "correct_detail"), Kind.CHATTER),
}


class Treatment(StrEnum):
    """What is done about it."""

    #: it is kept and counted
    LEAVE = "leave"
    #: an approved text thanks for it
    THANK = "thank"
    #: an approved text answers it
    ANSWER = "answer"
    #: an approved text asks to go on in private, and people get a ticket
    INVITE = "invite"
    #: people get a ticket, and nothing is said
    TICKET = "ticket"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A public message, and what the bot made of it."""

    text: str
    #: whether it answers or names us as somebody who is spoken to
    is_to_us: bool
    has_files: bool = False
    #: what people call us
    names: tuple[str, ...] = ()
    #: none: the bot did not read it, or did not understand
    intent: str | None = None
    confidence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a public message is."""

    aim: Aim
    kind: Kind
    #: how somebody feels who is sure to; none: nobody knows
    mood: Mood | None = None


@dataclass(frozen=True, kw_only=True)
class Means:
    """What there is to treat a message with."""

    #: an approved text answers what it asks, and it was not said in this thread yet
    has_answer: bool
    #: an approved text thanks for praise
    has_thanks: bool
    #: there is a private channel to ask them to, and they were not asked in this thread yet
    can_invite: bool


def is_spam(text: str, *, is_to_us: bool) -> bool:
    """Whether the words alone say that nobody wants an answer of ours."""
    points = sum(worth for worth, lure in _LURES if lure.search(text))
    points += 2 * (len(_MENTION.findall(text)) > _MENTIONS_MAX) + (len(_TAG.findall(text)) > _TAGS_MAX)
    return points >= (_SPAM_TO_US if is_to_us else _SPAM_ABOUT_US)


def bare(text: str) -> str:
    """Return the words that are left without mentions, tags and links."""
    stripped = _TAG.sub(" ", _MENTION.sub(" ", _LINK.sub(" ", text)))
    return " ".join(stripped.split())


def triage(heard: Heard) -> Verdict:
    """Return whom a message speaks to and what it is."""
    if is_spam(heard.text, is_to_us=heard.is_to_us):
        return Verdict(aim=Aim.NOT_FOR_US, kind=Kind.SPAM)
    is_sure = heard.intent is not None and heard.confidence >= SURE_FROM
    feels = mood([heard.intent]) if is_sure else None
    kind = _kind(heard, feels, is_sure=is_sure)
    if kind is Kind.CHATTER:
        return Verdict(aim=Aim.NOT_FOR_US, kind=kind)
    return Verdict(aim=Aim.TO_US if heard.is_to_us else Aim.ABOUT_US, kind=kind, mood=feels)


def treat(verdict: Verdict, means: Means) -> Treatment:
    """Return what to do about a message; those who only talk about us are not answered unasked."""
    is_to_us = verdict.aim is Aim.TO_US
    match verdict.kind:
        case Kind.SPAM | Kind.CHATTER:
            return Treatment.LEAVE
        case Kind.PRAISE:
            return Treatment.THANK if is_to_us and means.has_thanks else Treatment.LEAVE
        case Kind.QUESTION if not is_to_us:
            return Treatment.LEAVE
        case Kind.QUESTION if means.has_answer:
            return Treatment.ANSWER
        case Kind.COMPLAINT if not is_to_us:
            return Treatment.TICKET
        case _:
            return Treatment.INVITE if means.can_invite else Treatment.TICKET


def _kind(heard: Heard, feels: Mood | None, *, is_sure: bool) -> Kind:
    words = bare(heard.text)
    if feels in {Mood.ANGRY, Mood.UNHAPPY} or _CURSES.search(words):
        return Kind.COMPLAINT
    if feels in {Mood.PLEASED, Mood.THANKFUL}:
        return Kind.COMPLAINT if _COMPLAINS.search(words) else Kind.PRAISE
    if _calls_another(heard) and not (_COMPLAINS.search(words) or "?" in words):
        return Kind.CHATTER
    # What people tell each other about us asks us nothing.
    complains = _COMPLAINS.search(words) and not (is_sure and heard.is_to_us)
    if is_sure and not complains:
        return _KIND_OF_INTENT.get(heard.intent or "", Kind.QUESTION)
    return Kind.COMPLAINT if complains else _kind_by_words(heard, words)


def _kind_by_words(heard: Heard, words: str) -> Kind:
    """Return what a message is that the bot did not understand and that does not complain."""
    if not any(character.isalnum() for character in words):
        if heard.has_files and heard.is_to_us:
            return Kind.QUESTION
        return Kind.PRAISE if _PRAISES.search(words) else Kind.CHATTER
    if _ASKS.search(words):
        return Kind.QUESTION
    if _PRAISES.search(words):
        return Kind.PRAISE
    is_call = heard.text.lstrip().startswith("@") and len(words.split()) <= _CALL_MAX
    return Kind.CHATTER if is_call or not heard.is_to_us else Kind.QUESTION


def _calls_another(heard: Heard) -> bool:
    """Whether a message begins with somebody's name and never says ours."""
    said = _folded(heard.text)
    is_call = _MENTION.match(heard.text.lstrip()) is not None
    return is_call and bool(heard.names) and not any(_folded(name) in said for name in heard.names)


def _folded(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
