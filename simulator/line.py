"""LINE as its customers and its Messaging API know it, in memory; `simulator.line_server` puts it on a port.

One channel. What is here follows https://developers.line.biz/en/reference/messaging-api/; nobody here has tried it on
the real thing: a reply token works once and for a minute, a retry key for a day, a push that is not delivered is not
refused, and counts.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

#: Seconds.
TOKEN_LIVES_FOR, KEY_LIVES_FOR = 60, 24 * 3600
TEXT_MAX, CHOICES_MAX, LABEL_MAX, DATA_MAX, NAME_MAX, MESSAGES_MAX = 5000, 13, 20, 300, 20, 5
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OUR_ID = "Ub8d1f0c3a2e94756b1c0d9e8f7a6b5c4"


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, **more}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a path."""

    #: last part of the path: "push", "reply", "content", "start"
    call: str
    #: whether the call takes effect all the same
    is_done: bool = False
    #: the answer, unless the connection is cut
    status: int = 500
    body: bytes = b'{"message": "Internal error"}'
    headers: dict[str, str] = field(default_factory=dict)
    #: of the answer, that many bytes go out before the connection is cut
    cut_after: int | None = None
    #: no answer ever comes
    hangs: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A message of ours as the customer sees it."""

    message_id: str
    #: "text", "image"
    kind: str
    text: str = ""
    #: labels, data and the words that a tap says
    choices: tuple[tuple[str, str, str], ...] = ()
    url: str = ""
    #: who speaks; empty: the account
    sender: str = ""
    #: whether it counted towards the month's messages
    is_paid: bool = False


@dataclass(kw_only=True)
class Person:
    """A customer."""

    id: str
    name: str = "Haruka"
    has_blocked: bool = False
    seen: list[Shown] = field(default_factory=list)
    #: "typing", "read TOKEN"
    signs: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class FakeLine:
    """One channel, its customers, and all that both sides did: the ground truth of a test."""

    token: str = "token0of0the0fake"
    channel_secret: str = "9f2c0secret0of0the0fake"
    channel_id: str = "2001234567"
    clock: Callable[[], float] = time.time
    #: pushes of a month; none: as many as one likes
    quota: int | None = None
    used: int = 0
    has_chat: bool = True
    webhook_url: str = ""
    is_webhook_on: bool = True
    people: dict[str, Person] = field(default_factory=dict)
    #: method, path, body and retry key of every call, in order
    calls: list[tuple[str, str, Json, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: what customers sent: how often it is not ready yet, and its bytes
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    #: where it listens, set by the server
    url: str = ""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        #: reply token → customer, and until when
        self._tokens: dict[str, tuple[str, float]] = {}
        #: read token → customer
        self._readers: dict[str, str] = {}
        #: retry key → until when, request id, and what it showed
        self._keys: dict[str, tuple[float, str, list[Json]]] = {}

    def person(self, person_id: str) -> Person:
        """Return a customer, who is a friend of the account."""
        return self.people.setdefault(person_id, Person(id=person_id))

    def fail(self, *faults: Fault) -> None:
        """Make the next calls of these paths go wrong, each once, in order."""
        self.faults.extend(faults)

    def fault_of(self, call: str) -> Fault | None:
        """Take the next fault that waits for this path."""
        found = next((fault for fault in self.faults if fault.call == call), None)
        if found is not None:
            self.faults.remove(found)
        return found

    # ------------------------------------------------------------------------------------------------ what customers do

    def writes(self, person: Person, text: str) -> Json:
        """Return the event of a text."""
        return self.sends(person, {"type": "text", "text": text, "quoteToken": "q"})

    def sends_file(self, person: Person, kind: str, content: bytes, *, unready: int = 0) -> Json:
        """Return the event of a file, which LINE hands out after it was asked for `unready` times in vain."""
        event = self.sends(person, {"type": kind, "contentProvider": {"type": "line"}})
        self.files[event["message"]["id"]] = (unready, content)
        return event

    def sends(self, person: Person, content: Json) -> Json:
        """Return the event of a message."""
        number = next(self._numbers)
        message = {"id": f"{595_988_571_000_000_000 + number}", "markAsReadToken": f"read-{number}", **content}
        self._readers[f"read-{number}"] = person.id
        return self.event(person, type="message", message=message)

    def taps(self, person: Person, label: str) -> Json:
        """Return the event of a tap on the newest choice of this label."""
        data = next(data for shown in reversed(person.seen) for name, data, _ in shown.choices if name == label)
        return self.event(person, type="postback", postback={"data": data})

    def event(self, person: Person, **members: Any) -> Json:
        """Return an event of a customer's, with a reply token."""
        number = next(self._numbers)
        token = f"reply-token-{number}"
        self._tokens[token] = (person.id, self.clock() + TOKEN_LIVES_FOR)
        return {
            "mode": "active",
            "timestamp": int(self.clock() * 1000),
            "source": {"type": "user", "userId": person.id},
            "webhookEventId": f"01KEMH6NRRRZ7E5JC5{number:08d}",
            "deliveryContext": {"isRedelivery": False},
            "replyToken": token,
            **members,
        }

    def envelope(self, *events: Json) -> Json:
        """Return the body of a call that brings events."""
        return {"destination": _OUR_ID, "events": list(events)}

    # ---------------------------------------------------------------------------------------------- the Messaging API

    def call(self, method: str, path: str, body: Json, retry_key: str) -> Json:
        """Return the answer to a call; raises `RefusedError`."""
        self.calls.append((method, path, body, retry_key))
        answers: dict[str, Callable[[], Json]] = {
            "POST /v2/bot/message/reply": lambda: self._reply(body, retry_key),
            "POST /v2/bot/message/push": lambda: self._push(body, retry_key),
            "POST /v2/bot/chat/loading/start": lambda: self._sign(self._known(body["chatId"]), "typing"),
            "POST /v2/bot/chat/markAsRead": lambda: self._mark_read(body["markAsReadToken"]),
            "GET /v2/bot/info": lambda: {"userId": _OUR_ID, "basicId": "@216ru", "displayName": "Copperleaf"},
            "GET /v2/bot/message/quota": lambda: {"type": "limited" if self.quota else "none", "value": self.quota},
            "GET /v2/bot/message/quota/consumption": lambda: {"totalUsage": self.used},
            "GET /v2/bot/channel/webhook/endpoint": self._endpoint,
            "PUT /v2/bot/channel/webhook/endpoint": lambda: self._set_endpoint(body["endpoint"]),
        }
        if method == "GET" and path.startswith("/v2/bot/profile/"):
            person = self._known(path.rpartition("/")[2])
            return {"userId": person.id, "displayName": person.name, "language": "ja"}
        answer = answers.get(f"{method} {path}")
        if answer is None:
            raise RefusedError(404, "Not found")
        return answer()

    def content(self, message_id: str) -> bytes | None:
        """Return a file that a customer sent, none while it is not ready; raises `RefusedError`."""
        if message_id not in self.files:
            raise RefusedError(404, "Not found")
        unready, content = self.files[message_id]
        self.files[message_id] = (unready - 1, content)
        return None if unready > 0 else content

    def _reply(self, body: Json, retry_key: str) -> Json:
        if retry_key:
            raise RefusedError(400, "The retry key is not accepted by this API")
        person_id, until = self._tokens.get(body["replyToken"], ("", 0.0))
        if self.clock() > until:
            raise RefusedError(400, "Invalid reply token")
        shown = self._show(self.person(person_id), body["messages"], is_paid=False)
        del self._tokens[body["replyToken"]]
        return shown

    def _push(self, body: Json, retry_key: str) -> Json:
        if retry_key and not _UUID.fullmatch(retry_key):
            raise RefusedError(400, "The value of X-Line-Retry-Key is invalid")
        until, request_id, sent = self._keys.get(retry_key, (0.0, "", []))
        if self.clock() < until:
            raise RefusedError(
                409, "The retry key is already accepted", sentMessages=sent, acceptedRequestId=request_id
            )
        if body["to"] not in self.people:
            raise RefusedError(400, "Failed to send messages")
        if self.quota is not None and self.used >= self.quota:
            raise RefusedError(429, "You have reached your monthly limit.")
        shown = self._show(self.person(body["to"]), body["messages"], is_paid=True)
        self.used += 1
        if retry_key:
            self._keys[retry_key] = (
                self.clock() + KEY_LIVES_FOR,
                f"request-{next(self._numbers)}",
                shown["sentMessages"],
            )
        return shown

    def _show(self, person: Person, messages: list[Json], *, is_paid: bool) -> Json:
        if not 0 < len(messages) <= MESSAGES_MAX:
            raise RefusedError(400, "Size must be between 1 and 5")
        made = [self._made(message, is_paid=is_paid) for message in messages]
        if not person.has_blocked:
            person.seen += made
        return {"sentMessages": [{"id": each.message_id, "quoteToken": "q"} for each in made]}

    def _made(self, message: Json, *, is_paid: bool) -> Shown:
        errors = list(faults_of(message))
        if errors:
            raise RefusedError(400, f"The request body has {len(errors)} error(s)", details=errors)
        actions = [item["action"] for item in message.get("quickReply", {}).get("items", [])]
        return Shown(
            message_id=f"{461_230_000_000_000_000 + next(self._numbers)}",
            kind=message["type"],
            text=message.get("text", ""),
            choices=tuple((each["label"], each["data"], each["displayText"]) for each in actions),
            url=message.get("originalContentUrl", ""),
            sender=message.get("sender", {}).get("name", ""),
            is_paid=is_paid,
        )

    def _mark_read(self, token: str) -> Json:
        if not self.has_chat:
            raise RefusedError(400, "Failed to mark messages as read. Please ensure that chat is enabled.")
        return self._sign(self.people[self._readers[token]], f"read {token}")

    def _sign(self, person: Person, sign: str) -> Json:
        person.signs.append(sign)
        return {}

    def _endpoint(self) -> Json:
        if not self.webhook_url:
            raise RefusedError(404, "Webhook endpoint not found")
        return {"endpoint": self.webhook_url, "active": self.is_webhook_on}

    def _set_endpoint(self, url: str) -> Json:
        self.webhook_url = url
        return {}

    def _known(self, person_id: str) -> Person:
        if person_id not in self.people or self.people[person_id].has_blocked:
            raise RefusedError(404, "Not found")
        return self.people[person_id]


