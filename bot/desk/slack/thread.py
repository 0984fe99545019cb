"""What stands in a ticket's thread: the conversation, the bot's drafts, remarks, and what one person alone is shown."""

from __future__ import annotations

from collections.abc import Sequence

from bot.desk import words
from bot.desk.slack import blocks
from bot.desk.slack.blocks import FACT_MAX, Block, Post, bold, clip, mrkdwn, text
from bot.desk.slack.buttons import DeskAction
from bot.domain.connectors import TextUnit
from bot.domain.messages import Author, DeliveryState, TranscriptLine
from bot.domain.planning import measure
from bot.domain.suggestions import Suggestion, SuggestionState
from bot.domain.tickets import TicketId, TicketView

#: Of one post's lines together, of the transcript folded into one post, and of one line in it, in UTF-16 units.
LINES_MAX = 10_500
TRANSCRIPT_MAX = 11_000
TRANSCRIPT_LINE_MAX = 1_500
#: What a line needs besides what it says, where several share a post.
SMALL_MAX = 160
#: Of a customer's message folded into a draft.
ASKED_MAX = 200

#: Before the word for how far a reply came, under one that we posted.
_MARKS = {DeliveryState.READ: "👀", DeliveryState.FAILED: "❌", DeliveryState.WITHHELD: "❌"}


def line(entry: TranscriptLine, view: TicketView, remark: str = "") -> Post:
    """Return one line of the transcript, maybe with a remark of ours; what the customer wrote or saw is a quote."""
    name = words.author_name(entry, view)
    small = [*_small_print(entry, FACT_MAX), *([remark] if remark else [])]
    made = [blocks.rich(*_line(entry, view, LINES_MAX)), *map(blocks.remark, small)]
    return blocks.post(f"{name}: {words.said(entry)}", made)


