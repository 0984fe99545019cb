"""Twilio as phones and its API know it: it keeps what phones showed, refuses, cuts connections and reports.

What is here follows Twilio's documents as named in `connectors.sms.errors`; nobody here has tried it on the real thing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

Json = dict[str, Any]

ACCOUNT_SID, AUTH_TOKEN, NUMBER = "AC" + "0a" * 16, "twilio0token0of0the0fake", "+447700900123"
SERVICE = "MG" + "0b" * 16


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next call of a kind."""

    #: last part of the path, without its ending: "Messages", "IncomingPhoneNumbers", an id
    call: str = "Messages"
    #: whether the call takes effect all the same
    is_done: bool = False
    status: int = 500
    #: Twilio's code; none: the body is no JSON
    code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: the connection ends without an answer
    is_cut: bool = False
    hangs: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An SMS as a phone shows it."""

    sid: str
    text: str
    sent_from: str
    media_url: str
    #: where reports on it go
    report_url: str


class RefusedError(Exception):
    """An answer with an error in it."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status

    @property
    def answer(self) -> web.Response:
        """The error as Twilio writes it."""
        more = f"https://www.twilio.com/docs/errors/{self.code}"
        body = {"code": self.code, "message": str(self), "more_info": more, "status": self.status}
        return web.json_response(body, status=self.status)


