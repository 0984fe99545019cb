"""Meta as its customers and its Graph API know it, in memory; `simulator.graph_server` puts it on a port.

One app with a page, an Instagram account linked to it and a WhatsApp number. What is here follows Meta's documents as
named in `connectors.meta.errors`; nobody here has tried it on the real thing.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

DAY, WEEK = 24 * 3600, 7 * 24 * 3600
FILE_MAX_BYTES, PICTURE_MAX_BYTES = 25_000_000, 5_000_000
OUTSIDE = "This message is sent outside of allowed window."


class RefusedError(Exception):
    """An answer with an error in it."""

    def __init__(self, code: int, message: str, subcode: int = 0, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.subcode, self.status = code, subcode, status

    @property
    def body(self) -> Json:
        """The error as Meta writes it."""
        error: Json = {"message": f"(#{self.code}) {self}", "type": "OAuthException", "code": self.code}
        if self.subcode:
            error["error_subcode"] = self.subcode
        return {"error": error | {"fbtrace_id": "AbCdEf"}}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a kind."""

    #: last part of the path: "messages", "media", "subscribed_apps"; "signs" for what is no message
    call: str = "messages"
    #: whether the call takes effect all the same
    is_done: bool = False
    #: the answer, unless the connection is cut
    error: RefusedError | None = None
    status: int = 500
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: of the answer, that many bytes go out before the connection is cut
    cut_after: int | None = None
    #: no answer ever comes
    hangs: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A message of ours as the customer sees it."""

    message_id: str
    #: "text", "interactive", "template", "image", …
    kind: str
    text: str = ""
    #: titles and payloads of what can be tapped
    choices: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    name: str = ""
    #: "RESPONSE", "HUMAN_AGENT", "template"
    sent_as: str = ""
    #: what comes back with reports
    given: str = ""


@dataclass(kw_only=True)
class Person:
    """A customer."""

    id: str
    #: when they last wrote to us
    wrote_at: float
    has_blocked: bool = False
    #: what Meta tells those who ask; none: it does not
    profile: Json | None = None
    seen: list[Shown] = field(default_factory=list)
    #: "typing_on", "mark_seen", "read wamid.1"
    signs: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class FakeGraph:
    """One app, its accounts, and all that both sides did: the ground truth of a test."""

    app_id: str = "4400000000000001"
    app_secret: str = "9f2c0secret0of0the0fake"
    token: str = "EAAGtoken0of0the0fake"
    page_id: str = "100000000000001"
    instagram_id: str = "17841400000000001"
    number_id: str = "277300000000001"
    business_id: str = "264900000000001"
    templates: frozenset[tuple[str, str]] = frozenset({("follow_up", "en_GB")})
    clock: Callable[[], float] = time.time
    has_human_agent: bool = True
    #: of the token; 0: never
    expires_at: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    #: method, path and parameters of every call, in order
    calls: list[tuple[str, str, Json]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: what was uploaded, and what customers sent: type and bytes by id
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    #: object → callback URL, verify token and fields
    webhooks: dict[str, Json] = field(default_factory=dict)
    #: node → fields
    subscribed: dict[str, list[str]] = field(default_factory=dict)
    #: where it listens, set by the server
    url: str = ""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def person(self, person_id: str) -> Person:
        """Return a customer who wrote just now if they never wrote before."""
        return self.people.setdefault(person_id, Person(id=person_id, wrote_at=self.clock()))

    def fail(self, *faults: Fault) -> None:
        """Make the next calls of these kinds go wrong, each once, in order."""
        self.faults.extend(faults)

    def fault_of(self, call: str) -> Fault | None:
        """Take the next fault that waits for this kind of call."""
        found = next((fault for fault in self.faults if fault.call == call), None)
        if found is not None:
            self.faults.remove(found)
        return found

    def new_id(self, prefix: str = "") -> str:
        """Return an id that nothing has yet."""
        return f"{prefix}{8_800_000_000 + next(self._numbers)}"

    # ---------------------------------------------------------------------------------------------- the Graph API

    def call(self, method: str, path: str, parameters: Json, bearer: str) -> Json:
        """Return the answer to a call; raises `RefusedError`. A file is a member of type (name, type, bytes)."""
        self.calls.append((method, path, parameters))
        as_app = bearer == f"{self.app_id}|{self.app_secret}"
        if not as_app and bearer != self.token:
            raise RefusedError(190, "Invalid OAuth access token - Cannot parse access token", status=401)
        node, _, edge = path.partition("/")
        if path == "debug_token" or (node, edge) == (self.app_id, "subscriptions"):
            if not as_app:
                raise RefusedError(15, "This method must be called with an app access_token.")
            return self._debug(parameters) if path == "debug_token" else self._subscriptions(method, parameters)
        if edge == "subscribed_apps":
            return self._subscribed_apps(method, node, parameters)
        if node == self.number_id:
            return self._whatsapp(edge, parameters)
        if node in {self.page_id, self.instagram_id}:
            return self._messaging(node, edge, parameters)
        if node in self.people and not edge:
            return self._profile(self.people[node])
        if node in self.files and not edge:
            media_type, content = self.files[node]
            url = f"{self.url}/files/{node}"
            return {"id": node, "url": url, "mime_type": media_type, "file_size": len(content)}
        raise RefusedError(100, f"Unsupported request - object '{node}' does not exist", 33)

    def _debug(self, parameters: Json) -> Json:
        is_valid = parameters.get("input_token") == self.token
        return {"data": {"app_id": self.app_id, "is_valid": is_valid, "expires_at": self.expires_at, "scopes": []}}

    def _subscriptions(self, method: str, parameters: Json) -> Json:
        if method == "POST":
            url = str(parameters["callback_url"])
            fields = str(parameters["fields"]).split(",")
            self.webhooks[parameters["object"]] = {"url": url, "token": parameters["verify_token"], "fields": fields}
            return {"success": True}
        data = [
            {"object": name, "callback_url": each["url"], "active": each.get("active", True)}
            for name, each in self.webhooks.items()
        ]
        return {"data": data}

    def _subscribed_apps(self, method: str, node: str, parameters: Json) -> Json:
        if node not in {self.page_id, self.instagram_id, self.business_id}:
            raise RefusedError(100, "Unsupported request - the object does not exist", 33)
        if method == "POST":
            fields = str(parameters.get("subscribed_fields", ""))
            if node != self.business_id and not fields:
                raise RefusedError(100, "The parameter subscribed_fields is required.")
            self.subscribed[node] = fields.split(",") if fields else []
            return {"success": True}
        if node not in self.subscribed:
            return {"data": []}
        fields_of = {"subscribed_fields": self.subscribed[node]} if node != self.business_id else {}
        return {"data": [{"id": self.app_id, "name": "Care", **fields_of}]}

    # ----------------------------------------------------------------------------------- Messenger and Instagram

    def _profile(self, person: Person) -> Json:
        if person.profile is None:
            raise RefusedError(100, "Unsupported get request: the object does not exist or permissions lack", 33)
        return person.profile | {"id": person.id}

    def _messaging(self, node: str, edge: str, parameters: Json) -> Json:
        if edge == "":
            return {"id": node, "name": "Copperleaf"}
        if edge == "message_attachments":
            return {"attachment_id": self._keep(parameters["filedata"])}
        recipient = parameters["recipient"]["id"]
        person = self.people.get(recipient)
        if person is None:
            raise RefusedError(100, "No matching user found", 2018001)
        if person.has_blocked:
            raise RefusedError(551, "This person isn't available right now.", 1545041)
        if "sender_action" in parameters:
            person.signs.append(parameters["sender_action"])
            return {"recipient_id": recipient}
        sent_as = self._admit(person, parameters)
        is_instagram = recipient.startswith("9876")
        shown = self._as_seen(parameters["message"], sent_as, is_instagram=is_instagram)
        person.seen.append(shown)
        return {"recipient_id": recipient, "message_id": shown.message_id}

    def _admit(self, person: Person, parameters: Json) -> str:
        """Return as what a message may leave now."""
        kind, tag = parameters.get("messaging_type"), parameters.get("tag")
        if kind == "MESSAGE_TAG" and tag != "HUMAN_AGENT":
            raise RefusedError(100, f"The tag {tag} is not supported any more.")
        if kind == "MESSAGE_TAG" and not self.has_human_agent:
            raise RefusedError(10, "The app has no access to Human Agent.", 2018278)
        open_for = WEEK if kind == "MESSAGE_TAG" else DAY
        if self.clock() - person.wrote_at > open_for:
            raise RefusedError(10, OUTSIDE, 2018278)
        return str(tag or kind)

    def _as_seen(self, message: Json, sent_as: str, *, is_instagram: bool) -> Shown:
        text, given = str(message.get("text", "")), str(message.get("metadata", ""))
        replies = message.get("quick_replies", [])
        if is_instagram and "metadata" in message:
            raise RefusedError(100, "Invalid parameter: metadata")
        size = len(text.encode()) if is_instagram else len(text)
        if size > (1000 if is_instagram else 2000):
            raise RefusedError(100, "Length of param message[text] must be less than or equal to the limit")
        if not text.strip() and "attachment" not in message:
            raise RefusedError(100, "Message cannot be empty, must provide valid attachment or text", 2018008)
        if len(replies) > 13 or any(len(each["title"]) > 20 or not each["payload"] for each in replies):
            raise RefusedError(100, "Invalid quick replies")
        choices = tuple((each["title"], each["payload"]) for each in replies)
        message_id = self.new_id("m_")
        if "attachment" in message:
            payload = message["attachment"]["payload"]
            _, content = self.files.get(payload.get("attachment_id", ""), ("", b""))
            if not content and "url" not in payload:
                raise RefusedError(100, "Invalid attachment_id", 2018074)
            kind = message["attachment"]["type"]
            url = payload.get("url", "")
            return Shown(message_id=message_id, kind=kind, text=url, content=content, sent_as=sent_as, given=given)
        return Shown(message_id=message_id, kind="text", text=text, choices=choices, sent_as=sent_as, given=given)

    # ---------------------------------------------------------------------------------------------------- WhatsApp

    def _whatsapp(self, edge: str, parameters: Json) -> Json:
        if edge == "":
            return {"id": self.number_id, "verified_name": "Copperleaf", "display_phone_number": "+44 20 7183 8750"}
        if parameters.get("messaging_product") != "whatsapp":
            raise RefusedError(100, "The parameter messaging_product is required.")
        if edge == "media":
            return {"id": self._keep(parameters["file"])}
        if parameters.get("status") == "read":
            return self._read(parameters)
        recipient = str(parameters.get("recipient") or parameters["to"])
        person = self.people.get(recipient)
        if person is None or person.has_blocked:
            raise RefusedError(131026, "Message undeliverable")
        is_template = parameters["type"] == "template"
        if self.clock() - person.wrote_at > DAY and not is_template:
            raise RefusedError(131047, "Re-engagement message")
        shown = self._whatsapp_message(parameters)
        person.seen.append(shown)
        contact = {"input": recipient} | ({"user_id": recipient} if "recipient" in parameters else {"wa_id": recipient})
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": shown.message_id}]}

    def _read(self, parameters: Json) -> Json:
        message_id = str(parameters["message_id"])
        typing = " typing" if "typing_indicator" in parameters else ""
        person = next((each for each in self.people.values() if message_id.startswith(f"wamid.{each.id}.")), None)
        if person is None:
            raise RefusedError(100, "Invalid message id")
        person.signs.append(f"read {message_id}{typing}")
        return {"success": True}

    def _whatsapp_message(self, parameters: Json) -> Shown:
        kind = str(parameters["type"])
        content: Json = parameters[kind]
        message_id, given = self.new_id("wamid."), str(parameters.get("biz_opaque_callback_data", ""))
        if kind == "text":
            _limit(content["body"], 1, 4096)
            return Shown(message_id=message_id, kind=kind, text=content["body"], given=given)
        if kind == "interactive":
            _limit(content["body"]["text"], 1, 1024)
            choices = _choices(content)
            return Shown(message_id=message_id, kind=kind, text=content["body"]["text"], choices=choices, given=given)
        if kind == "template":
            if (content["name"], content["language"]["code"]) not in self.templates:
                raise RefusedError(132001, "Template name does not exist in the translation")
            (blank,) = content["components"][0]["parameters"]
            _limit(blank["text"], 1, 1024)
            if "\n" in blank["text"] or "\t" in blank["text"] or "     " in blank["text"]:
                raise RefusedError(132012, "Parameter format does not match format in the created template")
            return Shown(message_id=message_id, kind=kind, text=blank["text"], sent_as="template", given=given)
        if kind not in {"image", "audio", "video", "document", "sticker"}:
            raise RefusedError(131051, "Unsupported message type")
        return self._whatsapp_file(kind, content, message_id, given)

    def _whatsapp_file(self, kind: str, content: Json, message_id: str, given: str) -> Shown:
        name, caption = str(content.get("filename", "")), str(content.get("caption", ""))
        if "link" in content:
            return Shown(message_id=message_id, kind=kind, text=content["link"], name=name, given=given)
        media_type, kept = self.files.get(str(content.get("id")), ("", b""))
        if not kept:
            raise RefusedError(131009, "Parameter value is not valid: the media id is not known")
        if kind == "image" and (media_type not in {"image/jpeg", "image/png"} or len(kept) > PICTURE_MAX_BYTES):
            raise RefusedError(131053, "Media upload error: unsupported image")
        return Shown(message_id=message_id, kind=kind, text=caption, content=kept, name=name, given=given)

    def _keep(self, file: tuple[str, str, bytes]) -> str:
        _, media_type, content = file
        if not content or len(content) > FILE_MAX_BYTES:
            raise RefusedError(100, "The file is empty or too large", 2018047)
        file_id = self.new_id()
        self.files[file_id] = (media_type, content)
        return file_id


def _limit(text: str, shortest: int, longest: int) -> None:
    if not shortest <= len(text.strip()) or len(text) > longest:
        raise RefusedError(131009, f"Parameter value is not valid: a text has {shortest} to {longest} characters")


def _choices(interactive: Json) -> tuple[tuple[str, str], ...]:
    """Return what can be tapped; raises `RefusedError` for what WhatsApp would not show."""
    action = interactive["action"]
    if interactive["type"] == "button":
        replies = [each["reply"] for each in action["buttons"]]
        is_good = 0 < len(replies) <= 3 and all(0 < len(each["title"]) <= 20 for each in replies)
    else:
        replies = [row for section in action["sections"] for row in section["rows"]]
        is_good = 0 < len(replies) <= 10 and 0 < len(action["button"]) <= 20
        is_good = is_good and all(
            0 < len(each["title"]) <= 24 and len(each.get("description", "")) <= 72 for each in replies
        )
    if not is_good or len({each["id"] for each in replies}) != len(replies):
        raise RefusedError(131009, "Parameter value is not valid: the choices do not fit")
    return tuple((each.get("description") or each["title"], each["id"]) for each in replies)


def as_json(parameters: Json) -> Json:
    """Return the members of a form, of which some are JSON."""
    return {name: json.loads(value) if name == "message" else value for name, value in parameters.items()}
