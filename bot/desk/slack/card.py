"""The card of a ticket: what it is about, who the customer is, what is due, and what can be done."""

from __future__ import annotations

from bot.desk import words
from bot.desk.slack import blocks, publicly
from bot.desk.slack.blocks import FACT_MAX, Block, Post, bold, clip, mrkdwn, plain, text
from bot.desk.slack.buttons import MENU, DeskAction
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.messages import Author, DeliveryState, TranscriptLine
from bot.domain.suggestions import Suggestion, SuggestionState
from bot.domain.tickets import Priority, TicketState, TicketView

#: Lines of the conversation that stand on the card, and how much of each.
LAST_LINES = 3
LAST_LINE_MAX = 280
TAGS_MAX = 12
_SIGNS = {Priority.URGENT: "🔴", Priority.HIGH: "🟠", Priority.LOW: "⚪"}


def card(view: TicketView) -> Post:
    """Return the ticket's card."""
    ticket = view.ticket
    signs = f"{'🆘 ' if ticket.is_in_danger else ''}{'PUBLIC · ' if view.is_public else ''}"
    title = f"{signs}#{ticket.number} · {ticket.request.topic}"
    made = [blocks.header(title), *publicly.banner(view), blocks.context(*_status(view))]
    if ticket.state.is_open:
        made += [*due(view), blocks.facts(_facts(view)), *_last_words(view), *publicly.joined(view)]
        made += [*_trouble(view), _buttons(view)]
    else:
        made.append(blocks.facts(_facts(view)))
        if ticket.outcome:
            made.append(blocks.rich(blocks.section(bold("Done: "), text(clip(ticket.outcome, FACT_MAX)))))
        again = blocks.button(DeskAction.REOPEN, "Reopen", ticket.id)
        made.append(blocks.buttons(f"tandem_{ticket.version}", again))
    return blocks.post(f"{title} – {words.customer_name(view)}, {words.STATES[ticket.state]}", made)


def draft(view: TicketView) -> Suggestion | None:
    """Return the bot's newest draft, while nobody has answered the message it is for."""
    newest = view.suggestions[-1] if view.suggestions else None
    if newest is None or newest.state is not SuggestionState.OFFERED:
        return None
    said = [entry for entry in view.transcript if entry.author in {Author.CUSTOMER, Author.AGENT}]
    return newest if said and said[-1].id == newest.message_id else None


def _status(view: TicketView) -> list[Block]:
    ticket = view.ticket
    name = words.team(view)
    team = [plain(f"Team {blocks.short(name, 60)}")] if name else []
    sign = _SIGNS.get(ticket.priority)
    urgency = [plain(f"{sign} {words.PRIORITIES[ticket.priority].capitalize()}")] if sign else []
    mood = [plain(f"{words.MOODS[view.mood]}, by their words")] if view.mood and ticket.state.is_open else []
    tags = " ".join(f"#{tag}" for tag in ticket.tags[:TAGS_MAX])
    return [*urgency, *_state(view), *mood, *team, *([plain(clip(tags, 300))] if tags else [])]


def _state(view: TicketView) -> list[Block]:
    ticket = view.ticket
    name = blocks.short(ticket.agent.name, 60) if ticket.agent else "nobody"
    if ticket.state.is_open and ticket.snoozed_until is not None:
        whose = [plain(f"💤 {name}")] if ticket.agent else []
        return [*whose, mrkdwn(f"{'' if whose else '💤 '}Asleep until {blocks.when(ticket.snoozed_until)}")]
    if ticket.state is TicketState.QUEUED:
        place = f" · place {view.place_in_queue} in the queue" if view.place_in_queue else ""
        return [mrkdwn(f"🟡 Waiting since {blocks.when(ticket.opened_at, '{time} ({ago})')}{place}")]
    if ticket.state is TicketState.CLAIMED:
        since = blocks.when(ticket.claimed_at or ticket.opened_at, "{time}")
        return [plain(f"🔵 {name} has it"), mrkdwn(f"since {since}")]
    verb = "Resolved" if ticket.state is TicketState.RESOLVED else "Handed back to the bot"
    rated = [plain(f"Rated {ticket.rating} of 5")] if ticket.rating else []
    return [plain(f"✅ {verb} by {name}"), mrkdwn(blocks.when(ticket.closed_at or ticket.opened_at)), *rated]


def _facts(view: TicketView) -> list[tuple[str, str]]:
    request = view.ticket.request
    why, summary = words.REASONS[request.reason], request.summary
    is_said = not summary or summary.lower().startswith(why)
    found = [
        ("Customer", f"{words.customer_and_channel(view)}, {words.identity(view)}"),
        ("Why", summary or why if is_said else f"{why} – {summary}"),
    ]
    if language := words.language(view):
        found.append(("Language", language))
    if request.tried:
        found.append(("The bot tried", "; ".join(request.tried)))
    return found + _record(view)


