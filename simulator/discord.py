"""Discord as its customers and its API know it, in memory; `simulator.discord_server` puts it on a port.

One application with a bot, customers with direct messages, and a server with channels and threads. What is here follows
https://docs.discord.com/developers; nobody here has tried it on the real thing. A session keeps what was dispatched, so
that it can be resumed from any sequence number.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.discord_values import Fault, Json, Place, RefusedError, Session

TEXT_MAX, ROWS_MAX, ROW_MAX, LABEL_MAX, ID_MAX, NONCE_MAX, FILE_MAX_BYTES = 2000, 5, 5, 80, 100, 25, 10_000_000
#: Seconds in which a nonce is known; and the pace of messages in one channel.
NONCE_HOLDS_FOR, BUCKET_MAX, BUCKET_FOR = 300.0, 5, 5.0
_EPOCH, _TIME_FROM_BIT = 1_420_070_400_000, 22
DIRECT_MESSAGES, DIRECT_REACTIONS, GUILDS, GUILD_MESSAGES, GUILD_REACTIONS = 1 << 12, 1 << 13, 1 << 0, 1 << 9, 1 << 10
MESSAGE_CONTENT = 1 << 15


@dataclass(kw_only=True)
class FakeDiscord:
    """One bot, its customers, and all that both sides did: the ground truth of a test."""

    token: str = "MTIw.token0of0the.fake"
    application_id: str = "120000000000000001"
    clock: Callable[[], float] = time.time
    #: whether the Developer Portal grants the words of servers
    has_content_intent: bool = True
    interactions_url: str | None = None
    sessions_left: int = 1000
    #: milliseconds between heartbeats; 45 seconds are real
    heartbeat_interval: int = 45_000
    #: whether heartbeats are answered
    is_hearing: bool = True
    has_pace: bool = False
    places: dict[str, Place] = field(default_factory=dict)
    people: dict[str, FakeMember] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    #: taps that still show as busy: id → token
    busy_taps: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    #: method, path and body of every call, in order
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    #: what was said over the gateway, in order: opcode and data
    heard: list[tuple[int, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: where it listens, set by the server
    url: str = ""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._nonces: dict[tuple[str, str], tuple[float, Json]] = {}
        self._changed = asyncio.Event()
        self.guild_id = "990000000000000001"

    @property
    def me(self) -> Json:
        """The bot's own user."""
        return {
            "id": self.application_id,
            "username": "Copperleaf",
            "discriminator": "4242",
            "bot": True,
            "avatar": None,
        }

    def member(self, number: str, name: str = "Jane Doe") -> FakeMember:
        """Return a customer, who has opened direct messages with the bot."""
        known = self.people.get(number)
        if known is None:
            direct = Place(id=f"88{number[2:]}")
            self.places[direct.id] = direct
            known = self.people[number] = FakeMember(discord=self, id=number, name=name, direct=direct)
        return known

    def add_channel(self, number: str, name: str, parent_id: str | None = None) -> Place:
        """Return a channel of the server, or a thread in one."""
        place = self.places[number] = Place(id=number, guild_id=self.guild_id, name=name, parent_id=parent_id)
        if parent_id is not None:
            self.dispatch("THREAD_CREATE", self.shown(place), GUILDS)
        return place

    def fail(self, *faults: Fault) -> None:
        """Make the next calls of these kinds go wrong, each once, in order."""
        self.faults.extend(faults)

    def fault_of(self, call: str) -> Fault | None:
        """Take the next fault that waits for this kind of call."""
        found = next((fault for fault in self.faults if fault.call == call), None)
        if found is not None:
            self.faults.remove(found)
        return found

    def new_id(self) -> str:
        """Return an id that nothing has yet, with the time in it."""
        return str((int(self.clock() * 1000) - _EPOCH << _TIME_FROM_BIT) + next(self._numbers))

    def tell(self) -> None:
        """Wake everything that waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait for a change."""
        await self._changed.wait()

    async def until(self, is_so: Callable[[], bool], within: float = 10) -> None:
        """Wait until `is_so`; raises `TimeoutError` after `within` seconds."""
        async with asyncio.timeout(within):
            while not is_so():
                await self._changed.wait()

    # ----------------------------------------------------------------------------------------------------- the gateway

    def identify(self, data: Json) -> Session:
        """Begin a session and return it, its READY first; raises `RefusedError` with the code to close with."""
        if data["token"] != self.token:
            raise RefusedError(4004, 0, "Authentication failed.")
        if data["intents"] & MESSAGE_CONTENT and not self.has_content_intent:
            raise RefusedError(4014, 0, "Disallowed intent(s).")
        self.sessions_left -= 1
        session = Session(id=f"session-{next(self._numbers)}", intents=data["intents"])
        self.sessions[session.id] = session
        ready = {
            "v": 10,
            "user": self.me,
            "guilds": [{"id": self.guild_id, "unavailable": True}],
            "session_id": session.id,
            "resume_gateway_url": f"{self.url.replace('http', 'ws', 1)}/resumed",
            "application": {"id": self.application_id, "flags": 0},
        }
        self.note_in(session, "READY", ready)
        if session.intents & GUILDS:
            self.note_in(session, "GUILD_CREATE", self._guild())
        return session

    def _guild(self) -> Json:
        places = [place for place in self.places.values() if place.guild_id is not None]
        return {
            "id": self.guild_id,
            "name": "Copperleaf's friends",
            "owner_id": "1",
            "channels": [self.shown(each) for each in places if each.parent_id is None],
            "threads": [self.shown(each) for each in places if each.parent_id is not None],
            "members": [],
            "roles": [],
            "emojis": [],
            "unavailable": False,
        }

    def shown(self, place: Place) -> Json:
        """Return a channel as Discord shows it."""
        if place.guild_id is None:
            return {"id": place.id, "type": 1}
        ids = {"id": place.id, "guild_id": place.guild_id, "parent_id": place.parent_id, "last_message_id": None}
        shown: Json = {**ids, "name": place.name, "rate_limit_per_user": 0, "flags": 0}
        if place.parent_id is None:
            return shown | {"type": 0, "position": 0, "permission_overwrites": [], "nsfw": False, "topic": None}
        metadata = {"archived": False, "auto_archive_duration": 1440, "archive_timestamp": "2026-11-22T09:00:00+00:00"}
        counts = {"message_count": len(place.messages), "member_count": 1, "owner_id": self.application_id}
        return shown | counts | {"type": 11, "thread_metadata": metadata | {"locked": False}}

    def dispatch(self, kind: str, data: Json, intent: int) -> None:
        """Tell every session that asked for it."""
        for session in self.sessions.values():
            if session.intents & intent:
                self.note_in(session, kind, data)
        self.tell()

    def note_in(self, session: Session, kind: str, data: Json) -> None:
        """Add a dispatch to a session."""
        session.dispatches.append({"op": 0, "t": kind, "s": len(session.dispatches) + 1, "d": data})

    def dispatch_in(self, place: Place, kind: str, data: Json, *, is_reaction: bool = False) -> None:
        """Tell what happened in a channel, with its server if it has one."""
        direct, of_guild = (DIRECT_REACTIONS, GUILD_REACTIONS) if is_reaction else (DIRECT_MESSAGES, GUILD_MESSAGES)
        guild = {"guild_id": place.guild_id} if place.guild_id else {}
        self.dispatch(kind, {**data, **guild}, of_guild if guild else direct)

    def message(self, place: Place, author: Json, **members: Any) -> Json:
        """Return a new message, kept and dispatched."""
        made = {
            "id": self.new_id(),
            "channel_id": place.id,
            "type": 19 if members.get("referenced_message") else 0,
            "author": author,
            "content": "",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(self.clock())),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            **members,
        }
        place.messages.append(made)
        self.dispatch_in(place, "MESSAGE_CREATE", made)
        return made

    def keep_file(self, name: str, content: bytes, media_type: str) -> Json:
        """Keep a file and return it as an attachment."""
        number = self.new_id()
        self.files[number] = content
        url = f"{self.url}/attachments/{number}/{name}"
        kind = {"content_type": media_type} if media_type else {}
        return {"id": number, "filename": name, "size": len(content), "url": url, "proxy_url": url, **kind}

    # ---------------------------------------------------------------------------------------------- messages of the bot

    def create(self, place: Place, body: Json, files: list[Json]) -> Json:
        """Return the message that a call makes, or made before; raises `RefusedError`."""
        if place.refusal is not None:
            raise place.refusal
        if self.has_pace:
            self.keep_pace(place)
        nonce = str(body.get("nonce", ""))
        made_at, made = self._nonces.get((place.id, nonce), (float("-inf"), {}))
        if body.get("enforce_nonce") and nonce and self.clock() - made_at < NONCE_HOLDS_FOR:
            return made
        check(body, has_files=bool(files))
        answered = body.get("message_reference", {}).get("message_id")
        reference = {"message_reference": {"message_id": str(answered), "channel_id": place.id}} if answered else {}
        members = {"content": (body.get("content") or "").strip(), "components": (body.get("components") or [])}
        message = self.message(place, self.me, nonce=nonce, attachments=files, **members, **reference)
        message["allowed_mentions"] = body.get("allowed_mentions")
        self._nonces[place.id, nonce] = (self.clock(), message)
        return message

    def keep_pace(self, place: Place) -> None:
        """Count a message; raises `RefusedError` when there were too many."""
        now = self.clock()
        while place.paces and now - place.paces[0] >= BUCKET_FOR:
            place.paces.popleft()
        if len(place.paces) >= BUCKET_MAX:
            after = round(BUCKET_FOR - (now - place.paces[0]), 3)
            raise RefusedError(429, 0, "You are being rate limited.", retry_after=after, **{"global": False})
        place.paces.append(now)