def faults_of(message: Json) -> list[Json]:
    """Return what LINE has against a message."""
    found: list[tuple[str, str]] = []
    if message["type"] == "text" and not 0 < _units(message["text"]) <= TEXT_MAX:
        found.append(("messages[0].text", f"Length must be between 0 and {TEXT_MAX}"))
    if message["type"] == "image" and not message["originalContentUrl"].startswith("https://"):
        found.append(("messages[0].originalContentUrl", "Must be a valid HTTPS URL"))
    items = message.get("quickReply", {}).get("items", [])
    if len(items) > CHOICES_MAX:
        found.append(("messages[0].quickReply.items", f"Size must be between 1 and {CHOICES_MAX}"))
    for item in items:
        action = item["action"]
        if not 0 < _units(action["label"]) <= LABEL_MAX:
            found.append(("action.label", f"Length must be between 1 and {LABEL_MAX}"))
        if not 0 < len(action["data"]) <= DATA_MAX or not 0 < _units(action["displayText"]) <= DATA_MAX:
            found.append(("action.data", f"Length must be between 1 and {DATA_MAX}"))
    name = message.get("sender", {}).get("name", "")
    if len(name) > NAME_MAX or "line" in name.lower():
        found.append(("messages[0].sender.name", "The property is invalid"))
    return [{"message": why, "property": where} for where, why in found]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