def _record(view: TicketView) -> list[tuple[str, str]]:
    at_stake = view.ticket.request.order_number
    if view.record is None:
        return [(label, said) for label, said in (("Order", at_stake), ("Record", view.record_note)) if said]
    customer = view.record.customer
    found = [("Record", f"{customer.email} · {customer.city} · {customer.tier} since {customer.since:%Y}")]
    if view.linked_evidence:
        found.append(("Not proved", view.linked_evidence))
    orders = sorted(view.record.orders, key=lambda order: order.number != at_stake)
    if at_stake and not any(order.number == at_stake for order in orders):
        found.append(("Order", at_stake))
    found += [("Order", words.order(order)) for order in orders[:1]]
    return found + [
        ("Subscription", f"{entry.product} · {entry.status.value} · every {entry.every_days} days")
        for entry in view.record.subscriptions[:1]
    ]


def _last_words(view: TicketView) -> list[Block]:
    said = [entry for entry in view.transcript if entry.author is not Author.SYSTEM][-LAST_LINES:]
    elements: list[Block] = []
    for entry in said:
        elements.append(blocks.section(bold(blocks.short(words.author_name(entry, view), 60))))
        elements.append(blocks.quote(clip(words.said(entry), LAST_LINE_MAX)))
    return [blocks.rich(*elements)] if elements else []


def due(view: TicketView) -> list[Block]:
    """Return the line of clocks: what is due, when, and what is late; nothing where nothing is."""
    elements: list[Block] = []
    for clock in words.clocks(view):
        if clock.kind is ClockKind.PROMISE and clock.detail:
            elements.append(plain(f"📌 {blocks.short(clock.detail, 200)}"))
        if clock.kind is not ClockKind.SNOOZE:
            elements.append(mrkdwn(clock_words(clock)))
    return [blocks.context(*elements[:10])] if elements else []


def clock_words(clock: TicketClock) -> str:
    """Return what is due and when, for `mrkdwn`."""
    label = words.CLOCKS[clock.kind]
    if clock.state is ClockState.PAUSED:
        return f"⏸ {label}: the customer is awaited"
    moment = blocks.when(clock.due_at, "{date_short_pretty} {time} ({ago})")
    if clock.kind is ClockKind.REPLY_WINDOW:
        return f"{'🔒 Reply window closed' if clock.state is ClockState.BROKEN else '💬 Reply window closes'} {moment}"
    if clock.state is ClockState.BROKEN:
        return f"❗ {label} was due {moment}"
    return f"{'⚠️' if clock.state is ClockState.WARNED else '⏱'} {label} by {moment}"


def _trouble(view: TicketView) -> list[Block]:
    """Return what the customer has not got, of what people sent since it last worked."""
    sent = [entry for entry in view.transcript if entry.author is Author.AGENT]
    newest = sent[-1] if sent else None
    if newest is None or newest.delivery not in {DeliveryState.FAILED, DeliveryState.WITHHELD}:
        return []
    why = clip(newest.delivery_detail, FACT_MAX) or "The channel gave no reason."
    return [blocks.rich(blocks.section(bold("❌ The last reply did not arrive: "), text(why)))]


def _buttons(view: TicketView) -> Block:
    ticket = view.ticket
    said = "Reply in public" if view.is_public else "Reply"
    shown: list[tuple[DeskAction, str]] = [(DeskAction.REPLY, said), (DeskAction.RESOLVE, "Resolve")]
    if view.can_invite:
        shown.insert(1, (DeskAction.INVITE, "Invite to private"))
    if draft(view) is not None:
        shown.insert(1, (DeskAction.SUGGESTED, "Suggested answer"))
    if ticket.state is TicketState.QUEUED:
        shown.insert(0, (DeskAction.CLAIM, "Claim"))
    made = [
        blocks.button(action, label, ticket.id, "primary" if number == 0 else "")
        for number, (action, label) in enumerate(shown)
    ]
    made += publicly.elsewhere(view)
    return blocks.buttons(f"tandem_{ticket.version}", *made, blocks.overflow(MENU, menu(view)))


def menu(view: TicketView) -> list[tuple[str, str]]:
    """Return the entries behind the three dots: what is done often, and the way to the rest."""
    ticket = view.ticket
    asleep = (DeskAction.WAKE, "Wake up") if ticket.snoozed_until else (DeskAction.SNOOZE, "Snooze…")
    shown = [
        (DeskAction.NOTE, "Note…"),
        (DeskAction.MACRO, "Canned reply…"),
        asleep,
        # In public the bot goes on with nothing.
        *([] if view.is_public else [(DeskAction.HAND_BACK, "Hand back to bot…")]),
        (DeskAction.MORE, "More…"),
    ]
    return [(f"{action} {ticket.id}", label) for action, label in shown]


def newest_line(view: TicketView) -> TranscriptLine | None:
    """Return what an agent who looks at the ticket now has seen last."""
    said = [entry for entry in view.transcript if entry.author in {Author.CUSTOMER, Author.AGENT}]
    return said[-1] if said else None