def lines(entries: Sequence[TranscriptLine], view: TicketView, remark: str = "") -> Post:
    """Return some lines that follow each other (`bot.domain.desk.LINES_MAX` at most) as one post."""
    elements: list[Block] = []
    for entry in entries:
        elements += _line(entry, view, LINES_MAX // len(entries) - SMALL_MAX)
        elements += [blocks.section(text(said)) for said in _small_print(entry, SMALL_MAX // 2)]
    made = [blocks.rich(*elements), *([blocks.remark(remark)] if remark else [])]
    summary = f"{words.author_name(entries[0], view)}: {words.said(entries[0])}" if entries else "–"
    return blocks.post(summary, made)


def said(entries: Sequence[TranscriptLine], view: TicketView, remark: str = "") -> Post:
    """Return some lines as one post; what stands in for them, when the ticket carries none of them any more."""
    match entries:
        case []:
            return left_out_line()
        case [entry]:
            return line(entry, view, remark)
        case _:
            return lines(entries, view, remark)


def left_out_line() -> Post:
    """Return what stands in for a line that a ticket no longer carries."""
    return _small("A message is not shown here: the conversation moved on too far before it could be posted.")


def transcript(view: TicketView) -> Post:
    """Return what was said before the ticket was opened, newest lines first to fit, oldest first to read."""
    said = [entry for entry in view.transcript if entry.at <= view.ticket.opened_at]
    room, shown = TRANSCRIPT_MAX, list[TranscriptLine]()
    for entry in reversed(said):
        room -= min(measure(words.said(entry), TextUnit.UTF16), TRANSCRIPT_LINE_MAX) + 110
        if room < 0:
            break
        shown.append(entry)
    elements: list[Block] = []
    for entry in reversed(shown):
        elements += _line(entry, view, TRANSCRIPT_LINE_MAX)
    heading = (
        "Before this ticket" if len(shown) == len(said) else f"Before this ticket (the last {len(shown)} messages)"
    )
    if not shown:
        heading = "Nothing was said before this ticket."
    return Post(text=heading, blocks=[blocks.rich(blocks.section(bold(heading)), *elements)])


def suggestion(offered: Suggestion, view: TicketView) -> Post:
    """Return a draft of the bot, with what it answers and what can be done with it."""
    ticket_id = view.ticket.id
    asked = next((entry for entry in view.transcript if entry.id == offered.message_id), None)
    about = f"to “{blocks.short(words.said(asked), ASKED_MAX)}”" if asked else ""
    sure = f"{offered.confidence:.0%} sure" if offered.confidence is not None else ""
    small = " · ".join(filter(None, [about, offered.intent or "", sure]))
    made = [
        blocks.rich(blocks.section(bold("💡 The bot would answer"))),
        *([blocks.remark(small)] if small else []),
        blocks.rich(blocks.box(clip(offered.text, LINES_MAX) or "–")),
    ]
    if offered.state is SuggestionState.OFFERED and view.ticket.state.is_open:
        made.append(_draft_buttons(ticket_id, offered))
    else:
        made.append(blocks.remark(_SUGGESTED[offered.state]))
    return blocks.post(f"The bot would answer: {offered.text}", made)


def notice(said: str) -> Post:
    """Return a remark of ours in the thread."""
    return blocks.post(said, [blocks.rich(blocks.section(text(clip(said or "(empty)", LINES_MAX))))])


def failure(entry: TranscriptLine, view: TicketView) -> Post:
    """Return why an agent's message did not arrive, and what to do."""
    verb = "was not sent" if entry.delivery is DeliveryState.WITHHELD else "did not arrive"
    why = clip(entry.delivery_detail, FACT_MAX) or "The channel gave no reason."
    quoted = blocks.short(words.said(entry), 120)
    said = [bold(f"❌ This {verb}: "), text(f"“{quoted}”\n"), text(f"{why}\n{words.WHAT_TO_DO}")]
    made = [blocks.rich(blocks.section(*said)), *again(entry, view)]
    return blocks.post(f"Not delivered: {why}", made)


def again(entry: TranscriptLine, view: TicketView) -> list[Block]:
    """Return what can be done about an agent's message that did not arrive, while the ticket is open."""
    if not view.ticket.state.is_open:
        return []
    resend = blocks.button(DeskAction.RESEND, "Try again", f"{view.ticket.id} {entry.id}")
    other = blocks.button(DeskAction.REPLY, "Write something else", view.ticket.id)
    ways = [
        blocks.button(
            f"{DeskAction.ELSEWHERE}:{number}",
            f"Answer on {words.channel(way.address.channel)}",
            f"{view.ticket.id} {way.conversation_id}",
        )
        for number, way in enumerate(view.other_ways)
    ]
    remarks = [words.NO_OTHER_WAY] if not ways else []
    if not all(way.is_proved for way in view.other_ways):
        remarks.append(words.WAY_NOT_PROVED)
    return [blocks.buttons("tandem_failed", resend, other, *ways), *map(blocks.remark, remarks)]


def refusal(reason: str, unsent: str = "") -> Post:
    """Return what only the person who tried is shown; `unsent` gives them their words back."""
    made = [blocks.rich(blocks.section(text(clip(reason, FACT_MAX) or "–")))]
    if unsent:
        made.append(blocks.rich(blocks.section(text("Your text, to copy:")), blocks.box(clip(unsent, 9_000))))
    return blocks.post(reason, made)


def undo(said: str, ticket_id: TicketId, key: str) -> Post:
    """Return what was done and the button that takes it back, for the person who did it."""
    row = blocks.buttons("tandem_undo", blocks.button(DeskAction.UNDO, "Undo", f"{ticket_id} {key}"))
    return blocks.post(said, [blocks.rich(blocks.section(text(clip(said, FACT_MAX)))), row])


def _draft_buttons(ticket_id: TicketId, offered: Suggestion) -> Block:
    value = f"{ticket_id} {offered.id}"
    return blocks.buttons(
        "tandem_draft",
        blocks.button(DeskAction.SEND_SUGGESTION, "Send as it is", value, "primary"),
        blocks.button(DeskAction.SUGGESTED, "Edit and send", value),
        blocks.button(DeskAction.REJECT_SUGGESTION, "Wrong", value),
    )


_SUGGESTED = {
    SuggestionState.OFFERED: "Not used.",
    SuggestionState.SENT: "✅ Sent as it was.",
    SuggestionState.EDITED: "✏️ Sent after changes.",
    SuggestionState.WRONG: "🚫 Marked as wrong: trainers will see it.",
}


def _line(entry: TranscriptLine, view: TicketView, limit: int) -> list[Block]:
    """Return who speaks and what they say; in public, that everybody reads it."""
    said_to = " · IN PUBLIC" if view.is_public else " · to the customer"
    role = {Author.CUSTOMER: " · customer", Author.AGENT: said_to}.get(entry.author, "")
    head = blocks.section(bold(blocks.short(words.author_name(entry, view), 80)), text(f"{role}\n"))
    return [head, blocks.quote(clip(words.said(entry), limit))]


def _small_print(entry: TranscriptLine, limit: int) -> list[str]:
    """Return what else is to be known of a line: what it said before, and how far it came."""
    made = [f"Answers “{blocks.short(entry.quotes.text, limit)}”"] if entry.quotes is not None else []
    made += [f"Edited. It said: {clip(entry.edited_from, limit)}"] if entry.edited_from is not None else []
    if entry.author is Author.AGENT and entry.delivery not in {None, DeliveryState.PENDING}:
        why = f": {clip(entry.delivery_detail, limit - 20)}" if entry.delivery_detail else ""
        made.append(f"{_MARKS.get(entry.delivery, '✅')} {words.DELIVERIES[entry.delivery].capitalize()}{why}")
    return made


def _small(said: str) -> Post:
    return Post(text=said, blocks=[blocks.context(mrkdwn(said))])
