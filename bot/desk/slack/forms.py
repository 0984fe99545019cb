"""What was filled into a modal, as what it asks for, or as what is wrong and where.

Pure, so that it can be asked twice: while the modal is still open, and when the act is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.events import Submission
from bot.desk.slack.modals import (
    CLOSING,
    DAY,
    MAY_ACT,
    PERSON,
    PRIORITY,
    PROMISED,
    PROMISED_AT,
    PUBLIC,
    RECORD,
    REMARK,
    TAGS,
    TEAM,
    TELLS,
    TEXT,
    TITLE,
    TOPIC,
    UNTIL,
)
from bot.domain.acts import (
    Act,
    Closing,
    HandBack,
    Note,
    Promise,
    Reply,
    ReplyElsewhere,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
)
from bot.domain.conversations import ConversationId
from bot.domain.customers import CustomerId
from bot.domain.errors import SettingsError
from bot.domain.macros import Macro, check_macro
from bot.domain.messages import MessageId
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Priority, TeamName

#: Nobody plans further ahead.
AHEAD_MAX = timedelta(days=366)
TAG_MAX, TAGS_MAX = 40, 12


@dataclass(frozen=True, kw_only=True)
class GiveTo:
    """Assign to somebody whom only Slack's id is known of."""

    user: str
    remark: str


@dataclass(frozen=True, kw_only=True)
class LinkTo:
    """Show a record; why it is the right one is looked up again."""

    customer_id: CustomerId


#: What a modal asks for.
Wish = Act | GiveTo | LinkTo | Macro


class FormError(Exception):
    """What was filled in cannot be used."""

    def __init__(self, **errors: str) -> None:
        """Say what is wrong at which field."""
        super().__init__(*errors.values())
        self.errors: Mapping[str, str] = errors


def wishes(sent: Submission, now: datetime) -> tuple[Wish, ...]:
    """Return what a modal asks for, in order; raises `FormError`. Nothing for a modal that only leads to the next."""
    reader = _READERS.get(sent.action)
    return reader(sent, now) if reader else ()


def _reply(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    elsewhere = sent.memory.get("elsewhere")
    if elsewhere:
        return (ReplyElsewhere(conversation_id=ConversationId(elsewhere), text=_said(sent)),)
    seen, draft, quotes = sent.memory.get("seen"), sent.memory.get("suggestion"), sent.memory.get("quotes")
    return (
        Reply(
            text=_said(sent),
            macro=sent.memory.get("macro") or None,
            suggestion=SuggestionId(draft) if draft else None,
            seen=MessageId(seen) if seen else None,
            is_known_public=sent.memory.get("public") == "yes",
            quotes=MessageId(quotes) if quotes else None,
        ),
    )


def _note(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    return (Note(text=_said(sent)),)


def _snooze(sent: Submission, now: datetime) -> tuple[Wish, ...]:
    field = DAY if sent.one(DAY) else UNTIL
    if not sent.one(field):
        raise FormError(**{UNTIL: "Choose until when."})
    return (Snooze(until=_moment(sent, field, now)),)


def _sort(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    tags = tuple(dict.fromkeys(filter(None, (" ".join(tag.split()).lstrip("#") for tag in sent.one(TAGS).split(",")))))
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_MAX for tag in tags):
        raise FormError(**{TAGS: f"At most {TAGS_MAX} tags of {TAG_MAX} characters."})
    if sent.one(PRIORITY) not in set(Priority):
        raise FormError(**{PRIORITY: "Choose one."})
    return (SetPriority(priority=Priority(sent.one(PRIORITY))), SetTags(tags=tags))


def _assign(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    person, team, remark = sent.one(PERSON), sent.one(TEAM), sent.one(REMARK)
    if bool(person) == bool(team):
        raise FormError(**{PERSON: "Choose a person or a team, one of them."})
    return (GiveTo(user=person, remark=remark) if person else Transfer(team=TeamName(team), remark=remark),)


def _promise(sent: Submission, now: datetime) -> tuple[Wish, ...]:
    return (Promise(text=_said(sent), due_at=_moment(sent, PROMISED_AT, now)),)


def _link(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    if not sent.one(RECORD):
        raise FormError(**{RECORD: "Choose one."})
    return (LinkTo(customer_id=CustomerId(sent.one(RECORD))),)


def _resolve(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    if sent.one(CLOSING) not in set(Closing):
        raise FormError(**{CLOSING: "Choose one."})
    return (
        Resolve(
            outcome=sent.one(TEXT),
            closing=Closing(sent.one(CLOSING)),
            topic=sent.one(TOPIC) or None,
            tells_public=bool(sent.one(TELLS)),
        ),
    )


def _hand_back(sent: Submission, now: datetime) -> tuple[Wish, ...]:
    promised, promised_at = sent.one(PROMISED), None
    if sent.one(PROMISED_AT):
        promised_at = _moment(sent, PROMISED_AT, now)
        if not promised:
            raise FormError(**{PROMISED: "What is due then?"})
    if promised and promised_at is None:
        raise FormError(**{PROMISED_AT: "By when?"})
    return (HandBack(outcome=_said(sent), promised=promised, promised_at=promised_at, may_act=bool(sent.one(MAY_ACT))),)


def _macro(sent: Submission, _: datetime) -> tuple[Wish, ...]:
    title = " ".join(sent.one(TITLE).split())
    macro = Macro(title=title, text=_said(sent), is_public=bool(sent.one(PUBLIC)))
    try:
        check_macro(macro)
    except SettingsError as error:
        raise FormError(**{TEXT if macro.title else TITLE: str(error)}) from None
    return (macro,)


def _said(sent: Submission) -> str:
    if not sent.one(TEXT):
        raise FormError(**{TEXT: "Write something first."})
    return sent.one(TEXT)


def _moment(sent: Submission, field: str, now: datetime) -> datetime:
    figures = sent.one(field)
    if not (figures.isascii() and figures.isdigit() and len(figures) < 12):
        raise FormError(**{field: "Choose a day and a time."})
    at = datetime.fromtimestamp(int(figures), UTC)
    if not now < at <= now + AHEAD_MAX:
        raise FormError(**{field: "Choose a moment to come, within a year."})
    return at


_READERS: dict[DeskAction, Callable[[Submission, datetime], tuple[Wish, ...]]] = {
    DeskAction.REPLY: _reply,
    DeskAction.NOTE: _note,
    DeskAction.SNOOZE: _snooze,
    DeskAction.SORT: _sort,
    DeskAction.ASSIGN: _assign,
    DeskAction.PROMISE: _promise,
    DeskAction.LINK: _link,
    DeskAction.RESOLVE: _resolve,
    DeskAction.HAND_BACK: _hand_back,
    DeskAction.MAKE_MACRO: _macro,
}
