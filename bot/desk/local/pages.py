"""The pages of the local desk: domain values to HTML, which escapes everything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.desk import words
from bot.desk.local.forms import HOURS
from bot.domain.customers import Candidate
from bot.domain.messages import Attachment, Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.rules import Team
from bot.domain.suggestions import Suggestion, SuggestionState
from bot.domain.tickets import Agent, AgentId, TicketEvent, TicketId, TicketState, TicketView

_HERE = Path(__file__).parent
#: Pictures that cannot carry a script; anything else is downloaded.
RASTER = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
#: Messages that a reply can be said to answer.
_ANSWERABLE_MAX = 8
_EVENTS = {
    "opened": "Ticket opened",
    "reopened": "Ticket opened again",
    "claimed": "claimed the ticket",
    "release": "gave the ticket back to the queue",
    "assign": "gave the ticket",
    "transfer": "passed the ticket on",
    "snooze": "put the ticket aside",
    "wake": "took the ticket up again",
    "set_priority": "set the priority",
    "set_tags": "set the tags",
    "promise": "promised",
    "promise_broken": "A promise was not kept",
    "amend": "changed a message",
    "reply_elsewhere": "answered on another channel",
    "resend": "sent a message again",
    "ask_to_verify": "had the customer asked for a proof",
    "link_customer": "said whose record this is",
    "unlink_customer": "took the customer's record back",
    "reject_suggestion": "called the bot's draft wrong",
    "macro": "used a canned reply",
    "reopen": "opened the ticket again",
    "undo": "took that back",
    "resolved": "resolved the ticket",
    "handed_back": "handed back to the bot",
    "delivery_failed": "A message did not arrive",
}
_TICKS = {
    DeliveryState.PENDING: "…",
    DeliveryState.SENT: "✓",
    DeliveryState.DELIVERED: "✓✓",
    DeliveryState.READ: "✓✓",
    DeliveryState.FAILED: "⚠",
    DeliveryState.WITHHELD: "⚠",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in a ticket's timeline."""

    #: "customer", "bot", "agent", "system", "note" or "event"
    kind: str
    name: str
    text: str
    at: datetime
    attachments: tuple[Attachment, ...] = ()
    #: titles of the choices that were offered
    choices: tuple[str, ...] = ()
    edited_from: str | None = None
    #: the words that it answers; empty: it answers no one message
    quotes: str = ""
    delivery: DeliveryState | None = None
    delivery_detail: str = ""
    #: of what an agent said
    message_id: MessageId | None = None
    #: whether it was taken back by who did it
    is_undone: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether the customer has not seen it and will not."""
        return self.delivery in {DeliveryState.FAILED, DeliveryState.WITHHELD}


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What somebody had typed when an act was refused."""

    act: str = ""
    text: str = ""
    #: why it was refused
    error: str = ""
    #: what of somebody's alone it would tell everybody: whoever sends it again means to
    exposed: tuple[str, ...] = ()
    #: what was done just now, and the second until which it can be taken back
    did: str = ""
    until: str = ""
    #: whom the customer may be; none: that was not asked
    candidates: list[Candidate] | None = None


