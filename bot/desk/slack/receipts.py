"""How far agents' replies came: signs on what they wrote themselves, words under what we posted for them."""

from __future__ import annotations

from bot.desk.slack import thread as threads
from bot.desk.slack.errors import GONE_ERRORS, code_of
from bot.desk.slack.parts import Place
from bot.desk.slack.posts import Posts
from bot.desk.slack.whereabouts import PostFinder, Standing, metadata
from bot.domain.messages import DeliveryState, TranscriptLine
from bot.domain.tickets import TicketView

_NOT_ARRIVED = {DeliveryState.FAILED, DeliveryState.WITHHELD}
#: What is put on a message and what is taken off it.
_SIGNS = {
    DeliveryState.SENT: ("white_check_mark", "x"),
    DeliveryState.DELIVERED: ("white_check_mark", None),
    DeliveryState.READ: ("eyes", None),
    DeliveryState.FAILED: ("x", "white_check_mark"),
    DeliveryState.WITHHELD: ("x", "white_check_mark"),
}


class Receipts:
    """Shows at a reply how far it came."""

    def __init__(self, posts: Posts, finder: PostFinder) -> None:
        """Post by `posts`; replies are found by `finder`."""
        self._posts = posts
        self._finder = finder

    async def show(self, entry: TranscriptLine, view: TicketView, place: Place, key: str) -> str:
        """Show it at the reply, and below in words when it did not arrive; return the `ts` of what was changed."""
        if entry.delivery in {None, DeliveryState.PENDING}:
            return place.thread
        standing = await self._finder.of_message(entry.id, place.channel, place.thread)
        if standing is not None and standing.shown:
            await self._say(standing, view, place, key)
        elif standing is not None:
            await self._sign(entry, place.channel, standing.ts)
        if entry.delivery not in _NOT_ARRIVED or _is_explained(entry, view):
            return standing.ts if standing is not None else place.thread
        marks = metadata(key, view.ticket.id)
        return await self._posts.make(threads.failure(entry, view), place.channel, marks, place.thread)

    async def _say(self, standing: Standing, view: TicketView, place: Place, key: str) -> None:
        """Write it under what we posted, unless a line that the post shows has left the ticket's view."""
        known = {str(entry.id): entry for entry in view.transcript}
        entries = [known[message_id] for message_id in standing.shown if message_id in known]
        if len(entries) < len(standing.shown):
            return
        shown = threads.said(entries, view, standing.remark)
        marks = metadata(key, view.ticket.id, standing.shown, standing.remark)
        try:
            await self._posts.update(Place(channel=place.channel, thread=standing.ts), shown, marks)
        except Exception as error:
            # Somebody deleted the post: the ticket has the reply all the same.
            if code_of(error) not in GONE_ERRORS:
                raise

    async def _sign(self, entry: TranscriptLine, channel: str, ts: str) -> None:
        shown, hidden = _SIGNS[entry.delivery or DeliveryState.SENT]
        await self._posts.sign(shown, channel, ts)
        if hidden is not None:
            await self._posts.unsign(hidden, channel, ts)


def _is_explained(entry: TranscriptLine, view: TicketView) -> bool:
    """Whether the pipeline itself tells why: it does when it gave up, not when a channel reports a failure later."""
    told = [event.detail for event in view.events if event.kind == "delivery_failed"]
    return bool(entry.delivery_detail) and any(entry.delivery_detail in detail for detail in told)
