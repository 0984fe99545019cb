"""Replies that everybody will read: nobody sends one from a thread without having been asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from bot.desk import words
from bot.desk.slack import blocks
from bot.desk.slack.blocks import FACT_MAX, Block, Post, bold, clip, text
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.events import Click, ThreadMessage
from bot.desk.slack.modals import digest
from bot.domain.acts import Amend, Reply
from bot.domain.errors import PublicReplyError
from bot.domain.tickets import TicketId, TicketView

_Said = TypeVar("_Said", Reply, Amend)
_QUOTED_MAX = 600
#: Joined conversations that stand on a card.
_JOINED_MAX = 2


def question(ticket_id: TicketId, ts: str, said: str, error: PublicReplyError) -> Post:
    """Return the question whether everybody may read the message at `ts`, for its author alone."""
    made = [
        blocks.rich(
            blocks.section(bold("📣 "), text(clip(str(error), FACT_MAX))), blocks.quote(clip(said, _QUOTED_MAX))
        ),
        blocks.buttons(
            f"tandem_public_{ts}",
            blocks.button(DeskAction.SEND_PUBLIC, "Post in public", f"{ticket_id} {ts} {digest(said)}", "primary"),
        ),
    ]
    return blocks.post(str(error), made)


def is_answer(click: Click, said: str) -> bool:
    """Whether a click confirms exactly this text: it may have been changed since the question."""
    return click.action is DeskAction.SEND_PUBLIC and click.argument.partition(" ")[2] == digest(said)


def confirmed(act: _Said, message: ThreadMessage) -> _Said:
    """Return the act with what its author was asked about."""
    return replace(act, is_known_public=message.confirmed is not None, exposes=message.confirmed or ())


def banner(view: TicketView) -> list[Block]:
    """Return what stands first on a public card; nothing on a private one."""
    if not view.is_public:
        return []
    where = words.channel(view.conversation.address.channel)
    return [blocks.rich(blocks.section(bold(words.PUBLIC), text(f" Everybody reads this thread on {where}.")))]


def elsewhere(view: TicketView) -> list[Block]:
    """Return the button that answers a public ticket where its customer went, if they went anywhere."""
    ids = {each.conversation_id for each in view.joined} if view.is_public else set()
    way = next((way for way in view.other_ways if way.conversation_id in ids), None)
    if way is None:
        return []
    label = f"Answer on {words.channel(way.address.channel)}"
    return [blocks.button(f"{DeskAction.ELSEWHERE}:0", label, f"{view.ticket.id} {way.conversation_id}")]


def joined(view: TicketView) -> list[Block]:
    """Return where invitations led, with the last words there."""
    elements: list[Block] = []
    for each in view.joined[:_JOINED_MAX]:
        elements.append(blocks.section(bold(words.joined(each)), text(f" {words.JOINED_NOT_PROVED}")))
        elements += [blocks.quote(clip(words.said(line), _QUOTED_MAX // 3)) for line in each.transcript[-1:]]
    return [blocks.rich(*elements)] if elements else []
