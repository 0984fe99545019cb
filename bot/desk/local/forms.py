"""What the forms of the local desk ask for: their fields to acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.acts import (
    Act,
    Amend,
    AskToVerify,
    Assign,
    Claim,
    Closing,
    HandBack,
    InviteToPrivate,
    LinkCustomer,
    Note,
    Promise,
    RejectSuggestion,
    Release,
    Reopen,
    Reply,
    ReplyElsewhere,
    Resend,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
    Undo,
    UnlinkCustomer,
    Wake,
)
from bot.domain.conversations import ConversationId
from bot.domain.customers import Candidate
from bot.domain.errors import DeskError
from bot.domain.messages import Attachment, MessageId
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Agent, AgentId, Priority, TeamName

TEXT_MAX = 8_000
#: How long a ticket can be put aside, and a promise given, by the hours that forms send.
HOURS = {1: "1 hour", 4: "4 hours", 24: "1 day", 72: "3 days", 168: "1 week"}


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A form that somebody sent."""

    agent: Agent
    #: what was typed or chosen, by the name of the field
    fields: Mapping[str, str]
    attachments: tuple[Attachment, ...]
    #: whom tickets can be given to, by their ids
    people: Mapping[AgentId, Agent]
    #: whom the customer may be, by what the conversation itself says
    candidates: Sequence[Candidate] = ()
    now: datetime

    @property
    def text(self) -> str:
        """What was typed into the one large box."""
        return self.get("text").replace("\r\n", "\n").strip()

    def get(self, name: str) -> str:
        """Return one field; empty when it is not there."""
        return self.fields.get(name, "")

    @property
    def is_known_public(self) -> bool:
        """Whether the form said that everybody will read it."""
        return self.get("public") == "yes"

    @property
    def exposes(self) -> tuple[str, ...]:
        """What the page said that it tells everybody."""
        return tuple(filter(None, self.get("exposes").splitlines()))

    def written(self, otherwise: str) -> str:
        """Return the text; raises `DeskError` that says `otherwise` when there is none."""
        if not self.text:
            raise DeskError(otherwise)
        return self.text

    def later(self) -> datetime | None:
        """Return the moment that was chosen, or none."""
        hours = self.get("hours")
        return self.now + timedelta(hours=int(hours)) if hours.isdecimal() and int(hours) in HOURS else None

    def in_time(self) -> datetime:
        """Return the moment that was chosen; raises `DeskError` when none was."""
        later = self.later()
        if later is None:
            raise DeskError("Choose when.")
        return later

    def someone(self) -> Agent:
        """Return whom was chosen; raises `DeskError` when it is nobody."""
        found = self.people.get(AgentId(self.get("agent")))
        if found is None:
            raise DeskError("Choose who shall have it.")
        return found

    def found(self) -> LinkCustomer:
        """Return the link with whom was chosen; raises `DeskError` when nothing points to them.

        The reasons are the records', and never the form's: a record is not opened by naming it.
        """
        for each in self.candidates:
            if each.customer.id == self.get("customer"):
                return LinkCustomer(customer_id=each.customer.id, evidence="; ".join(each.evidence))
        raise DeskError("Nothing in this conversation points to that record any more.")


def act_of(name: str, form: Filled) -> Act:
    """Return what the form of that name asks for; raises `DeskError` for what cannot be meant."""
    read = _ACTS[name]
    if len(form.text) > TEXT_MAX:
        raise DeskError(f"That is too long: {TEXT_MAX:,} characters are the most.")
    try:
        return read(form)
    except ValueError:
        raise DeskError("This form is older than the desk: reload the page.") from None


def is_act(name: str) -> bool:
    """Whether there is a form of that name."""
    return name in _ACTS


def _reply(form: Filled) -> Act:
    if not form.text and not form.attachments:
        raise DeskError("Write something.")
    suggestion, seen, quotes = form.get("suggestion"), form.get("seen"), form.get("quotes")
    return Reply(
        text=form.text,
        attachments=form.attachments,
        suggestion=SuggestionId(suggestion) if suggestion else None,
        seen=MessageId(seen) if seen else None,
        is_known_public=form.is_known_public,
        exposes=form.exposes,
        quotes=MessageId(quotes) if quotes else None,
    )


def _amend(form: Filled) -> Act:
    return Amend(
        message_id=MessageId(form.get("message")),
        text=form.written("To remove it, take it back."),
        is_known_public=form.is_known_public,
        exposes=form.exposes,
    )


def _hand_back(form: Filled) -> Act:
    return HandBack(
        outcome=form.written("Say what was done, so that the bot can go on."),
        promised=form.get("promised").strip(),
        promised_at=form.later() if form.get("promised").strip() else None,
        may_act=not form.get("people_decide"),
    )


_ACTS: dict[str, Callable[[Filled], Act]] = {
    "claim": lambda _: Claim(),
    "release": lambda _: Release(),
    "take-over": lambda form: Assign(agent=form.agent),
    "assign": lambda form: Assign(agent=form.someone(), remark=form.get("remark")),
    "transfer": lambda form: Transfer(team=TeamName(form.get("team")), remark=form.get("remark")),
    "reply": _reply,
    "elsewhere": lambda form: ReplyElsewhere(
        conversation_id=ConversationId(form.get("conversation")), text=form.written("Write something.")
    ),
    "resend": lambda form: Resend(message_id=MessageId(form.get("message"))),
    "amend": _amend,
    "take-back": lambda form: Amend(message_id=MessageId(form.get("message")), text=None),
    "wrong": lambda form: RejectSuggestion(suggestion=SuggestionId(form.get("suggestion"))),
    "note": lambda form: Note(text=form.written("Write something.")),
    "snooze": lambda form: Snooze(until=form.in_time()),
    "wake": lambda _: Wake(),
    "priority": lambda form: SetPriority(priority=Priority(form.get("priority"))),
    "tags": lambda form: SetTags(tags=tuple(form.get("tags").split(","))),
    "promise": lambda form: Promise(text=form.get("promised"), due_at=form.in_time()),
    "invite": lambda _: InviteToPrivate(),
    "verify": lambda _: AskToVerify(),
    "link": Filled.found,
    "unlink": lambda _: UnlinkCustomer(),
    "resolve": lambda form: Resolve(
        outcome=form.text,
        closing=Closing(form.get("closing") or Closing.SOLVED),
        topic=form.get("topic") or None,
        tells_public=bool(form.get("tells")),
    ),
    "hand-back": _hand_back,
    "reopen": lambda _: Reopen(),
    "undo": lambda form: Undo(key=form.get("undoes")),
}