def check(body: Json, *, has_files: bool = False) -> None:
    """Raise `RefusedError` for a message that Discord would not show."""
    content, rows = (body.get("content") or ""), (body.get("components") or [])
    if not content.strip() and not has_files:
        raise RefusedError(400, 50006, "Cannot send an empty message")
    buttons = [button for row in rows for button in row["components"]]
    wrong = [
        len(content) > TEXT_MAX,
        len(rows) > ROWS_MAX,
        any(not 0 < len(row["components"]) <= ROW_MAX for row in rows),
        any(not 0 < len(each["label"]) <= LABEL_MAX or not 0 < len(each["custom_id"]) <= ID_MAX for each in buttons),
        len({each["custom_id"] for each in buttons}) < len(buttons),
        len(str(body.get("nonce", ""))) > NONCE_MAX,
    ]
    if any(wrong):
        raise RefusedError(400, 50035, "Invalid Form Body", errors={"content": {"_errors": []}})


@dataclass(kw_only=True)
class FakeMember:
    """A customer."""

    discord: FakeDiscord
    id: str
    name: str
    direct: Place
    #: on the server
    roles: list[str] = field(default_factory=list)

    @property
    def user(self) -> Json:
        """The customer as Discord shows them."""
        name = self.name.lower().replace(" ", "_")
        return {"id": self.id, "username": name, "global_name": self.name, "discriminator": "0", "avatar": None}

    @property
    def seen(self) -> list[Json]:
        """What the bot said in direct messages, as it looks now."""
        return [each for each in self.direct.messages if each["author"]["id"] == self.discord.application_id]

    def writes(self, text: str, place: Place | None = None, **members: Any) -> Json:
        """Write to the bot, or where everybody reads."""
        where = place or self.direct
        member = {"member": {"roles": self.roles, "nick": None, "joined_at": "2026-01-01T00:00:00+00:00"}}
        of_guild = member if where.guild_id else {}
        return self.discord.message(where, self.user, content=text, **of_guild, **members)

    def sends(self, name: str, content: bytes, media_type: str) -> Json:
        """Send a file."""
        return self.writes("", attachments=[self.discord.keep_file(name, content, media_type)])

    def edits(self, message: Json, text: str) -> None:
        """Change a message."""
        message |= {"content": text, "edited_timestamp": "2026-11-22T09:00:07.312000+00:00"}
        self.discord.dispatch_in(self.discord.places[message["channel_id"]], "MESSAGE_UPDATE", message)

    def deletes(self, message: Json) -> None:
        """Take a message back."""
        place = self.discord.places[message["channel_id"]]
        place.messages.remove(message)
        self.discord.dispatch_in(place, "MESSAGE_DELETE", {"id": message["id"], "channel_id": place.id})

    def reacts(self, message: Json, emoji: str, *, is_taken: bool = False) -> None:
        """Put a sign to a message, or take it away."""
        place = self.discord.places[message["channel_id"]]
        ids = {"user_id": self.id, "channel_id": place.id, "message_id": message["id"]}
        kind = "MESSAGE_REACTION_REMOVE" if is_taken else "MESSAGE_REACTION_ADD"
        reaction = {**ids, "emoji": {"id": None, "name": emoji}, "burst": False, "type": 0}
        self.discord.dispatch_in(place, kind, reaction, is_reaction=True)

    def taps(self, label: str) -> str:
        """Tap the newest button of this label; returns the tap's id."""
        shown, button = next(
            (message, button)
            for message in reversed(self.seen)
            for row in message["components"]
            for button in row["components"]
            if button["label"] == label
        )
        tap, token = self.discord.new_id(), f"token-{self.discord.new_id()}"
        self.discord.busy_taps[tap] = token
        body = {
            "id": tap,
            "application_id": self.discord.application_id,
            "type": 3,
            "token": token,
            "version": 1,
            "channel_id": self.direct.id,
            "channel": {"id": self.direct.id, "type": 1},
            "locale": "en-GB",
            "user": self.user,
            "data": {"component_type": 2, "custom_id": button["custom_id"], "id": 1},
            "message": shown,
            "entitlements": [],
            "attachment_size_limit": FILE_MAX_BYTES,
            "authorizing_integration_owners": {},
        }
        # Taps come whatever was asked for.
        self.discord.dispatch("INTERACTION_CREATE", body, -1)
        return tap
