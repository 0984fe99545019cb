"""The modals: what an agent is asked before something is done.

A modal's `callback_id` is the name of its button; each input is called by its field, so that an error finds its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.desk import words
from bot.desk.slack import blocks
from bot.desk.slack.blocks import FACT_MAX, INPUT_MAX, Block, bold, clip, plain, text
from bot.desk.slack.buttons import MENU, DeskAction
from bot.domain.acts import Closing
from bot.domain.macros import VARIABLES, Macro
from bot.domain.messages import Author, MessageId
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Priority, TicketState, TicketView

#: Fields, by the names under which they come back.
TEXT, REMARK, UNTIL, DAY, PRIORITY, TAGS = "text", "remark", "until", "day", "priority", "tags"
PERSON, TEAM, RECORD, CLOSING, TOPIC = "person", "team", "record", "closing", "topic"
TELLS, PUBLIC = "tells", "public"
PROMISED, PROMISED_AT, MAY_ACT, MACRO, TITLE = "promised", "promised_at", "may_act", "macro", "title"
#: Of all tags that a ticket can have, written one behind the other: none is cut.
TAGS_LENGTH_MAX = 600
#: Of the words that a reply quotes.
QUOTED_MAX = 200
#: Before the number of a gap of a canned reply.
GAP = "gap_"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A reply before it is sent."""

    text: str = ""
    macro: str | None = None
    suggestion: SuggestionId | None = None
    #: id of the other conversation of this customer that it goes to; none: the ticket's own
    elsewhere: str | None = None
    #: the one message of the customer's that it answers
    quotes: MessageId | None = None
    #: digest of the text whose preview the agent was shown; empty: none yet
    shown: str = ""
    #: what of somebody's alone it would tell everybody, as that preview says
    exposed: tuple[str, ...] = ()


