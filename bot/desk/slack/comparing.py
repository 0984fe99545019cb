"""What a thread shows that no event told of: messages, edits, deletions and envelopes.

Each becomes the event that Slack would have told of, made durable under the same identity, so that it is done once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.desk.slack.envelope import FOUND_AT, SENDING, Json, message, seconds
from bot.desk.slack.whereabouts import sent_at


class Told(Protocol):
    """What is known of a thread."""

    async def event(self, account: str, external_id: str) -> Json | None:
        """Return an event that was made durable, by its identity."""
        ...

    async def has_event(self, account: str, beginning: str) -> bool:
        """Return whether an event was made durable whose identity begins so."""
        ...

    async def replies(self, card: str) -> list[str]:
        """Return the keys of the acts by which agents answered in the ticket of a card."""
        ...


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread that is read."""

    #: the workspace
    team: str
    channel: str
    #: of its card
    ts: str
    #: what happened before was read already, in seconds since 1970
    since: float
    #: now, in seconds since 1970
    read_at: float


class Comparing:
    """Compares threads with what was told of them."""

    def __init__(self, told: Told, keep: Callable[[Json], Awaitable[bool]]) -> None:
        """Make events durable by `keep`, which returns whether one is new."""
        self._told = told
        self._keep = keep

    async def compare(self, thread: Thread, entries: Sequence[Json]) -> tuple[int, list[float]]:
        """Make durable what is new in all that a thread shows.

        Returns how much that was, and of each new message when it was written, in seconds since 1970.
        """
        written = []
        edit_count = 0
        for entry in entries:
            # Slack finds no message by its edits.
            changed_at = max(seconds(entry.get("ts")), seconds(_object(entry, "edited").get("ts")))
            if changed_at <= thread.since or message(entry, thread.channel) is None:
                continue
            if await self._is_new(thread, entry):
                written.append(seconds(entry.get("ts")))
            else:
                edit_count += await self._is_newly_edited(thread, entry)
        # Where the card was deleted, or Slack no longer shows the beginning, nothing can be said to be missing.
        if not entries or entries[0].get("ts") != thread.ts or entries[0].get("subtype") == "tombstone":
            return len(written) + edit_count, written
        sent = sent_at(await self._told.replies(f"{thread.channel}:{thread.ts}"), thread.channel)
        missing = sent - {str(entry.get("ts")) for entry in entries}
        gone_count = sum([await self._is_newly_gone(thread, ts) for ts in sorted(missing)])
        wished = [(entry, *put) for entry in entries if entry.get("ts") not in sent for put in _envelopes(entry)]
        wish_count = sum([await self._is_newly_wished(thread, *wish) for wish in wished])
        return len(written) + edit_count + gone_count + wish_count, written

    async def _is_new(self, thread: Thread, entry: Json) -> bool:
        """Make a message durable; return whether it is new."""
        return await self._take(thread, {**entry, "type": "message", "channel": thread.channel}, str(entry.get("ts")))

    async def _is_newly_edited(self, thread: Thread, entry: Json) -> bool:
        """Make the edit of a message durable that was told of; return whether it is new."""
        before = await self._known(thread, str(entry.get("ts")))
        edited = entry.get("edited")
        if before is None or not isinstance(edited, dict):
            return False
        if before.get("text") == entry.get("text") or before.get("edited") == edited:
            return False
        after = {**entry, "type": "message", "channel": thread.channel}
        change = {"type": "message", "subtype": "message_changed", "channel": thread.channel}
        return await self._take(thread, {**change, "previous_message": before, "message": after}, str(entry.get("ts")))

    async def _is_newly_gone(self, thread: Thread, ts: str) -> bool:
        """Make the deletion of a message durable that the customer got; return whether it is new."""
        before = await self._known(thread, ts)
        # What stood below an earlier card of the ticket is not missing here.
        if before is None or before.get("thread_ts") != thread.ts:
            return False
        change = {"type": "message", "subtype": "message_deleted", "channel": thread.channel, "deleted_ts": ts}
        return await self._take(thread, {**change, "previous_message": before}, ts)

    async def _is_newly_wished(self, thread: Thread, entry: Json, user: str, name: str) -> bool:
        """Make an envelope durable on a message that the customer has not got; return whether it is new.

        Slack does not say when it was put there: what was told of one that is gone, or was refused, counts for all.
        """
        ts = str(entry.get("ts"))
        if await self._told.has_event(f"slack/{thread.team}", f"reaction:{thread.channel}:{ts}:{user}:{name}:"):
            return False
        item = {"type": "message", "channel": thread.channel, "ts": ts}
        # The earliest that it can have been.
        at = f"{max(seconds(ts), thread.since):.6f}"
        event: Json = {"type": "reaction_added", "user": user, "reaction": name, "item": item, "event_ts": at}
        return await self._take(thread, event, ts)

    async def _known(self, thread: Thread, ts: str) -> Json | None:
        known = await self._told.event(f"slack/{thread.team}", f"message:{thread.channel}:{ts}")
        return _object(known, "event") if known else None

    async def _take(self, thread: Thread, event: Json, ts: str) -> bool:
        """Make an event durable as if Slack had told of it; return whether it is new."""
        return await self._keep(
            {
                "type": "event_callback",
                "team_id": thread.team,
                "event_id": f"found:{thread.channel}:{ts}",
                "event": event,
                FOUND_AT: thread.read_at,
            }
        )


def _envelopes(entry: Json) -> Iterator[tuple[str, str]]:
    """Yield who put an envelope on a message, and which."""
    reactions = entry.get("reactions")
    for reaction in reactions if isinstance(reactions, list) else ():
        if isinstance(reaction, dict) and reaction.get("name") in SENDING and isinstance(reaction.get("users"), list):
            yield from ((str(user), str(reaction["name"])) for user in reaction["users"])


def _object(body: Json, key: str) -> Json:
    value = body.get(key)
    return value if isinstance(value, dict) else {}
