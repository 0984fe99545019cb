"""What tickets, lines and modals look like in Slack: Block Kit made from domain values.

Text of customers stands only in `rich_text` and `plain_text` elements, which Slack does not parse, and escaped in the
`text` that notifications show. Limits: https://docs.slack.dev/reference/block-kit/blocks and, for the sum of the texts
of a message, the `msg_blocks_too_long` that Slack answers beyond some 13,000 characters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.desk import words
from bot.domain.connectors import TextUnit
from bot.domain.handoff import HandoffRequest
from bot.domain.messages import Author, DeliveryState, TranscriptLine
from bot.domain.planning import measure
from bot.domain.tickets import TicketId, TicketState, TicketView

Block = dict[str, object]

#: What Slack takes; ours stay below.
BLOCKS_MAX = 50
TEXTS_MAX = 13_000
HEADER_MAX = 150
#: Of one line of the transcript, and of the transcript folded into one post, in UTF-16 units.
LINE_MAX = 10_500
TRANSCRIPT_MAX = 11_000
TRANSCRIPT_LINE_MAX = 1_500
#: Of a fact on the card, and of the text a notification shows.
FACT_MAX = 700
FALLBACK_MAX = 300
#: Of what an agent can type into a modal (Slack's own limit).
INPUT_MAX = 3_000
#: Block and action id of the one input that our modals have.
INPUT = "tandem_text"


class DeskAction(StrEnum):
    """A button of a card; the modal it opens, if any, carries the same name."""

    CLAIM = "tandem_claim"
    REPLY = "tandem_reply"
    NOTE = "tandem_note"
    RESOLVE = "tandem_resolve"
    HAND_BACK = "tandem_hand_back"

    @property
    def has_modal(self) -> bool:
        """Whether the button asks for a text first."""
        return self is not DeskAction.CLAIM


@dataclass(frozen=True, kw_only=True)
class Post:
    """The visible part of a message in Slack."""

    #: for notifications, escaped
    text: str
    blocks: list[Block]


def escape(text: str) -> str:
    """Return `text` so that Slack shows it as it is (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """Return `text`, or as much of it as fits `limit` UTF-16 units with the number of characters left out."""
    if measure(text, TextUnit.UTF16) <= limit:
        return text
    room, kept = limit - 40, 0
    for character in text:
        room -= 2 if ord(character) > 0xFFFF else 1
        if room < 0:
            break
        kept += 1
    return f"{text[:kept]}… ({len(text) - kept} more characters)"


def card(view: TicketView) -> Post:
    """Return the ticket's card: what it is about, who the customer is, and what can be done."""
    ticket = view.ticket
    title = f"#{ticket.number} · {ticket.request.topic}"
    blocks: list[Block] = [
        {"type": "header", "text": _plain(clip(title, HEADER_MAX - 10))},
        _rich([_section(_facts(view))]),
    ]
    if view.record is not None or view.record_note:
        blocks.append(_rich([_section(_record(view))]))
    if view.transcript and ticket.state.is_open:
        blocks.append(_last_words(view))
    blocks.append(_context(_status(view)))
    if ticket.state.is_open:
        blocks.append(_buttons(ticket.id, ticket.state))
    elif ticket.outcome:
        blocks.append(_rich([_section([_bold("Done: "), _text(clip(ticket.outcome, FACT_MAX))])]))
    summary = f"{title} – {words.customer_name(view)}, {words.STATES[ticket.state]}"
    return Post(text=_fallback(summary), blocks=blocks)


def line(entry: TranscriptLine, view: TicketView, remark: str = "") -> Post:
    """Return one line of the transcript, maybe with a remark of ours; what the customer wrote or saw is a quote."""
    name = words.author_name(entry, view)
    blocks: list[Block] = [_rich(_line(entry, name, LINE_MAX))]
    if entry.edited_from is not None:
        blocks.append(_context([_plain(f"Edited. It said: {clip(entry.edited_from, FACT_MAX)}")]))
    if remark:
        blocks.append(_context([_plain(clip(remark, FACT_MAX))]))
    return Post(text=_fallback(f"{name}: {_body(entry)}"), blocks=blocks)


def left_out_line() -> Post:
    """Return what stands in for a line that a ticket no longer carries."""
    text = "A message is not shown here: the conversation moved on too far before it could be posted."
    return Post(text=text, blocks=[_context([_plain(text)])])


def transcript(view: TicketView) -> Post:
    """Return what was said before the ticket was opened, newest lines first to fit, oldest first to read."""
    said = [entry for entry in view.transcript if entry.at <= view.ticket.opened_at]
    room, shown = TRANSCRIPT_MAX, list[TranscriptLine]()
    for entry in reversed(said):
        room -= min(measure(_body(entry), TextUnit.UTF16), TRANSCRIPT_LINE_MAX) + 110
        if room < 0:
            break
        shown.append(entry)
    elements: list[Block] = []
    for entry in reversed(shown):
        elements += _line(entry, words.author_name(entry, view), TRANSCRIPT_LINE_MAX)
    heading = (
        "Before this ticket" if len(shown) == len(said) else f"Before this ticket (the last {len(shown)} messages)"
    )
    if not shown:
        heading = "Nothing was said before this ticket."
    first: Block = {"type": "rich_text_section", "elements": [_bold(heading)]}
    return Post(text=heading, blocks=[_rich([first, *elements])])


def notice(text: str) -> Post:
    """Return a remark of ours in the thread."""
    shown = clip(text or "(empty)", LINE_MAX)
    return Post(text=_fallback(text), blocks=[_rich([_section([_text(shown)])])])


def failure(entry: TranscriptLine) -> Post:
    """Return why an agent's message did not arrive, and what to do."""
    verb = "was not sent" if entry.delivery is DeliveryState.WITHHELD else "did not arrive"
    quoted = clip(" ".join(_body(entry).split()), 120)
    why = clip(entry.delivery_detail, FACT_MAX) or "The channel gave no reason."
    said = [_bold(f"❌ This {verb}: "), _text(f"“{quoted}”\n"), _text(f"{why}\n{words.WHAT_TO_DO}")]
    return Post(text=_fallback(f"Not delivered: {why}"), blocks=[_rich([_section(said)])])


def refusal(reason: str, unsent: str = "") -> Post:
    """Return what only the person who tried is shown; `unsent` gives them their words back."""
    blocks: list[Block] = [_rich([_section([_text(clip(reason, FACT_MAX))])])]
    if unsent:
        copy: Block = {"type": "rich_text_preformatted", "elements": [_text(clip(unsent, 9_000))]}
        blocks.append(_rich([_section([_text("Your text, to copy:")]), copy]))
    return Post(text=_fallback(reason), blocks=blocks)


def modal(action: DeskAction, view: TicketView, thread: str) -> Block:
    """Return the modal behind a button; `thread` is where the answer to it belongs."""
    title, submit, label, hint = _MODALS[action]
    element: Block = {
        "type": "plain_text_input",
        "action_id": INPUT,
        "multiline": True,
        "max_length": INPUT_MAX,
        "focus_on_load": True,
    }
    asked: Block = {
        "type": "input",
        "block_id": INPUT,
        "label": _plain(label),
        "hint": _plain(hint),
        "element": element,
        "optional": not is_text_required(action),
    }
    ticket = view.ticket
    who = clip(f"#{ticket.number} · {words.customer_name(view)} · {view.conversation.address.channel}", FACT_MAX)
    return {
        "type": "modal",
        "callback_id": action.value,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "private_metadata": json.dumps({"ticket": ticket.id, "thread": thread}),
        "blocks": [_context([_plain(who)]), *_preview(action, view), asked],
    }


def is_text_required(action: DeskAction) -> bool:
    """Whether the modal cannot be sent empty; only Resolve can."""
    return action is not DeskAction.RESOLVE


_MODALS: dict[DeskAction, tuple[str, str, str, str]] = {
    DeskAction.REPLY: (
        "Reply to the customer",
        "Send",
        "Message",
        "The customer sees exactly this text, under your name. Signs like *stars* are sent as they are.",
    ),
    DeskAction.NOTE: ("Internal note", "Keep", "Note", "Kept with the ticket. The customer never sees it."),
    DeskAction.RESOLVE: (
        "Resolve the ticket",
        "Resolve",
        "What was done?",
        "Kept with the ticket. The customer is told that it is closed, and the bot answers again.",
    ),
    DeskAction.HAND_BACK: (
        "Hand back to the bot",
        "Hand back",
        "What was done?",
        "The bot goes on from here and passes this on to the customer: write it in words they may read.",
    ),
}


def _preview(action: DeskAction, view: TicketView) -> list[Block]:
    """Return what is being answered, above the box of a reply."""
    said = [entry for entry in view.transcript if entry.author is Author.CUSTOMER]
    if action is not DeskAction.REPLY or not said:
        return []
    return [_rich(_line(said[-1], words.author_name(said[-1], view), FACT_MAX))]


def _facts(view: TicketView) -> list[Block]:
    request = view.ticket.request
    facts = [
        ("Customer", f"{words.customer_name(view)} on {view.conversation.address.channel}, {words.LEVELS[view.level]}"),
        ("Why", words.REASONS[request.reason]),
    ]
    if request.summary:
        facts.append(("Summary", request.summary))
    if request.order_number:
        facts.append(("Order", request.order_number))
    if request.tried:
        facts.append(("The bot tried", _tried(request)))
    return _lines(facts)


def _tried(request: HandoffRequest) -> str:
    return "; ".join(request.tried)


def _record(view: TicketView) -> list[Block]:
    if view.record is None:
        return _lines([("Record", view.record_note)])
    customer = view.record.customer
    facts = [("Record", f"{customer.email} · {customer.city} · {customer.tier} since {customer.since:%Y}")]
    facts += [("Order", words.order(entry)) for entry in view.record.orders[:3]]
    facts += [
        ("Subscription", f"{entry.product} · {entry.status.value} · every {entry.every_days} days")
        for entry in view.record.subscriptions[:2]
    ]
    return _lines(facts)


def _lines(facts: list[tuple[str, str]]) -> list[Block]:
    elements: list[Block] = []
    for number, (label, value) in enumerate(facts):
        elements.append(_bold(f"{label}: "))
        elements.append(_text(clip(value or "–", FACT_MAX) + ("\n" if number < len(facts) - 1 else "")))
    return elements


def _last_words(view: TicketView) -> Block:
    entry = next((e for e in reversed(view.transcript) if e.author is Author.CUSTOMER), view.transcript[-1])
    return _rich(_line(entry, words.author_name(entry, view), FACT_MAX))


def _status(view: TicketView) -> list[Block]:
    ticket = view.ticket
    if ticket.state is TicketState.QUEUED:
        place = f" · {view.place_in_queue}. in the queue" if view.place_in_queue else ""
        return [_mrkdwn(f"🟠 Waiting since {_when(ticket.opened_at)}{place}")]
    name = clip(ticket.agent.name, 60) if ticket.agent else "nobody"
    if ticket.state is TicketState.CLAIMED:
        since = _when(ticket.claimed_at or ticket.opened_at)
        return [_plain(f"🔵 Claimed by {name}"), _mrkdwn(f"since {since}. Lines that start with `&gt;` are sent.")]
    verb = "Resolved" if ticket.state is TicketState.RESOLVED else "Handed back to the bot"
    return [_plain(f"✅ {verb} by {name}"), _mrkdwn(_when(ticket.closed_at or ticket.opened_at))]


def _when(at: datetime) -> str:
    """Return a moment that Slack shows in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{words.moment(at)}>"


def _buttons(ticket_id: TicketId, state: TicketState) -> Block:
    shown = [
        (DeskAction.CLAIM, "Claim"),
        (DeskAction.REPLY, "Reply"),
        (DeskAction.NOTE, "Note"),
        (DeskAction.RESOLVE, "Resolve"),
        (DeskAction.HAND_BACK, "Hand back to bot"),
    ]
    elements: list[Block] = []
    for action, label in shown[1:] if state is TicketState.CLAIMED else shown:
        button: Block = {"type": "button", "action_id": action.value, "text": _plain(label), "value": ticket_id}
        if not elements:
            button["style"] = "primary"
        elements.append(button)
    return {"type": "actions", "block_id": "tandem_actions", "elements": elements}


def _line(entry: TranscriptLine, name: str, limit: int) -> list[Block]:
    role = {Author.CUSTOMER: " · customer", Author.AGENT: " · to the customer"}.get(entry.author, "")
    head: Block = {"type": "rich_text_section", "elements": [_bold(clip(name, 80)), _text(f"{role}\n")]}
    return [head, {"type": "rich_text_quote", "elements": [_text(clip(_body(entry), limit))]}]


def _body(entry: TranscriptLine) -> str:
    """Return all that a line says: text, files, choices that were offered."""
    parts = [entry.text] if entry.text else []
    parts += [words.attachment(file) for file in entry.attachments]
    if entry.choices:
        parts.append(" · ".join(f"[{title}]" for title in entry.choices))
    return "\n".join(parts) or "(empty message)"


def _fallback(text: str) -> str:
    return escape(clip(text, FALLBACK_MAX))


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _mrkdwn(text: str) -> Block:
    """Return an element that Slack parses: for our own words only."""
    return {"type": "mrkdwn", "text": text}


def _context(elements: list[Block]) -> Block:
    return {"type": "context", "elements": elements}


def _rich(elements: list[Block]) -> Block:
    return {"type": "rich_text", "elements": elements}


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _bold(text: str) -> Block:
    return {"type": "text", "text": text, "style": {"bold": True}}
