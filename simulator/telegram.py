"""Telegram as its customers and its Bot API know it, in memory; `simulator.telegram_server` puts it on a port.

What is here follows https://core.telegram.org/bots/api and, for redelivery, the source of the official server
(github.com/tdlib/telegram-bot-api): an update stays until an offset above it, or a 2xx of the webhook, confirms it; one
lane per chat, so a message waits for the one before it; taps have lanes of their own and may overtake.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from simulator.telegram_values import Fault, Json, RefusedError, Shown, Update, Webhook

#: Seconds that an update waits for us before Telegram forgets it.
KEEPS_UPDATES_FOR, KEEPS_TAPS_FOR = 24 * 3600, 150
FILE_MAX_BYTES, DOWNLOAD_MAX_BYTES, PHOTO_MAX_BYTES = 50_000_000, 20_000_000, 10_000_000
TEXT_MAX, CALLBACK_DATA_MAX_BYTES = 4096, 64
#: Seconds after which a message cannot be deleted any more.
DELETES_FOR = 48 * 3600
_NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
_WEBHOOK_IS_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
_OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
#: What a file of each kind has beside its id.
_FILE_KINDS: dict[str, Json] = {
    "photo": {"width": 640, "height": 480},
    "animation": {"width": 320, "height": 240, "duration": 1},
    "video": {"width": 320, "height": 240, "duration": 1},
    "video_note": {"length": 240, "duration": 1},
    "audio": {"duration": 1},
    "voice": {"duration": 1},
    "document": {},
}


@dataclass(kw_only=True)
class FakeTelegram:
    """One bot, its customers, and all that both sides did: the ground truth of a test."""

    token: str = "7000001:AAtest-token_of-the-fake"
    clock: Callable[[], float] = time.time
    next_update_id: int = 500_000
    #: calls of the bot, in order: method and parameters
    calls: list[tuple[str, Json]] = field(default_factory=list)
    updates: deque[Update] = field(default_factory=deque)
    allowed_updates: list[str] | None = None
    webhook: Webhook | None = None
    #: ids of taps whose little clock still turns
    busy_taps: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    customers: dict[int, FakeCustomer] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    #: where it listens, set by the server
    url: str = ""

    def __post_init__(self) -> None:
        self._message_ids = itertools.count(1)
        self._counter = itertools.count(1)
        self._changed = asyncio.Event()
        self._poll_count = 0

    @property
    def me(self) -> Json:
        """The bot's own user."""
        number = int(self.token.partition(":")[0])
        return {"id": number, "is_bot": True, "first_name": "Copperleaf", "username": "copperleaf_bot"}

    def customer(self, number: int, first_name: str = "Jane", last_name: str = "Doe") -> FakeCustomer:
        """Return a customer who has opened the chat with the bot."""
        known = self.customers.get(number)
        if known is None:
            known = FakeCustomer(telegram=self, id=number, first_name=first_name, last_name=last_name)
            self.customers[number] = known
        return known

    def fail(self, *faults: Fault) -> None:
        """Make the next calls of these methods go wrong, each once, in order."""
        self.faults.extend(faults)

    def fault_of(self, method: str) -> Fault | None:
        """Take the next fault that waits for this method."""
        found = next((fault for fault in self.faults if fault.method == method), None)
        if found is not None:
            self.faults.remove(found)
        return found

    def add_update(self, kind: str, body: Json, lane: str, keeps_for: float = KEEPS_UPDATES_FOR) -> None:
        """Queue an update, if the bot asked for its kind."""
        number, self.next_update_id = self.next_update_id, self.next_update_id + 1
        if self.allowed_updates and kind not in self.allowed_updates:
            return
        self.updates.append(
            Update(body={"update_id": number, kind: body}, lane=lane, expires_at=self.clock() + keeps_for)
        )
        self.tell()

    def tell(self) -> None:
        """Wake everything that waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, is_so: Callable[[], bool], within: float = 10) -> None:
        """Wait until `is_so`; raises `TimeoutError` after `within` seconds."""
        async with asyncio.timeout(within):
            while not is_so():
                await self._changed.wait()

    def end_poll(self) -> None:
        """End the request for updates that waits now, as another poller's would."""
        self._poll_count += 1
        self.tell()

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def offer(self, update: Update) -> float | None:
        """Return for how many seconds the webhook may take an update that is told of now; none: as long as it likes."""

    def take(self, update: Update) -> None:
        """Forget an update that the webhook took."""
        if update in self.updates:
            self.updates.remove(update)

    def waiting(self) -> list[Update]:
        """Return what is neither confirmed nor expired, in order."""
        self.updates = deque(update for update in self.updates if update.expires_at > self.clock())
        return list(self.updates)

    # ------------------------------------------------------------------------------------------------ the Bot API

    async def call(self, method: str, parameters: Json) -> object:
        """Return the result of a call; raises `RefusedError`. Files are parameters of type bytes, or (name, bytes)."""
        self.calls.append((method, parameters))
        name = "_send_file" if method.startswith("send") and method[4:].lower() in _FILE_KINDS else f"_{method}"
        handler = getattr(self, name, None)
        if handler is None:
            raise RefusedError(404, "Not Found")
        if method == "getUpdates":
            return await self._getUpdates(parameters)
        result: object = handler(parameters, method[4:].lower()) if name == "_send_file" else handler(parameters)
        self.tell()
        return result

    async def _getUpdates(self, parameters: Json) -> list[Json]:  # noqa: N802 - Telegram's name
        if self.webhook is not None:
            raise RefusedError(409, _WEBHOOK_IS_ACTIVE)
        self.end_poll()
        mine = self._poll_count
        self._set_allowed(parameters)
        offset = int(parameters.get("offset", 0))
        self._confirm(offset)
        try:
            await self.until(
                lambda: bool(self.waiting()) or mine != self._poll_count, float(parameters.get("timeout", 0)) or 0.001
            )
        except TimeoutError:
            return []
        if mine != self._poll_count:
            raise RefusedError(409, _OTHER_POLLER)
        self._confirm(offset)
        return [update.body for update in self.waiting()[: int(parameters.get("limit", 100))]]

    def _confirm(self, offset: int) -> None:
        """Forget what is below the offset, and with it what came under a lower number since."""
        self.updates = deque(update for update in self.updates if update.id >= offset)

    def _getMe(self, _parameters: Json) -> Json:  # noqa: N802
        return self.me

    def _setWebhook(self, parameters: Json) -> bool:  # noqa: N802
        self._set_allowed(parameters)
        if not str(parameters["url"]).startswith("http"):
            raise RefusedError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = Webhook(url=str(parameters["url"]), secret=str(parameters.get("secret_token", "")))
        return True

    def _deleteWebhook(self, parameters: Json) -> bool:  # noqa: N802
        self.webhook = None
        if str(parameters.get("drop_pending_updates", "")).lower() == "true":
            self.updates.clear()
        return True

    def _getWebhookInfo(self, _parameters: Json) -> Json:  # noqa: N802
        info: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.waiting())}
        if self.webhook is not None:
            info["url"] = self.webhook.url
            if self.webhook.last_error:
                info |= {
                    "last_error_date": self.webhook.last_error_at,
                    "last_error_message": self.webhook.last_error,
                }
        return info

    def _set_allowed(self, parameters: Json) -> None:
        if "allowed_updates" in parameters:
            self.allowed_updates = json.loads(parameters["allowed_updates"])

    def _sendMessage(self, parameters: Json) -> Json:  # noqa: N802
        customer = self._reachable(parameters)
        text = str(parameters.get("text", "")).strip()
        if not text:
            raise RefusedError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > TEXT_MAX:
            raise RefusedError(400, "Bad Request: message is too long")
        return self._show(customer, {"text": text}, Shown(message_id=0, kind="text", text=text), parameters)

    def _editMessageText(self, parameters: Json) -> Json:  # noqa: N802
        customer, number = self._reachable(parameters), int(parameters["message_id"])
        known = customer.messages.get(number)
        if known is None or "text" not in known:
            raise RefusedError(400, "Bad Request: message to edit not found")
        if known["from"] != self.me:
            raise RefusedError(400, "Bad Request: message can't be edited")
        text = str(parameters["text"]).strip()
        if known["text"] == text:
            raise RefusedError(400, _NOT_MODIFIED)
        customer.messages[number] = known | {"text": text, "edit_date": int(self.clock())}
        customer.seen = [replace(shown, text=text) if shown.message_id == number else shown for shown in customer.seen]
        return customer.messages[number]

    def _deleteMessage(self, parameters: Json) -> bool:  # noqa: N802
        customer, number = self._reachable(parameters), int(parameters["message_id"])
        if number not in customer.messages:
            raise RefusedError(400, "Bad Request: message to delete not found")
        if self.clock() - float(customer.messages[number]["date"]) > DELETES_FOR:
            raise RefusedError(400, "Bad Request: message can't be deleted for everyone")
        del customer.messages[number]
        customer.seen = [shown for shown in customer.seen if shown.message_id != number]
        return True

    def _send_file(self, parameters: Json, kind: str) -> Json:
        customer = self._reachable(parameters)
        given = parameters.get(kind)
        name, content = given if isinstance(given, tuple) else ("", self.files.get(str(given), b""))
        if not content and not str(given).startswith("http"):
            raise RefusedError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        if len(content) > (PHOTO_MAX_BYTES if kind == "photo" else FILE_MAX_BYTES):
            raise RefusedError(413, "Request Entity Too Large")
        shown = Shown(message_id=0, kind=kind, name=name, content=content, text=str(given) if not content else "")
        return self._show(customer, self.file_members(kind, content, name), shown, parameters)

    def _sendChatAction(self, parameters: Json) -> bool:  # noqa: N802
        self._reachable(parameters).actions.append(str(parameters["action"]))
        return True

    def _answerCallbackQuery(self, parameters: Json) -> bool:  # noqa: N802
        if parameters["callback_query_id"] not in self.busy_taps:
            raise RefusedError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.busy_taps.remove(parameters["callback_query_id"])
        return True

    def _getFile(self, parameters: Json) -> Json:  # noqa: N802
        file_id = str(parameters["file_id"])
        if file_id not in self.files:
            raise RefusedError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id]) > DOWNLOAD_MAX_BYTES:
            raise RefusedError(400, "Bad Request: file is too big")
        size = len(self.files[file_id])
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": size, "file_path": f"files/{file_id}"}

    def _reachable(self, parameters: Json) -> FakeCustomer:
        customer = self.customers.get(int(parameters["chat_id"]))
        if customer is None:
            raise RefusedError(400, "Bad Request: chat not found")
        if customer.has_blocked:
            raise RefusedError(403, "Forbidden: bot was blocked by the user")
        return customer

    def _show(self, customer: FakeCustomer, members: Json, shown: Shown, parameters: Json) -> Json:
        message = self.message(customer, members) | {"from": self.me}
        if markup := json.loads(parameters.get("reply_markup") or "{}"):
            message["reply_markup"] = markup
        buttons = [(b["text"], b["callback_data"]) for row in markup.get("inline_keyboard", []) for b in row]
        if any(not 0 < len(data.encode()) <= CALLBACK_DATA_MAX_BYTES for _, data in buttons):
            raise RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")
        if any(not title for title, _ in buttons):
            raise RefusedError(400, "Bad Request: inline keyboard button text must be non-empty")
        customer.messages[message["message_id"]] = message
        customer.seen.append(replace(shown, message_id=message["message_id"], buttons=tuple(buttons)))
        return message

    # ------------------------------------------------------------------------------------------- what both sides use

    def message(self, customer: FakeCustomer, members: Json) -> Json:
        """Return a new message of a chat."""
        return {
            "message_id": next(self._message_ids),
            "date": int(self.clock()),
            "chat": customer.chat,
            "from": customer.user,
        } | members

    def file_members(self, kind: str, content: bytes, name: str, media_type: str = "") -> Json:
        """Return the members of a message that carries a file."""
        file_id = f"file{next(self._counter)}"
        self.files[file_id] = content
        file = {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": len(content)} | _FILE_KINDS[kind]
        if kind == "photo":
            return {"photo": [file | {"file_id": "thumbnail", "width": 90, "height": 67}, file]}
        return {kind: file | ({"file_name": name} if name else {}) | ({"mime_type": media_type} if media_type else {})}

    def new_tap_id(self) -> str:
        """Return the id of a tap."""
        return str(4_000_000_000_000_000_000 + next(self._counter))


@dataclass(kw_only=True)
class FakeCustomer:
    """A person with a Telegram app."""

    telegram: FakeTelegram
    id: int
    first_name: str
    last_name: str
    #: what the bot sent, in order
    seen: list[Shown] = field(default_factory=list)
    #: "typing" and the like, in order
    actions: list[str] = field(default_factory=list)
    has_blocked: bool = False
    #: everything in the chat by its number
    messages: dict[int, Json] = field(default_factory=dict)
    #: put to messages, by their numbers
    signs: dict[int, str] = field(default_factory=dict)

    @property
    def user(self) -> Json:
        """The customer as the sender of a message."""
        return {"id": self.id, "is_bot": False, "first_name": self.first_name, "last_name": self.last_name}

    @property
    def chat(self) -> Json:
        """The private chat with the bot."""
        return {"id": self.id, "type": "private", "first_name": self.first_name, "last_name": self.last_name}

    def writes(self, text: str) -> int:
        """Send a text; returns the message's number."""
        return self._posts({"text": text})

    def sends(self, kind: str, content: bytes, *, name: str = "", media_type: str = "", caption: str = "") -> int:
        """Send a file as "photo", "document", "voice" and so on."""
        members = self.telegram.file_members(kind, content, name, media_type)
        return self._posts(members | ({"caption": caption} if caption else {}))

    def edits(self, message_id: int, text: str) -> None:
        """Change a text sent before."""
        message = self.messages[message_id] | {"text": text, "edit_date": int(self.telegram.clock())}
        self.messages[message_id] = message
        self.telegram.add_update("edited_message", message, f"chat {self.id}")

    def reacts(self, message_id: int, sign: str) -> None:
        """Put a sign to a message of either side, or take it away (an empty one)."""
        before = self.signs.pop(message_id, "")
        if sign:
            self.signs[message_id] = sign
        reaction = {
            "chat": self.chat,
            "message_id": message_id,
            "user": self.user,
            "date": int(self.telegram.clock()),
            "old_reaction": [{"type": "emoji", "emoji": before}] if before else [],
            "new_reaction": [{"type": "emoji", "emoji": sign}] if sign else [],
        }
        self.telegram.add_update("message_reaction", reaction, f"signs of {self.id}")

    def taps(self, title: str) -> str:
        """Tap the newest button of this title; returns the tap's id."""
        shown, data = next(
            (shown, data) for shown in reversed(self.seen) for name, data in shown.buttons if name == title
        )
        tap_id = self.telegram.new_tap_id()
        query = {"id": tap_id, "from": self.user, "message": self.messages[shown.message_id], "data": data}
        self.telegram.busy_taps.add(tap_id)
        self.telegram.add_update("callback_query", query | {"chat_instance": "1"}, f"taps of {self.id}", KEEPS_TAPS_FOR)
        return tap_id

    async def sees(self, count: int, within: float = 10) -> list[Shown]:
        """Wait for that many messages of the bot in all and return them."""
        await self.telegram.until(lambda: len(self.seen) >= count, within)
        return self.seen

    def _posts(self, members: Json) -> int:
        message = self.telegram.message(self, members)
        number: int = message["message_id"]
        self.messages[number] = message
        self.telegram.add_update("message", message, f"chat {self.id}")
        return number