@dataclass(kw_only=True)
class FakeTwilio:
    """One account with one number, and the phones of its customers: the ground truth of a test."""

    session: aiohttp.ClientSession
    #: what phones showed, by number
    phones: dict[str, list[Shown]] = field(default_factory=dict)
    #: numbers that have texted STOP
    stopped: set[str] = field(default_factory=set)
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: where calls about the number go, and those about the messaging service
    webhook_url: str = ""
    service_url: str = ""
    status: str = "active"
    kind: str = "Full"
    #: what customers sent, by path
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    #: what was texted to us, whether or not a call could bring it
    inbox: list[Json] = field(default_factory=list)
    #: seconds since 1970
    clock: Callable[[], float] = time.time
    page_size: int = 50
    #: where it listens
    url: str = ""

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def sid(self, prefix: str) -> str:
        """Return an id that nothing has yet."""
        return f"{prefix}{next(self._numbers):032x}"

    # ------------------------------------------------------------------------------------------------ what calls us

    async def deliver(self, url: str, form: dict[str, str]) -> tuple[int, str, bytes]:
        """Call a webhook and return status, content type and body of the answer."""
        said = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        digest = hmac.new(AUTH_TOKEN.encode(), said.encode(), hashlib.sha1).digest()
        headers = {"X-Twilio-Signature": base64.b64encode(digest).decode()}
        async with self.session.post(url, data=form, headers=headers) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.read()

    async def texts(self, number: str, text: str, **more: str) -> tuple[int, str, bytes]:
        """Let a phone text us."""
        sid = self.take(number, text)
        form = {"MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT_SID, "From": number, "To": NUMBER, "Body": text}
        return await self.deliver(self.webhook_url, form | {"NumMedia": "0", "NumSegments": "1"} | more)

    def take(self, number: str, text: str, **more: str) -> str:
        """Take a text of a phone's without calling anybody, and return its id."""
        sid = self.sid("SM")
        sent = format_datetime(datetime.fromtimestamp(self.clock(), UTC))
        about = {"sid": sid, "direction": "inbound", "status": "received", "date_sent": sent, "num_media": "0"}
        self.inbox.insert(0, about | {"from": number, "to": NUMBER, "body": text, "messaging_service_sid": None} | more)
        return sid

    async def report(self, shown: Shown, number: str, status: str, error: str = "") -> tuple[int, str, bytes]:
        """Report how far a message of ours has come."""
        form = {"MessageSid": shown.sid, "SmsSid": shown.sid, "MessageStatus": status, "To": number, "From": NUMBER}
        more = {"ErrorCode": error} if error else {}
        return await self.deliver(shown.report_url, form | {"AccountSid": ACCOUNT_SID} | more)

    # -------------------------------------------------------------------------------------------------- what we call

    def answer(self, method: str, path: str, form: dict[str, str]) -> Json:
        """Return the answer to a call; raises `RefusedError`."""
        if path == f"v1/Services/{SERVICE}":
            self.service_url = form.get("InboundRequestUrl", self.service_url)
            return {"sid": SERVICE, "inbound_request_url": self.service_url or None}
        place = path.removeprefix(f"2010-04-01/Accounts/{ACCOUNT_SID}").removesuffix(".json")
        if place == "":
            return {"sid": ACCOUNT_SID, "friendly_name": "Copperleaf", "status": self.status, "type": self.kind}
        if place == "/Balance":
            return {"account_sid": ACCOUNT_SID, "balance": "12.34", "currency": "GBP"}
        if place in {"/IncomingPhoneNumbers", "/IncomingPhoneNumbers/PN1"}:
            self.webhook_url = form.get("SmsUrl", self.webhook_url)
            number = {"sid": "PN1", "phone_number": NUMBER, "sms_url": self.webhook_url}
            is_asked = form.get("PhoneNumber", NUMBER) == NUMBER
            return number if place.endswith("PN1") else {"incoming_phone_numbers": [number] if is_asked else []}
        if place == "/Messages":
            return self._send(form) if method == "POST" else self._list(path, form)
        if place.endswith("/Media") and place.startswith("/Messages/"):
            uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}{place}/ME1.json"
            return {"media_list": [{"sid": "ME1", "content_type": "image/jpeg", "uri": uri}]}
        raise RefusedError(20404, f"The requested resource /{path} was not found", 404)

    def _list(self, path: str, form: dict[str, str]) -> Json:
        since = datetime.fromisoformat(form["DateSent>"])
        mine = [each for each in self.inbox if parsedate_to_datetime(each["date_sent"]) >= since]
        mine = [each for each in mine if each["to"] == form.get("To", each["to"])]
        start = int(form.get("Page", 0)) * self.page_size
        following = urlencode(form | {"Page": str(int(form.get("Page", 0)) + 1)})
        has_more = len(mine) > start + self.page_size
        more = {"next_page_uri": f"/{path}?{following}" if has_more else None}
        return {"messages": mine[start : start + self.page_size]} | more

    def _send(self, form: dict[str, str]) -> Json:
        number, text = form["To"], form.get("Body", "")
        if not text and not form.get("MediaUrl"):
            raise RefusedError(21602, "Message body is required.")
        if len(text) > 1600:
            raise RefusedError(21617, "The concatenated message body exceeds the 1600 character limit.")
        if form.get("From", NUMBER) != NUMBER or form.get("MessagingServiceSid", SERVICE) != SERVICE:
            raise RefusedError(21606, "The From phone number is not a valid, SMS-capable phone number.")
        if number in self.stopped:
            raise RefusedError(21610, "Attempt to send to unsubscribed recipient")
        sent_from, report_url = form.get("MessagingServiceSid") or form["From"], form.get("StatusCallback", "")
        media_url = form.get("MediaUrl", "")
        shown = Shown(sid=self.sid("SM"), text=text, sent_from=sent_from, media_url=media_url, report_url=report_url)
        self.phones.setdefault(number, []).append(shown)
        return {"sid": shown.sid, "status": "queued", "num_segments": "1", "error_code": None, "to": number}

    def fault_of(self, call: str) -> Fault | None:
        """Take the next fault that waits for this kind of call."""
        found = next((fault for fault in self.faults if fault.call == call), None)
        if found is not None:
            self.faults.remove(found)
        return found

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call of the API."""
        path = request.match_info["path"]
        form = {name: str(value) for name, value in {**request.query, **await request.post()}.items()}
        self.calls.append((request.method, path, form))
        fault = self.fault_of(path.rpartition("/")[2].removesuffix(".json"))
        proof = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        try:
            if request.headers.get("Authorization") != f"Basic {proof}":
                raise RefusedError(20003, "Authenticate", 401)
            if fault is not None and not fault.is_done:
                return await _play(request, fault)
            if (kept := self.files.get(path)) is not None:
                return web.Response(body=kept[1], content_type=kept[0])
            made = self.answer(request.method, path, form)
        except RefusedError as error:
            return error.answer
        is_new = path.endswith("/Messages.json")
        return web.json_response(made, status=201 if is_new else 200) if fault is None else await _play(request, fault)


async def _play(request: web.Request, fault: Fault) -> web.StreamResponse:
    """Answer as the fault wants."""
    if fault.hangs:
        await asyncio.Event().wait()
    if fault.is_cut and request.transport is not None:
        request.transport.close()
    if fault.code is None:
        return web.Response(status=fault.status, text="<html>", headers=fault.headers)
    body = {"code": fault.code, "message": "as the test wants", "status": fault.status}
    return web.json_response(body, status=fault.status, headers=fault.headers)


F = TypeVar("F", bound=FakeTwilio)


@asynccontextmanager
async def running(make: Callable[[aiohttp.ClientSession], F]) -> AsyncIterator[F]:
    """Serve the Twilio that `make` makes until the block ends; its `url` says where."""
    async with aiohttp.ClientSession() as session:
        fake = make(session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", fake.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield fake
        finally:
            await runner.cleanup()
