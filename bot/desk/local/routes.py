"""The local desk: the agents' work as pages of our own, for when Slack is not configured or is down.

One person comes in by a one-time link, says what customers shall call them, and acts on the same tickets by the same
acts as in Slack. Everything works without scripts; with them the page follows what happens.
"""

from __future__ import annotations

import mimetypes
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sanic
from sanic.request import File, Request
from sanic.response import HTTPResponse, html, raw, redirect, text

from bot.desk.local.forms import Filled, act_of, is_act
from bot.desk.local.hub import DeskHub
from bot.desk.local.pages import Form, Pages, Typed, disposition, ticket_path
from bot.desk.local.sessions import SESSION_FOR_SECONDS, Session, Sessions, clean_name
from bot.domain.desk import DeskActs
from bot.domain.errors import DeskError, MediaError, PublicReplyError
from bot.domain.messages import Attachment, AttachmentKind, MediaId
from bot.domain.ports import MediaStore
from bot.domain.rules import Team
from bot.domain.shifts import DeskShifts
from bot.domain.tickets import Agent, AgentId, TicketId, TicketView

_Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]

COOKIE = "tandem_desk"
FILES_MAX = 5
#: Of one form with its files.
UPLOAD_MAX = 24 * 1024 * 1024
#: A silent connection is closed by many proxies after a minute.
BEAT_SECONDS = 15.0
_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
#: Of files that people sent: no script, no frame, nothing.
_FILE_POLICY = "default-src 'none'; sandbox"
_KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}


