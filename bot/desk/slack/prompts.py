"""What has to be answered while a person waits: opening a modal, and leading from one to the next.

Nothing is done here that would have to be kept; Slack gives three seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from bot.desk import words
from bot.desk.slack import blocks, forms, macros, modals
from bot.desk.slack import text as slack_text
from bot.desk.slack.blocks import Block
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.card import draft, newest_line
from bot.desk.slack.envelope import Json
from bot.desk.slack.events import Click, Shortcut, SlackEvent, Submission
from bot.desk.slack.forms import FormError
from bot.desk.slack.modals import GAP, MACRO, TEXT, Draft
from bot.desk.slack.parts import Place, SlackParts, Voice
from bot.desk.slack.whereabouts import PostFinder
from bot.domain.connectors import Refusal, SendText
from bot.domain.errors import DeskError
from bot.domain.macros import Macro
from bot.domain.messages import Author, MessageId, OutboundMessage, Quote, TranscriptLine
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Agent, TicketView

CLOSED = "This ticket is closed. Press Reopen on its card to take it up again."
MOVED = "This ticket has another card now, where it is worked on."
NO_WAY = "That is not known to be a channel of this customer's any more."
GONE = "There is no such ticket any more."
NOT_THEIRS = "Only what a customer wrote can be answered so: choose it on their message in a ticket's thread."
MORNING = 9

#: Modals that need nothing but the ticket.
_PLAIN: dict[DeskAction, Callable[[TicketView], Block]] = {
    DeskAction.NOTE: modals.note,
    DeskAction.SORT: modals.sort,
    DeskAction.PROMISE: modals.promise,
    DeskAction.RESOLVE: modals.resolve,
    DeskAction.HAND_BACK: modals.hand_back,
    DeskAction.MORE: modals.more,
}


class Prompts:
    """Opens modals and answers what is sent from them."""

    def __init__(self, parts: SlackParts) -> None:
        """Take what is needed to look at tickets and to answer."""
        self._parts = parts
        self._voice = Voice(parts)
        self._finder = PostFinder(parts.client, parts.whereabouts)

    def is_for(self, event: SlackEvent) -> bool:
        """Whether there is something to open."""
        match event:
            case Click():
                return event.action.has_modal or bool(event.view_id)
            case Shortcut():
                return event.action.has_modal
            case _:
                return False

    async def open(self, event: Click | Shortcut) -> None:
        """Open the modal behind a button, within the three seconds that its trigger lives."""
        place = Place(channel=event.channel or self._parts.channel, thread=event.thread)
        agent = await self._voice.agent(event.user, place)
        if agent is None:
            return
        if isinstance(event, Shortcut):
            shown = await self._of_message(event)
            await self._parts.client.views_open(trigger_id=event.trigger_id, view=shown)
            return
        view = await self._parts.acts.view(event.ticket_id)
        refusal = refused(view, event.channel)
        if view is None or refusal:
            if not event.view_id:
                await self._voice.tell(event.user, place, refusal)
                return
            made = modals.told("Not possible", refusal)
        elif event.action.has_modal:
            made = await self._modal_or_why_not(event, view)
        else:
            made = modals.told("Thank you", "It is being done; the card will show it.")
        if event.view_id:
            await self._parts.client.views_update(view_id=event.view_id, view=made)
        else:
            await self._parts.client.views_open(trigger_id=event.trigger_id, view=made)

    async def _of_message(self, event: Shortcut) -> Block:
        """Return the modal behind an entry of a message's menu."""
        if event.action is DeskAction.MAKE_MACRO:
            return modals.make_macro(slack_text.read(slack_text.plain(event.text, {}, {})).text)
        ticket_id, shown = await self._finder.shown_at(event.channel, event.ts)
        view = await self._parts.acts.view(ticket_id) if ticket_id is not None else None
        asked = _asked(view, shown) if view is not None else []
        if view is None or not asked:
            return modals.told("Not possible", NOT_THEIRS)
        if refusal := refused(view, event.channel):
            return modals.told("Not possible", refusal)
        return modals.reply(view, Draft(quotes=asked[-1].id), _seen(view))

    async def answer(self, sent: Submission) -> Json | None:
        """Return what a modal is answered with; none: it is to be kept, acted on and closed."""
        verdict = await self._parts.people.verdict(sent.user)
        if verdict.agent is None:
            return _errors({_first_field(sent): verdict.refusal})
        if sent.action is DeskAction.MACRO:
            return await self._macro(sent, verdict.agent)
        try:
            forms.wishes(sent, self._parts.resources.now())
        except FormError as error:
            return _errors(error.errors)
        if sent.action is DeskAction.REPLY and sent.memory.get("shown") != modals.digest(sent.one(TEXT)):
            return await self._preview(sent, verdict.agent)
        return None

    async def _modal_or_why_not(self, click: Click, view: TicketView) -> Block:
        try:
            return await self._modal(click, view)
        except DeskError as error:
            return modals.told("Not possible", str(error))

    async def _modal(self, click: Click, view: TicketView) -> Block:
        resources = self._parts.resources
        match click.action:
            case DeskAction.MACRO:
                return modals.pick_macro(view, await resources.macros.all())
            case DeskAction.SNOOZE:
                return modals.snooze(view, presets(resources.now(), resources.rules.hours.zone))
            case DeskAction.ASSIGN:
                return modals.assign(view, [(team.name, team.title) for team in resources.rules.teams])
            case DeskAction.LINK:
                found = await self._parts.acts.candidates(view.ticket.id)
                return modals.link(view, [(c.customer.id, c.customer.name, "; ".join(c.evidence)) for c in found])
            case DeskAction.ELSEWHERE:
                return modals.reply(_on(view, click.argument), Draft(elsewhere=click.argument), _seen(view))
        made = _PLAIN.get(click.action)
        return made(view) if made else modals.reply(view, _draft(click, view), _seen(view))

    async def _preview(self, sent: Submission, agent: Agent) -> Json:
        """Answer with the same modal, now with what the customer will see and what came in meanwhile."""
        view = await self._parts.acts.view(sent.ticket_id)
        refusal = refused(view, "")
        if view is None or refusal:
            return _errors({TEXT: refusal})
        suggestion, elsewhere = sent.memory.get("suggestion"), sent.memory.get("elsewhere")
        quotes = sent.memory.get("quotes")
        if elsewhere:
            try:
                view = _on(view, elsewhere)
            except DeskError as error:
                return _errors({TEXT: str(error)})
        said = sent.one(TEXT)
        kept = Draft(
            text=said,
            macro=sent.memory.get("macro"),
            suggestion=SuggestionId(suggestion) if suggestion else None,
            elsewhere=elsewhere,
            quotes=MessageId(quotes) if quotes else None,
            shown=modals.digest(said),
            exposed=await self._parts.acts.exposed(view.ticket.id, said) if view.is_public else (),
        )
        pieces = self._pieces(view, agent, kept)
        if isinstance(pieces, Refusal):
            return _errors({TEXT: f"This channel cannot carry it: {pieces.reason}"})
        news = _news(view, sent.memory.get("seen", ""))
        return _update(modals.reply(view, kept, _seen(view), pieces, news))

    def _pieces(self, view: TicketView, agent: Agent, draft: Draft) -> list[str] | Refusal:
        """Return the messages that the customer will see, as the channel cuts them."""
        address = view.conversation.address
        connector = self._parts.resources.connectors.find(address.channel, address.account)
        if connector is None:
            return [draft.text]
        message = OutboundMessage(
            author=Author.AGENT, text=draft.text, author_name=agent.name, quotes=_quote(view, draft.quotes)
        )
        planned = connector.plan(message, view.conversation.address)
        if isinstance(planned, Refusal):
            return planned
        return [step.text if isinstance(step, SendText) else words.attachment(step.attachment) for step in planned]

    async def _macro(self, sent: Submission, agent: Agent) -> Json:
        """Answer with what the canned reply still needs, else with the reply it makes."""
        known = await self._parts.resources.macros.all()
        title = sent.memory.get("macro") or sent.one(MACRO)
        macro = next((entry for entry in known if entry.title == title), None)
        field = _first_field(sent)
        if macro is None:
            return _errors({field: "Choose one." if not title else "It is not there any more: open this again."})
        view = await self._parts.acts.view(sent.ticket_id)
        refusal = refused(view, "")
        if view is None or refusal:
            return _errors({field: refusal})
        values = macros.values(view, agent, self._parts.resources.brand)
        missing = macro.missing(values)
        given = {name: sent.one(f"{GAP}{number}") for number, name in enumerate(missing)}
        if sent.memory.get("macro") and not all(given.values()):
            blank = next(number for number, name in enumerate(missing) if not given[name])
            return _errors({f"{GAP}{blank}": "The text needs this."})
        if missing and not sent.memory.get("macro"):
            return _update(modals.fill_macro(view, macro, missing))
        return _update(modals.reply(view, _filled(macro, values | given), _seen(view)))