class Pages:
    """Renders the desk's pages."""

    def __init__(self, brand: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the templates and the static files that stand beside this module."""
        self.static = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir() if path.is_file()}
        version = hashlib.sha256(b"".join(self.static[name] for name in sorted(self.static))).hexdigest()[:12]
        self._clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(brand=brand, version=version, raster=RASTER, ticks=_TICKS)
        self._templates.filters.update(
            ago=self._ago,
            channel=words.channel,
            identity=words.identity,
            team=words.team,
            moment=words.moment,
            money=words.money,
            reason=words.REASONS.__getitem__,
            mood=words.MOODS.__getitem__,
            delivered=words.DELIVERIES.__getitem__,
            size=size,
            state=words.STATES.__getitem__,
            who=words.customer_name,
            clocks=words.clocks,
            clock=words.CLOCKS.__getitem__,
            priority=words.PRIORITIES.__getitem__,
            language=words.language,
        )
        self._templates.globals.update(
            public_reply=words.PUBLIC_REPLY, joined_not_proved=words.JOINED_NOT_PROVED, joined=words.joined
        )
        self._templates.globals.update(
            hours=HOURS, priorities=words.PRIORITIES, closings=words.CLOSINGS, draft_of=draft_of, answerable=answerable
        )

    def refused(self, reason: str) -> str:
        """Return the page for somebody who has not come in."""
        return self._templates.get_template("refused.html").render(reason=reason)

    def name(self, token: str, name: str, error: str) -> str:
        """Return the page that asks what customers shall call the agent."""
        return self._templates.get_template("name.html").render(token=token, name=name, error=error)

    def desk(self, queue: list[TicketView], ticket: TicketView | None, form: Form, typed: Typed) -> str:
        """Return the queue, beside the chosen ticket if there is one."""
        return self._templates.get_template("desk.html").render(
            troubles=form.troubles,
            queue=queue,
            waiting=[view for view in queue if view.ticket.state is TicketState.QUEUED],
            claimed=[view for view in queue if view.ticket.state is TicketState.CLAIMED],
            chosen=ticket,
            timeline=timeline(ticket) if ticket else [],
            form=form,
            typed=typed,
            what_to_do=words.WHAT_TO_DO,
            no_other_way=words.NO_OTHER_WAY,
            way_not_proved=words.WAY_NOT_PROVED,
            can_undo=typed.until.isdecimal() and int(typed.until[:12]) > self._clock().timestamp(),
        )

    def gone(self, queue: list[TicketView], form: Form) -> str:
        """Return the desk with a word on a ticket that does not exist."""
        return self.desk(queue, None, form, Typed(error="There is no such ticket."))

    def _ago(self, at: datetime) -> str:
        minutes = max(0, int((self._clock() - at).total_seconds()) // 60)
        if minutes < 1:
            return "now"
        if minutes < 60:
            return f"{minutes} min"
        return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


@dataclass(frozen=True, kw_only=True)
class Form:
    """What every form of a page carries."""

    #: who is signed in, as customers see them
    name: str
    #: and as the desk knows them: not the same person as somebody of that name in Slack
    agent_id: AgentId
    token: str
    #: the same for both clicks of a double click
    key: str
    #: number of the last change that the page knows of
    change: int
    #: whom tickets can be passed on to
    teams: tuple[Team, ...] = ()
    #: whom tickets can be given to
    people: tuple[Agent, ...] = ()
    #: whether who is signed in takes tickets; none: nobody keeps count
    is_there: bool | None = None
    #: why the other desk cannot be used now, in plain words
    troubles: tuple[str, ...] = ()


def draft_of(view: TicketView) -> Suggestion | None:
    """Return the bot's draft for the customer's last message, while nobody has used or refused it."""
    newest = view.suggestions[-1] if view.suggestions else None
    return newest if newest is not None and newest.state is SuggestionState.OFFERED else None


def answerable(view: TicketView) -> list[tuple[MessageId, str]]:
    """Return the customer's last messages, newest first, each with its first words: a reply may answer one of them."""
    said = [entry for entry in view.transcript if entry.author is Author.CUSTOMER]
    return [(entry.id, " ".join(words.said(entry).split())[:60]) for entry in reversed(said[-_ANSWERABLE_MAX:])]


def timeline(view: TicketView) -> list[Entry]:
    """Return the transcript and the ticket's history in one, oldest first."""
    said = [_said(entry, view) for entry in view.transcript]
    happened = [_happened(event) for event in view.events if event.kind != "reply"]
    return sorted([*said, *happened], key=lambda entry: entry.at)


def ticket_path(ticket_id: TicketId) -> str:
    """Return where a ticket's page is."""
    return f"/desk/tickets/{quote(ticket_id, safe='')}"


def size(count: int | None) -> str:
    """Return `1.2 MB`."""
    if count is None:
        return ""
    if count < 1024 * 1024:
        return f"{max(1, count // 1024)} kB"
    return f"{count / 1024 / 1024:.1f} MB"


def disposition(file: Attachment) -> str:
    """Return how a browser treats a file: rasters are shown, all else is downloaded under its own name (RFC 6266)."""
    way = "inline" if file.media_type in RASTER else "attachment"
    return f"{way}; filename*=UTF-8''{quote(file.name or 'file', safe='')}"


def _said(entry: TranscriptLine, view: TicketView) -> Entry:
    return Entry(
        kind=entry.author.value,
        name=words.author_name(entry, view),
        text=entry.text,
        at=entry.at,
        attachments=entry.attachments,
        choices=entry.choices,
        edited_from=entry.edited_from,
        quotes=entry.quotes.text if entry.quotes else "",
        delivery=None if entry.author is Author.CUSTOMER else entry.delivery,
        delivery_detail=entry.delivery_detail,
        message_id=entry.id if entry.author is Author.AGENT else None,
    )


def _happened(event: TicketEvent) -> Entry:
    name = event.agent.name if event.agent else ""
    if event.kind == "note":
        return Entry(kind="note", name=name or "Bot", text=event.detail, at=event.at)
    what = f"{name} {_EVENTS.get(event.kind, event.kind.replace('_', ' '))}".strip()
    return Entry(kind="event", name=what, text=event.detail, at=event.at, is_undone=event.is_undone)