def digest(said: str) -> str:
    """Return what a preview is recognised by."""
    return hashlib.blake2b(said.strip().encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def reply(view: TicketView, draft: Draft, seen: str, preview: Sequence[str] = (), news: str = "") -> Block:
    """Return the modal that a reply is written in; with a preview, it shows what the customer will see.

    `seen` is the last line that the agent knows of; `news` is what came in while they wrote.
    """
    made = [*_question(view, draft.quotes)] if not preview else []
    box = _text_box(TEXT, initial=draft.text)
    hint = "The customer sees exactly this text, under your name. Signs like *stars* are sent as they are."
    if view.is_public:
        made.append(blocks.rich(blocks.section(bold(words.PUBLIC), text(f" {words.PUBLIC_REPLY}"))))
        hint = "Everybody sees exactly this text. Signs like *stars* are sent as they are."
    made.append(_input(TEXT, "Message", box, hint))
    if news:
        made.append(blocks.rich(blocks.section(bold("While you wrote: "), text(clip(news, FACT_MAX)))))
    if preview:
        channel = words.channel(view.conversation.address.channel)
        who = "everybody" if view.is_public else "the customer"
        made.append(blocks.rich(blocks.section(bold(f"What {who} will see on {channel}"))))
        made += [blocks.rich(blocks.quote(clip(piece, INPUT_MAX) or "–")) for piece in preview[:20]]
        made.append(blocks.remark("Change the text above if something is not right; you will see it again."))
    if preview and draft.exposed:
        found = ", ".join(draft.exposed)
        made.append(blocks.rich(blocks.section(bold("⚠️ It tells everybody: "), text(clip(found, FACT_MAX)))))
    more = {"seen": seen, "macro": draft.macro, "suggestion": draft.suggestion, "shown": draft.shown}
    if view.is_public:
        more["public"] = "yes"
    if draft.elsewhere is not None:
        more["elsewhere"] = draft.elsewhere
    if draft.quotes is not None:
        more["quotes"] = draft.quotes
    title, send = ("Reply in PUBLIC", "Post") if view.is_public else ("Reply to the customer", "Send")
    labels = (title, send if preview else "Preview")
    return _modal(DeskAction.REPLY, view, labels, made, more)


def note(view: TicketView, said: str = "") -> Block:
    """Return the modal for a note."""
    asked = _input(TEXT, "Note", _text_box(TEXT, initial=said), "Kept with the ticket. The customer never sees it.")
    return _modal(DeskAction.NOTE, view, ("Internal note", "Keep"), [asked])


def pick_macro(view: TicketView, macros: Sequence[Macro]) -> Block:
    """Return the modal in which a canned reply is picked."""
    if view.is_public:
        macros = [macro for macro in macros if macro.is_public]
    if not macros and view.is_public:
        said = "No canned reply is marked public: write one into the brand's file with `is_public = true`."
        return _modal(DeskAction.MACRO, view, ("Canned reply", ""), [blocks.remark(said)])
    if not macros:
        said = "There are no canned replies yet. Make one from a message: its ⋮ menu > Make a canned reply."
        return _modal(DeskAction.MACRO, view, ("Canned reply", ""), [blocks.remark(said)])
    choices = [(macro.title, macro.title) for macro in macros]
    asked = _input(MACRO, "Which one?", _select(MACRO, choices), "You can change it before it is sent.")
    return _modal(DeskAction.MACRO, view, ("Canned reply", "Next"), [asked])


def fill_macro(view: TicketView, macro: Macro, missing: Sequence[str]) -> Block:
    """Return the modal that asks for what the ticket does not tell."""
    made = [blocks.rich(blocks.quote(clip(macro.text, INPUT_MAX)))]
    for number, name in enumerate(missing):
        element: Block = {"type": "plain_text_input", "action_id": f"{GAP}{number}", "max_length": 300}
        made.append(_input(f"{GAP}{number}", VARIABLES[name], element))
    return _modal(DeskAction.MACRO, view, ("Canned reply", "Next"), made, {"macro": macro.title})


def snooze(view: TicketView, presets: Sequence[tuple[datetime, str]]) -> Block:
    """Return the modal that asks until when; `presets` are moments and what they are called."""
    choices = [(str(int(at.timestamp())), label) for at, label in presets]
    made = [
        _input(UNTIL, "Until", _select(UNTIL, choices), "It wakes earlier if the customer writes.", optional=True),
        _input(DAY, "or until exactly", {"type": "datetimepicker", "action_id": DAY}, optional=True),
    ]
    return _modal(DeskAction.SNOOZE, view, ("Snooze the ticket", "Snooze"), made)


def sort(view: TicketView) -> Block:
    """Return the modal for priority and tags."""
    ticket = view.ticket
    levels = [(priority.value, words.PRIORITIES[priority].capitalize()) for priority in Priority]
    tags: Block = {"type": "plain_text_input", "action_id": TAGS, "max_length": TAGS_LENGTH_MAX}
    if ticket.tags:
        tags["initial_value"] = ", ".join(ticket.tags)[:TAGS_LENGTH_MAX]
    made = [
        _input(PRIORITY, "Priority", _select(PRIORITY, levels, ticket.priority.value), "Its promises follow."),
        _input(TAGS, "Tags", tags, "Separated by commas: broken, mug", optional=True),
    ]
    return _modal(DeskAction.SORT, view, ("Priority and tags", "Set"), made)


def assign(view: TicketView, teams: Sequence[tuple[str, str]]) -> Block:
    """Return the modal that asks for a person or a team; `teams` are names and titles."""
    person: Block = {"type": "users_select", "action_id": PERSON, "placeholder": plain("A person")}
    made = [_input(PERSON, "Give it to a person", person, optional=True)]
    others = [(name, title) for name, title in teams if name != view.ticket.team]
    if others:
        made.append(_input(TEAM, "or to another team's queue", _select(TEAM, others), optional=True))
    hint = "For them to read; the customer never sees it."
    made.append(_input(REMARK, "What should they know?", _text_box(REMARK, focus=False), hint, optional=True))
    return _modal(DeskAction.ASSIGN, view, ("Pass the ticket on", "Pass on"), made)


def promise(view: TicketView) -> Block:
    """Return the modal for a promise with a date."""
    hint = "The ticket comes back to you when it is due. The customer is told nothing: say it in a reply."
    made = [
        _input(TEXT, "What was promised?", _text_box(TEXT), hint),
        _input(PROMISED_AT, "By when?", {"type": "datetimepicker", "action_id": PROMISED_AT}),
    ]
    return _modal(DeskAction.PROMISE, view, ("A promise", "Keep"), made)


def link(view: TicketView, candidates: Sequence[tuple[str, str, str]]) -> Block:
    """Return the modal in which a customer's record is picked; candidates are (id, name, evidence)."""
    if not candidates:
        said = "Nothing in this conversation points to a record. Ask the customer to verify, or for an order number."
        return _modal(DeskAction.LINK, view, ("Whose record?", ""), [blocks.remark(said)])
    radios: Block = {
        "type": "radio_buttons",
        "action_id": RECORD,
        "options": [
            {"text": plain(blocks.short(name)), "description": plain(blocks.short(evidence)), "value": identity}
            for identity, name, evidence in candidates[:10]
        ],
    }
    said = "Agents will see this record. The customer is told nothing from it until they prove who they are."
    return _modal(DeskAction.LINK, view, ("Whose record?", "Show it"), [_input(RECORD, "Record", radios, said)])


def resolve(view: TicketView) -> Block:
    """Return the modal that closes a ticket."""
    ways = [(closing.value, words.CLOSINGS[closing]) for closing in Closing]
    topic: Block = {"type": "plain_text_input", "action_id": TOPIC, "max_length": 100}
    topic["initial_value"] = view.ticket.request.topic[:100]
    said = _text_box(TEXT, focus=False)
    made = [
        _input(CLOSING, "How did it end?", _select(CLOSING, ways, Closing.SOLVED.value)),
        _input(TOPIC, "What was it about?", topic, "So that the bot learns it.", optional=True),
        _input(TEXT, "What was done?", said, "Kept with the ticket, for colleagues.", optional=True),
    ]
    told = "The customer is told that it is closed and asked how it was, and the bot answers again."
    if view.public_closing:
        options = blocks.options([("yes", "Post in public that it was looked after")])
        tells: Block = {"type": "checkboxes", "action_id": TELLS, "options": options}
        made.append(_input(TELLS, "Closing line", tells, blocks.short(view.public_closing, 150), optional=True))
    made.append(blocks.remark("In public nothing else is said." if view.is_public else told))
    return _modal(DeskAction.RESOLVE, view, ("Resolve the ticket", "Resolve"), made)


def hand_back(view: TicketView) -> Block:
    """Return the modal that gives the conversation back to the bot."""
    may = blocks.options([("yes", "The bot may change orders for this customer")])
    act: Block = {"type": "checkboxes", "action_id": MAY_ACT, "options": may, "initial_options": may}
    hint = "The bot passes this on to the customer: write it in words they may read."
    promised: Block = {"type": "plain_text_input", "action_id": PROMISED, "max_length": 300}
    made = [
        _input(TEXT, "What was done?", _text_box(TEXT), hint),
        _input(PROMISED, "What was promised?", promised, "The ticket comes back to you if it is unmet.", optional=True),
        _input(PROMISED_AT, "By when?", {"type": "datetimepicker", "action_id": PROMISED_AT}, optional=True),
        _input(MAY_ACT, "From here on", act, "Otherwise it only answers, and asks a person.", optional=True),
    ]
    return _modal(DeskAction.HAND_BACK, view, ("Hand back to the bot", "Hand back"), made)


def more(view: TicketView) -> Block:
    """Return the modal with all that has no button on the card."""
    ticket = view.ticket
    linked = (DeskAction.UNLINK, "Take the record away") if view.linked_evidence else (DeskAction.LINK, "Whose record?")
    rows = [
        ("Who does it", [(DeskAction.ASSIGN, "Pass on"), (DeskAction.RELEASE, "Release")]),
        ("What and when", [(DeskAction.SORT, "Priority and tags"), (DeskAction.PROMISE, "A promise")]),
        ("Who it is", [linked, *([] if view.is_public else [(DeskAction.VERIFY, "Ask the customer to verify")])]),
    ]
    made: list[Block] = []
    for title, entries in rows:
        shown = [e for e in entries if e[0] is not DeskAction.RELEASE or ticket.state is TicketState.CLAIMED]
        row = [blocks.button(action, label, ticket.id) for action, label in shown]
        made += [blocks.rich(blocks.section(bold(title))), blocks.buttons(f"{MENU}_{title[:3]}_{title[-2:]}", *row)]
    return _modal(DeskAction.MORE, view, ("More", ""), made)


def make_macro(said: str) -> Block:
    """Return the modal that makes a canned reply of a message."""
    title: Block = {"type": "plain_text_input", "action_id": TITLE, "max_length": 70}
    may = blocks.options([("yes", "Also where everybody reads it")])
    public: Block = {"type": "checkboxes", "action_id": PUBLIC, "options": may}
    hint = "Gaps: " + " ".join(f"{{{name}}}" for name in VARIABLES)
    made = [
        _input(TITLE, "Title", title, "What agents pick it by. The same title again replaces it."),
        _input(TEXT, "Text", _text_box(TEXT, initial=said, longest=2_500), hint),
        _input(PUBLIC, "Where", public, "Then it may name nothing of the customer's.", optional=True),
    ]
    return _view(DeskAction.MAKE_MACRO, ("A canned reply", "Keep"), made, {})


def told(title: str, said: str) -> Block:
    """Return a modal that only says something."""
    return _view(DeskAction.MORE, (title, ""), [blocks.remark(said)], {})


def _modal(
    action: DeskAction,
    view: TicketView,
    labels: tuple[str, str],
    made: Sequence[Block],
    memory: Mapping[str, object] | None = None,
) -> Block:
    """Return the modal of a ticket; `labels` are its title and what sends it, empty where nothing is sent."""
    ticket = view.ticket
    public = f"{words.PUBLIC} " if view.is_public else ""
    who = blocks.remark(f"{public}#{ticket.number} · {words.customer_and_channel(view)}")
    remembered = {"ticket": ticket.id, "at": ticket.desk_reference or "", **(memory or {})}
    return _view(action, labels, [who, *made], remembered)


def _view(action: DeskAction, labels: tuple[str, str], made: Sequence[Block], memory: Mapping[str, object]) -> Block:
    title, submit = labels
    shown: Block = {
        "type": "modal",
        "callback_id": action.value,
        "title": plain(title),
        "close": plain("Cancel" if submit else "Close"),
        "private_metadata": json.dumps(memory),
        "blocks": list(made),
    }
    return {**shown, "submit": plain(submit)} if submit else shown


def _question(view: TicketView, quotes: MessageId | None) -> list[Block]:
    """Return what a reply answers: the message that it quotes, else the customer's last."""
    said = [entry for entry in view.transcript if entry.author is Author.CUSTOMER and quotes in {None, entry.id}]
    if not said:
        return []
    name = blocks.short(words.author_name(said[-1], view), 80)
    return [blocks.rich(blocks.section(bold(name)), blocks.quote(clip(words.said(said[-1]), FACT_MAX)))]


def _input(name: str, label: str, element: Block, hint: str = "", *, optional: bool = False) -> Block:
    made: Block = {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": optional}
    return {**made, "hint": plain(hint)} if hint else made


def _text_box(name: str, *, initial: str = "", longest: int = INPUT_MAX, focus: bool = True) -> Block:
    box: Block = {"type": "plain_text_input", "action_id": name, "multiline": True, "max_length": longest}
    if initial:
        box["initial_value"] = initial[:longest]
    return {**box, "focus_on_load": True} if focus else box


def _select(name: str, choices: Sequence[tuple[str, str]], initial: str | None = None) -> Block:
    made = blocks.options(choices)
    element: Block = {"type": "static_select", "action_id": name, "options": made}
    chosen = next((option for option in made if option["value"] == initial), None)
    return {**element, "initial_option": chosen} if chosen else element