def refused(view: TicketView | None, channel: str) -> str:
    """Return why nothing can be done with a ticket from a card in `channel`; empty when it can (or `channel` is)."""
    if view is None:
        return GONE
    if channel and not (view.ticket.desk_reference or channel).startswith(f"{channel}:"):
        return MOVED
    return "" if view.ticket.state.is_open else CLOSED


def _on(view: TicketView, conversation_id: str) -> TicketView:
    """Return the view with the address of another conversation of the customer; raises `DeskError`."""
    way = next((way for way in view.other_ways if way.conversation_id == conversation_id), None)
    if way is None:
        raise DeskError(NO_WAY)
    return replace(view, conversation=replace(view.conversation, address=way.address), is_public=False)


def presets(now: datetime, zone: tzinfo) -> list[tuple[datetime, str]]:
    """Return when one usually comes back to something, in the desk's time zone."""
    local = now.astimezone(zone)
    tomorrow = (local + timedelta(days=1)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
    monday = tomorrow + timedelta(days=(7 - tomorrow.weekday()) % 7)
    made = [
        (now + timedelta(minutes=30), "in half an hour"),
        (now + timedelta(hours=1), "in an hour"),
        (now + timedelta(hours=4), "in four hours"),
        (tomorrow, f"tomorrow at {MORNING}:00"),
    ]
    if monday > tomorrow:
        made.append((monday, f"Monday at {MORNING}:00"))
    return made


def _draft(click: Click, view: TicketView) -> Draft:
    """Return what a reply begins with: the draft that the button is about, else the newest one, else nothing."""
    if click.action is not DeskAction.SUGGESTED:
        return Draft()
    named = next((entry for entry in view.suggestions if entry.id == click.argument), None)
    chosen = named or draft(view)
    return Draft(text=chosen.text, suggestion=chosen.id) if chosen else Draft()


def _filled(macro: Macro, values: dict[str, str]) -> Draft:
    return Draft(text=macro.filled(values), macro=macro.title)


def _asked(view: TicketView, shown: frozenset[str]) -> list[TranscriptLine]:
    return [entry for entry in view.transcript if entry.id in shown and entry.author is Author.CUSTOMER]


def _quote(view: TicketView, message_id: MessageId | None) -> Quote | None:
    """Return what an answer quotes, as far as it takes to show what the customer will see."""
    found = next((entry for entry in view.transcript if entry.id == message_id), None)
    if found is None:
        return None
    said = blocks.short(words.said(found), modals.QUOTED_MAX)
    return Quote(id=found.id, author=found.author, text=said, external_id=found.id, token=found.id)


def _seen(view: TicketView) -> str:
    newest = newest_line(view)
    return newest.id if newest else ""


def _news(view: TicketView, seen: str) -> str:
    """Return what was said after the line that the agent knew of."""
    ids = [str(entry.id) for entry in view.transcript]
    if not seen or seen not in ids:
        return ""
    later = [e for e in view.transcript[ids.index(seen) + 1 :] if e.author in {Author.CUSTOMER, Author.AGENT}]
    return "\n".join(f"{words.author_name(entry, view)}: {words.said(entry)}" for entry in later)


def _first_field(sent: Submission) -> str:
    return next(iter(sent.fields), TEXT)


def _errors(errors: object) -> Json:
    return {"response_action": "errors", "errors": errors}


def _update(view: Block) -> Json:
    return {"response_action": "update", "view": view}
