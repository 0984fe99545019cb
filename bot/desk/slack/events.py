"""What people do in Slack, as far as the desk acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.desk.slack.buttons import DeskAction
from bot.domain.tickets import TicketId


@dataclass(frozen=True, kw_only=True)
class SlackFile:
    """A file that an agent put with a message."""

    #: fetched with the bot token
    url: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ThreadMessage:
    """Something a person wrote in a thread."""

    external_id: str
    channel: str
    #: the message the thread hangs on
    thread: str
    ts: str
    user: str
    #: as Slack marks it up
    text: str
    #: emoji are looked up in these
    blocks: object
    files: tuple[SlackFile, ...]
    #: whether it was sent to the channel as well
    is_broadcast: bool
    #: when a look into history found it, in seconds since 1970; none: Slack told us of it
    found_at: float | None = None
    #: what of somebody's alone its author was shown that it tells everybody; none: they were not asked
    confirmed: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ThreadChange:
    """A person edited or deleted what they had written in a thread."""

    external_id: str
    channel: str
    thread: str
    ts: str
    user: str
    #: before; marked up
    old_text: str
    #: after; none: deleted
    new_text: str | None
    #: of the text after
    blocks: object = None


@dataclass(frozen=True, kw_only=True)
class Click:
    """A person pressed a button, or chose from a menu: of a card, of a post in its thread, of a modal or at home."""

    external_id: str
    #: empty: it was not pressed in a channel
    channel: str
    #: the card
    thread: str
    user: str
    action: DeskAction
    ticket_id: TicketId
    #: what the button is about besides the ticket: a draft, a message, an act, a page
    argument: str
    #: opens a modal, for three seconds
    trigger_id: str
    #: the modal that it was pressed in
    view_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A person sent a modal."""

    external_id: str
    #: the card, as the ticket's desk reference says it
    at: str
    user: str
    action: DeskAction
    ticket_id: TicketId
    #: what was filled in or chosen, by field
    fields: Mapping[str, tuple[str, ...]]
    #: what the modal remembers
    memory: Mapping[str, str]

    def one(self, name: str) -> str:
        """Return what a field says, without spaces around it; empty when it was left empty."""
        return next(iter(self.fields.get(name, ())), "").strip()


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A person chose something from the menu of a message."""

    external_id: str
    action: DeskAction
    channel: str
    #: empty: the message stands in no thread
    thread: str
    ts: str
    user: str
    trigger_id: str
    #: as Slack marks it up
    text: str
    blocks: object


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A person put an envelope on a message."""

    external_id: str
    channel: str
    ts: str
    user: str
    #: when, in seconds since 1970; of one that was found, the earliest that it can have been
    at: float
    #: when it was found, where no event told of it
    found_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class SlashCommand:
    """A person wrote `/tandem …`."""

    external_id: str
    channel: str
    user: str
    #: what stands behind the command
    text: str
    #: where the answer goes
    response_url: str


@dataclass(frozen=True, kw_only=True)
class HomeOpened:
    """A person opened the app's page."""

    external_id: str
    user: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Something the desk does not act on."""

    #: Slack's words for it: "event/reaction_added"
    kind: str


SlackEvent = (
    ThreadMessage | ThreadChange | Click | Submission | Shortcut | Reaction | SlashCommand | HomeOpened | Unknown
)