async def _find_none() -> dict[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class LocalDeskParts:
    """What the local desk is made of."""

    acts: DeskActs
    media: MediaStore
    #: woken whenever a ticket or its conversation changes
    hub: DeskHub
    #: signs links, cookies and forms
    secret: str
    brand: str = "Tandem"
    #: whether browsers come over HTTPS
    is_secure: bool = False
    #: whom tickets can be passed on to; fewer than two: nobody
    teams: tuple[Team, ...] = ()
    #: who is there, and what comes next; none: each looks after themselves
    shifts: DeskShifts | None = None
    #: why the other desk cannot be used now, by where that is
    find_troubles: Callable[[], Awaitable[dict[str, str]]] = _find_none


class _Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """A request that ends here."""

    def __init__(self, answer: HTTPResponse) -> None:
        super().__init__()
        self.answer = answer


def local_desk_blueprint(parts: LocalDeskParts) -> sanic.Blueprint:
    """Return the routes below `/desk`; `desk_link` makes the links that lead in."""
    desk = _LocalDesk(parts)
    blueprint = sanic.Blueprint("desk", url_prefix="/desk")
    routes: list[tuple[str, str, _Handler]] = [
        ("GET", "/enter", desk.enter),
        ("POST", "/name", desk.name),
        ("POST", "/leave", desk.leave),
        ("GET", "/", desk.queue),
        ("GET", "/tickets/<ticket_id:str>", desk.ticket),
        ("POST", "/tickets/<ticket_id:str>/<act:str>", desk.act),
        ("POST", "/next", desk.next),
        ("POST", "/availability", desk.availability),
        ("GET", "/changes", desk.changes),
        ("GET", "/media/<media_id:str>", desk.file),
        ("GET", "/static/<name:str>", desk.static),
    ]
    for method, path, handler in routes:
        blueprint.add_route(
            _guarded(handler), path, methods=[method], name=handler.__name__, stream=handler == desk.act
        )
    blueprint.listener(_closing(parts.hub), "before_server_stop")
    return blueprint


class _LocalDesk:
    def __init__(self, parts: LocalDeskParts) -> None:
        self._parts = parts
        self._acts = parts.acts
        self._pages = Pages(parts.brand)
        self._sessions = Sessions(parts.secret)

    # ---- coming in

    async def enter(self, request: Request) -> HTTPResponse:
        """Use a link up and ask for the name; the page itself carries on, as a redirect would lose a strict cookie."""
        session = self._sessions.enter(request.args.get("ticket") or "")
        if session is None:
            raise _Refused(self._refusal("This link has been used, is older than fifteen minutes, or is not ours."))
        known = self._sessions.recognise(request.cookies.get(COOKIE))
        answer = html(self._pages.name(self._sessions.form_token(session), known.name if known else "", ""))
        self._remember(answer, session)
        return answer

    async def name(self, request: Request) -> HTTPResponse:
        """Keep the name that customers will see."""
        session = self._session(request, needs_name=False)
        self._check_form(request, session)
        name = clean_name(_field(request, "name"))
        if not name:
            page = self._pages.name(self._sessions.form_token(session), "", "Type the name customers will see.")
            return html(page, status=422)
        answer = redirect("/desk/", status=303)
        self._remember(answer, replace(session, name=name))
        return answer

    async def leave(self, request: Request) -> HTTPResponse:
        """Sign out."""
        session = self._session(request)
        self._check_form(request, session)
        self._sessions.leave(session)
        answer = html(self._pages.refused("You have signed out."))
        # As it was set: over plain HTTP browsers take nothing that is called secure.
        self._set_cookie(answer, "", 0)
        return answer

    # ---- looking

    async def queue(self, request: Request) -> HTTPResponse:
        """Return the queue."""
        session, change = self._session(request), self._parts.hub.count
        queue = await self._acts.open_tickets()
        return html(self._pages.desk(queue, None, await self._form(session, queue, change), Typed()))

    async def ticket(self, request: Request, ticket_id: str) -> HTTPResponse:
        """Return one ticket beside the queue."""
        session = self._session(request)
        done = Typed(did=str(request.args.get("did") or ""), until=str(request.args.get("until") or ""))
        return await self._show(session, TicketId(ticket_id), done, is_asking_who="who" in request.args)

    async def changes(self, request: Request) -> None:
        """Stream a counter that grows with each change (server-sent events)."""
        self._session(request)
        headers = {**_HEADERS, "x-accel-buffering": "no"}
        stream = await request.respond(content_type="text/event-stream; charset=utf-8", headers=headers)
        if stream is None:
            return
        async for count in self._parts.hub.changes(BEAT_SECONDS):
            await stream.send(": beat\n\n" if count is None else f"data: {count}\n\n")
        await stream.eof()

    async def file(self, request: Request, media_id: str) -> HTTPResponse | None:
        """Return a file that somebody sent: a picture to look at, anything else to download."""
        self._session(request)
        found = await self._parts.media.pieces(MediaId(media_id))
        if found is None:
            return text("There is no such file.", status=404)
        kept, pieces = found
        headers = {
            **_HEADERS,
            "content-disposition": disposition(kept),
            "content-security-policy": _FILE_POLICY,
            "content-length": str(kept.size),
        }
        stream = await request.respond(content_type=kept.media_type or "application/octet-stream", headers=headers)
        if stream is not None:
            async for piece in pieces:
                await stream.send(piece)
            await stream.eof()
        return None

    async def static(self, request: Request, name: str) -> HTTPResponse:
        """Return the style sheet or the script; their address carries their version."""
        content = self._pages.static.get(name)
        if content is None:
            return text("There is no such file.", status=404)
        kept_for = "public, max-age=31536000, immutable" if request.args.get("v") else "no-cache"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return raw(content, content_type=kind, headers={"cache-control": kept_for})

    # ---- acting

    async def act(self, request: Request, ticket_id: str, act: str) -> HTTPResponse:
        """Do one act on a ticket and go back to it; both clicks of a double click are one act."""
        session = self._session(request)
        await _receive(request, UPLOAD_MAX)
        self._check_form(request, session)
        key = _field(request, "key")
        if not _FORM_KEY.fullmatch(key) or not is_act(act):
            raise _Refused(text("This form is not one of ours: reload the page.", status=400))
        chosen, typed = TicketId(ticket_id), Typed(act=act, text=_field(request, "text").replace("\r\n", "\n").strip())
        try:
            asked = act_of(act, await self._filled(request, session, chosen, act))
            done = await self._acts.do(chosen, _agent(session), asked, f"local:{session.id}:{key}:{act}")
        except PublicReplyError as error:
            return await self._show(session, chosen, replace(typed, error=str(error), exposed=error.exposed))
        except (DeskError, MediaError) as error:
            return await self._show(session, chosen, replace(typed, error=str(error)))
        undo = f"?did={key}:{act}&until={int(done.can_undo_until.timestamp())}" if done.can_undo_until else ""
        return redirect(f"{ticket_path(chosen)}{undo}#latest", status=303)

    async def _filled(self, request: Request, session: Session, ticket_id: TicketId, act: str) -> Filled:
        fields = {name: _field(request, name) for name in request.form or ()}
        people = await self._people(await self._acts.open_tickets()) if act == "assign" else ()
        # What is taken back is what this browser did.
        fields["undoes"] = f"local:{session.id}:{fields.get('undoes', '')}"
        return Filled(
            agent=_agent(session),
            fields=fields,
            attachments=await self._keep(_files(request)),
            people={person.id: person for person in people},
            candidates=await self._acts.candidates(ticket_id) if act == "link" else (),
            now=datetime.now(UTC),
        )

    async def next(self, request: Request) -> HTTPResponse:
        """Claim what is most urgent and show it."""
        session = self._session(request)
        self._check_form(request, session)
        key = f"local:{session.id}:{_field(request, 'key')}:next"
        done = await self._parts.shifts.next_for(_agent(session), key) if self._parts.shifts else None
        return redirect(ticket_path(done.ticket.id) if done else "/desk/", status=303)

    async def availability(self, request: Request) -> HTTPResponse:
        """Note that the agent is there, or away."""
        session = self._session(request)
        self._check_form(request, session)
        if self._parts.shifts is not None:
            agent = _agent(session)
            known = await self._parts.shifts.availability(agent)
            there = replace(known, is_available=_field(request, "there") == "yes", back_at=None)
            await self._parts.shifts.set_availability(agent, there)
        return redirect("/desk/", status=303)

    async def _keep(self, files: list[File]) -> tuple[Attachment, ...]:
        if len(files) > FILES_MAX:
            raise MediaError(f"{FILES_MAX} files are the most at once.")
        return tuple([await self._parts.media.put(file.body, _described(file)) for file in files])

    # ---- what every page needs

    async def _show(
        self, session: Session, ticket_id: TicketId, typed: Typed, *, is_asking_who: bool = False
    ) -> HTTPResponse:
        change = self._parts.hub.count
        view, queue = await self._acts.view(ticket_id), await self._acts.open_tickets()
        form = await self._form(session, queue, change)
        if view is None:
            return html(self._pages.gone(queue, form), status=404)
        candidates = None
        if is_asking_who:
            try:
                candidates = await self._acts.candidates(ticket_id)
            except DeskError as error:
                typed = replace(typed, act="link", error=str(error))
        page = self._pages.desk(queue, view, form, replace(typed, candidates=candidates))
        return html(page, status=409 if typed.error else 200)

    async def _people(self, queue: list[TicketView]) -> tuple[Agent, ...]:
        """Return whom a ticket can be given to, by name: those the desk knows, and those who have open tickets."""
        known = await self._parts.shifts.people() if self._parts.shifts is not None else []
        owners = [view.ticket.agent for view in queue if view.ticket.agent is not None]
        found = {agent.id: agent for agent in (*known, *owners) if not agent.is_elsewhere}
        return tuple(sorted(found.values(), key=lambda agent: (agent.name.casefold(), agent.id)))

    async def _form(self, session: Session, queue: list[TicketView], change: int) -> Form:
        """Return what forms carry; `change` is the number of the last change before the page's tickets were read."""
        shifts = self._parts.shifts
        there = await shifts.availability(_agent(session)) if shifts is not None else None
        return Form(
            name=session.name,
            agent_id=_agent(session).id,
            token=self._sessions.form_token(session),
            key=secrets.token_urlsafe(16),
            change=change,
            teams=self._parts.teams,
            people=await self._people(queue),
            is_there=there.is_there(datetime.now(UTC)) if there is not None else None,
            troubles=tuple((await self._parts.find_troubles()).values()),
        )

    def _session(self, request: Request, *, needs_name: bool = True) -> Session:
        session = self._sessions.recognise(request.cookies.get(COOKIE))
        if session is None or (needs_name and not session.name):
            raise _Refused(self._refusal("You are not signed in, or your session has ended."))
        return session

    def _check_form(self, request: Request, session: Session) -> None:
        is_ours = request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
        if not is_ours or not self._sessions.is_form_token(session, _field(request, "token")):
            raise _Refused(text("This form did not come from the desk: reload the page.", status=403))

    def _refusal(self, reason: str) -> HTTPResponse:
        return html(self._pages.refused(reason), status=401)

    def _remember(self, answer: HTTPResponse, session: Session) -> None:
        self._set_cookie(answer, self._sessions.cookie(session), SESSION_FOR_SECONDS)

    def _set_cookie(self, answer: HTTPResponse, value: str, seconds: int) -> None:
        answer.add_cookie(
            COOKIE,
            value,
            path="/desk",
            httponly=True,
            secure=self._parts.is_secure,
            samesite="Strict",
            max_age=seconds,
        )


def _guarded(
    handler: _Handler,
) -> _Handler:
    """Return the handler with refusals turned into answers and the security headers on all of them."""

    async def guarded(request: Request, **arguments: str) -> HTTPResponse | None:
        try:
            answer = await handler(request, **arguments)
        except _Refused as refused:
            answer = refused.answer
        if answer is not None:
            for name, value in _HEADERS.items():
                answer.headers.setdefault(name, value)
        return answer

    return guarded


def _closing(hub: DeskHub) -> Callable[[object], Awaitable[None]]:
    async def close(_: object) -> None:
        hub.close()

    return close


async def _receive(request: Request, at_most: int) -> None:
    """Read the body of a form that may hold files: only of somebody who is signed in."""
    if request.stream is not None:
        request.stream.request_max_size = at_most
        await request.receive_body()  # type: ignore[no-untyped-call]


def _agent(session: Session) -> Agent:
    return Agent(id=AgentId(f"local:{session.name}"), name=session.name)


def _field(request: Request, name: str) -> str:
    value = request.form.get(name) if request.form else None
    return value if isinstance(value, str) else ""


def _files(request: Request) -> list[File]:
    sent = request.files.getlist("files") if request.files else None
    return [file for file in sent or () if file.body]


def _described(file: File) -> Attachment:
    media_type = file.type or "application/octet-stream"
    kind = _KINDS.get(media_type.partition("/")[0], AttachmentKind.FILE)
    return Attachment(kind=kind, name=file.name or "", media_type=media_type, size=len(file.body))
