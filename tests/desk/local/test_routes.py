from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from bot.desk import words
from bot.desk.local.hub import DeskHub
from bot.desk.local.pages import Pages, size
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.desk.local.sessions import Session, Sessions, clean_name, desk_link
from bot.domain.acts import Claim, Note, Reply, Resolve
from bot.domain.customers import CustomerId, Money
from bot.domain.messages import Attachment, AttachmentKind, Author, DeliveryState, MediaId, MessageId, TranscriptLine
from bot.domain.rules import Rules, Team
from bot.domain.tickets import EVERYBODY, Agent, AgentId, Priority, TeamName, Ticket, TicketId, TicketState
from tests.desk.floor import START, Floor
from tests.desk.records import dana
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia

SECRET = "a secret that only tests know"
TICKET = TicketId(f"{1:032x}")
ALEX = Agent(id=AgentId("slack:U1"), name="Alex")
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@dataclass
class Visit:
    """A browser without scripts."""

    url: str
    session: aiohttp.ClientSession
    acts: Floor
    media: MemoryMedia
    hub: DeskHub

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the page."""
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Send a form; redirects are followed."""
        async with self.session.post(self.url + path, data=fields, headers=headers) as answer:
            return answer.status, await answer.text()

    async def sign_in(self, name: str = "Sam") -> None:
        """Come in by a link and give a name."""
        _, page = await self.get(path_of(desk_link(SECRET, self.url)))
        status, _ = await self.post("/desk/name", {"token": fields_of(page)["token"], "name": name})
        assert status == 200

    async def form(self) -> dict[str, str]:
        """Return what the forms of the ticket's page carry."""
        return fields_of((await self.get(f"/desk/tickets/{TICKET}"))[1])

    async def act(self, act: str, text: str = "", **changed: str) -> tuple[int, str]:
        """Send one of the ticket's forms."""
        return await self.post(f"/desk/tickets/{TICKET}/{act}", {**await self.form(), "text": text, **changed})


def path_of(link: str) -> str:
    """Return a link without its host."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


@pytest.fixture
async def visit(floor: Floor) -> AsyncIterator[Visit]:
    """Return a browser before a desk with one ticket."""
    media, hub = MemoryMedia(), DeskHub()
    floor.open(record=dana())
    parts = LocalDeskParts(acts=floor, media=media, hub=hub, secret=SECRET, brand="Copperleaf", teams=TEAMS)
    jar = aiohttp.CookieJar(unsafe=True)
    async with serve(local_desk_blueprint(parts)) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visit(url, session, floor, media, hub)


async def test_a_ticket_is_worked_from_claim_to_hand_back(visit: Visit) -> None:
    """The same acts as in Slack, as plain forms, under the name the agent gave."""
    await visit.sign_in("Sam")
    _, queue = await visit.get("/desk")
    assert "Dana Fox" in queue
    assert "asked for a person" in queue
    for act, text in (("claim", ""), ("reply", "Hello\r\nDana"), ("note", "seems nice"), ("hand-back", "refunded")):
        status, page = await visit.act(act, text)
        assert status == 200
    assert visit.acts.log == [
        ("claimed", TICKET, "Sam", ""),
        ("reply", TICKET, "Sam", "Hello\nDana"),
        ("note", TICKET, "Sam", "seems nice"),
        ("handed_back", TICKET, "Sam", "refunded"),
    ]
    assert visit.acts.views[TICKET].ticket.agent == Agent(id=AgentId("local:Sam"), name="Sam")
    assert "This ticket is handed back to the bot: refunded" in page
    assert "<textarea" not in page


TEAMS = (Team(name=EVERYBODY, title="Everybody"), Team(name=TeamName("returns"), title="Returns"))
SAM = Agent(id=AgentId("local:Sam"), name="Sam")


@pytest.mark.parametrize(
    ("act", "fields", "looks"),
    [
        ("release", {}, lambda t: (t.state, t.agent) == (TicketState.QUEUED, None)),
        ("assign", {"agent": "slack:U1"}, lambda t: t.agent == ALEX),
        ("transfer", {"team": "returns", "remark": "a return"}, lambda t: t.team == "returns"),
        ("snooze", {"hours": "4"}, lambda t: t.snoozed_until is not None),
        ("priority", {"priority": "urgent"}, lambda t: t.priority is Priority.URGENT),
        ("tags", {"tags": "Mug, damaged"}, lambda t: t.tags == ("mug", "damaged")),
        ("promise", {"promised": "a call", "hours": "24"}, lambda t: t.next_due_at is not None),
        ("resolve", {"closing": "spam"}, lambda t: t.closing == "spam"),
        ("hand-back", {"text": "done", "people_decide": "yes"}, lambda t: not t.bot_may_act),
    ],
)
async def test_each_act_has_a_form_and_can_be_undone(
    visit: Visit, act: str, fields: dict[str, str], looks: Callable[[Ticket], bool]
) -> None:
    """A claimed ticket is arranged and passed on by forms, and the page then offers to take that back."""
    object.__setattr__(visit.acts._parts, "rules", Rules(teams=TEAMS))
    other = visit.acts.open(name="Ravi")
    await visit.acts.do(other, ALEX, Claim(), "other")
    await visit.acts.do(TICKET, SAM, Claim(), "mine")
    visit.acts.clock.moment = datetime.now(UTC)
    await visit.sign_in()
    assert not looks(visit.acts.views[TICKET].ticket)
    status, page = await visit.act(act, **fields)
    assert status == 200
    assert looks(visit.acts.views[TICKET].ticket)
    status, page = await visit.act("undo", undoes=fields_of(page)["undoes"])
    assert status == 200
    assert not looks(visit.acts.views[TICKET].ticket)


async def test_somebody_elses_ticket_is_taken_over(visit: Visit) -> None:
    """The page of another's ticket offers to take it over, and that of a closed one to open it again."""
    await visit.acts.do(TICKET, ALEX, Claim(), "theirs")
    await visit.sign_in()
    assert "Take over" in (await visit.get(f"/desk/tickets/{TICKET}"))[1]
    await visit.act("take-over")
    assert visit.acts.views[TICKET].ticket.agent == SAM
    _, page = await visit.act("resolve", "done")
    assert "Reopen" in page
    await visit.act("reopen")
    assert visit.acts.views[TICKET].ticket.state is TicketState.CLAIMED


async def test_what_the_pipeline_kept_back_asks_nobody_to_write_again(visit: Visit) -> None:
    """A remark of the pipeline that was too late says why it was not sent; only a lost reply calls for another one."""
    line = TranscriptLine(
        id=MessageId("held"),
        author=Author.SYSTEM,
        author_name=None,
        text="Kim has joined the chat.",
        attachments=(),
        choices=(),
        at=START,
        delivery=DeliveryState.WITHHELD,
        delivery_detail="the conversation changed hands first",
    )
    visit.acts.adds(TICKET, line)
    await visit.sign_in()
    _, page = await visit.get(f"/desk/tickets/{TICKET}")
    assert "not sent: the conversation changed hands first" in page
    assert words.WHAT_TO_DO not in page


async def test_ones_own_ticket_of_slack_is_taken_over(visit: Visit) -> None:
    """Who comes from Slack under the same name is somebody else to the desk, and goes on after taking it over."""
    await visit.acts.do(TICKET, Agent(id=AgentId("slack:U7"), name="Sam"), Claim(), "theirs")
    await visit.sign_in("Sam")
    assert "Take over" in (await visit.get(f"/desk/tickets/{TICKET}"))[1]
    await visit.act("take-over")
    _, page = await visit.act("reply", "Here again.")
    assert [text for _, text, _ in visit.acts.sent] == ["Here again."]
    assert "Take over" not in page


async def test_a_reply_that_did_not_arrive_is_answered_on_another_channel(visit: Visit) -> None:
    """The customer's other channels are offered with the text; sent there, it stands in that conversation's ticket."""
    here, there = visit.acts.open(record=dana()), visit.acts.open(record=dana())
    await visit.acts.do(here, SAM, Claim(), "mine")
    sent = await visit.acts.do(here, SAM, Reply(text="Hello?"), "r")
    assert sent.message_id is not None
    visit.acts.deliver(here, sent.message_id, DeliveryState.FAILED, "blocked")
    await visit.sign_in()
    _, page = await visit.get(f"/desk/tickets/{here}")
    assert "answer on Telegram" in page
    way = {**fields_of(page), "conversation": visit.acts.views[there].conversation.id}
    status, page = await visit.post(f"/desk/tickets/{here}/elsewhere", {**way, "text": ""})
    assert (status, "Write something." in page) == (409, True)
    status, page = await visit.post(f"/desk/tickets/{here}/elsewhere", {**way, "text": "Hello here"})
    assert (status, "Sam answered on another channel" in page) == (200, True)
    assert visit.acts.sent[-1] == (there, "Hello here", ())


async def test_a_reply_waits_for_what_was_written_meanwhile(visit: Visit) -> None:
    """A line that the agent had not seen is shown first; nothing is sent, and their text is still there."""
    await visit.sign_in()
    form = {**await visit.form(), "text": "Which one?"}
    form["seen"] = visit.acts.views[TICKET].transcript[-1].id
    visit.acts.customer_writes(TICKET, "forget it")
    status, page = await visit.post(f"/desk/tickets/{TICKET}/reply", form)
    assert status == 409
    assert "Which one?" in page
    assert "forget it" in page
    assert visit.acts.sent == []


async def test_one_message_is_answered(visit: Visit) -> None:
    """The form offers the customer's messages, and the timeline shows which of them was answered."""
    await visit.sign_in()
    asked = visit.acts.customer_writes(TICKET, "Is it blue?")
    form = await visit.form()
    assert f'<option value="{asked}">Is it blue?</option>' in (await visit.get(f"/desk/tickets/{TICKET}"))[1]
    status, page = await visit.post(f"/desk/tickets/{TICKET}/reply", {**form, "text": "It is.", "quotes": asked})
    assert (status, "↪ Is it blue?" in page) == (200, True)


async def test_messages_are_changed_and_sent_again(visit: Visit) -> None:
    """A sent message has a box to change it, and one that failed a button to send it again."""
    await visit.sign_in()
    await visit.act("reply", "Helo")
    (line,) = [line for line in visit.acts.views[TICKET].transcript if line.author is Author.AGENT]
    visit.acts.deliver(TICKET, line.id, DeliveryState.SENT)
    assert "New text" in (await visit.get(f"/desk/tickets/{TICKET}"))[1]
    assert (await visit.act("amend", "Hello", message=line.id))[0] == 200
    visit.acts.deliver(TICKET, line.id, DeliveryState.FAILED, "blocked")
    assert "Send again" in (await visit.get(f"/desk/tickets/{TICKET}"))[1]
    assert (await visit.act("resend", message=line.id))[0] == 200
    assert [kind for kind, *_ in visit.acts.log] == ["reply", "amend", "resend"]


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("priority", {"priority": "asap"}),
        ("snooze", {"hours": "5"}),
        ("snooze", {}),
        ("assign", {"agent": "slack:UNOBODY"}),
        ("transfer", {"team": "nobody"}),
        ("amend", {"message": "none"}),
        ("undo", {"undoes": "x:y"}),
        ("wrong", {"suggestion": "none"}),
    ],
)
async def test_what_no_form_of_ours_says_is_refused(visit: Visit, act: str, fields: dict[str, str]) -> None:
    """Values that were never offered change nothing, and the page says why."""
    await visit.sign_in()
    status, page = await visit.act(act, **fields)
    assert status == 409
    assert 'role="alert"' in page
    assert visit.acts.log == []


async def test_the_page_shows_all_an_agent_needs(visit: Visit) -> None:
    """Transcript, notes, record, orders, what the bot tried, and whether messages arrived."""
    await visit.sign_in()
    await visit.acts.do(TICKET, ALEX, Note(text="call the warehouse"), "n")
    message = (await visit.acts.do(TICKET, ALEX, Reply(text="One moment"), "r")).message_id
    assert message is not None
    visit.acts.deliver(TICKET, message, DeliveryState.FAILED, "The customer has blocked us.")
    _, page = await visit.get(f"/desk/tickets/{TICKET}")
    for said in (
        "My mug arrived broken",
        "call the warehouse",
        "internal note",
        "dana.fox@example.com",
        "CL-104233",
        "£17.95",
        "Filter of the month",
        "offered a return label",
        "claimed by Alex",
        "not delivered: The customer has blocked us.",
        "Reply again",
    ):
        assert said in page


async def test_a_double_click_is_one_act(visit: Visit) -> None:
    """The same form sent twice has one effect."""
    await visit.sign_in()
    form = {**await visit.form(), "text": "Hello"}
    for _ in range(2):
        assert (await visit.post(f"/desk/tickets/{TICKET}/reply", form))[0] == 200
    assert len(visit.acts.sent) == 1
    await visit.act("reply", "Hello")
    assert len(visit.acts.sent) == 2


async def test_a_refused_act_keeps_what_was_typed(visit: Visit) -> None:
    """When somebody else was faster, the page says so and the text is still there."""
    await visit.sign_in()
    form = {**await visit.form(), "text": "my long answer"}
    await visit.acts.do(TICKET, ALEX, Resolve(outcome="done"), "other")
    status, page = await visit.post(f"/desk/tickets/{TICKET}/reply", form)
    assert status == 409
    assert "Ticket 1 is closed." in page
    assert "my long answer" in page
    assert visit.acts.sent == []


@pytest.mark.parametrize(("act", "text"), [("reply", " "), ("note", ""), ("hand-back", "\n"), ("reply", "x" * 8_001)])
async def test_empty_and_endless_texts_are_refused(visit: Visit, act: str, text: str) -> None:
    """Nothing is done, and the page says what is missing."""
    await visit.sign_in()
    status, page = await visit.act(act, text)
    assert status == 409
    assert 'role="alert"' in page
    assert visit.acts.log == []


async def test_a_ticket_can_be_resolved_without_a_word(visit: Visit) -> None:
    """What was done is asked for, and may be left out."""
    await visit.sign_in()
    await visit.act("resolve")
    assert visit.acts.views[TICKET].ticket.state is TicketState.RESOLVED


async def test_a_link_lets_one_browser_in_once(visit: Visit) -> None:
    """A used, changed, foreign or missing link shows how to get a new one."""
    link = path_of(desk_link(SECRET, visit.url))
    assert (await visit.get(link))[0] == 200
    for path in (link, path_of(desk_link(SECRET + "x", visit.url)), link + "x", "/desk/enter"):
        status, page = await visit.get(path)
        assert status == 401
        assert "desk-link" in page


def test_links_end_with_time_and_with_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link is good for fifteen minutes, and none from before a start can be used again after it."""
    now = int(time.time())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now)
    sessions = Sessions(SECRET)
    old = desk_link(SECRET, "http://x").partition("ticket=")[2]
    fresh = desk_link(SECRET, "http://x").partition("ticket=")[2]
    assert sessions.enter(fresh) is not None
    now += 16 * 60
    assert sessions.enter(old) is None
    sessions._started_at = now + 1
    assert sessions.enter(desk_link(SECRET, "http://x").partition("ticket=")[2]) is None


async def test_nothing_is_seen_or_done_without_a_session(visit: Visit) -> None:
    """Every page, file and act asks for the cookie; a session without a name may only give one."""
    photo = await visit.media.put(b"x", _file("a.png", "image/png"))
    pages = ["/desk", f"/desk/tickets/{TICKET}", "/desk/changes", f"/desk/media/{photo.media_id}"]
    for path in pages:
        assert (await visit.get(path))[0] == 401
    assert (await visit.post(f"/desk/tickets/{TICKET}/claim", {}))[0] == 401
    await visit.get(path_of(desk_link(SECRET, visit.url)))
    for path in pages:
        assert (await visit.get(path))[0] == 401
    await visit.sign_in()
    _, page = await visit.get("/desk")
    assert (await visit.post("/desk/leave", {"token": fields_of(page)["token"]}))[0] == 200
    assert (await visit.get("/desk"))[0] == 401


async def test_the_cookie_is_for_the_desk_alone(visit: Visit) -> None:
    """Scripts cannot read it, other sites cannot send it, other paths do not get it."""
    async with visit.session.get(visit.url + path_of(desk_link(SECRET, visit.url))) as answer:
        cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/desk"):
        assert part in cookie


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"token": "0" * 64}, {}, 403),
        ({"token": ""}, {}, 403),
        ({"token": "é"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"key": ""}, {}, 400),
        ({"key": "../../../../../etc/passwd"}, {}, 400),
    ],
)
async def test_forms_of_other_sites_are_refused(
    visit: Visit, changed: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Without the session's own token and a key of ours nothing is done."""
    await visit.sign_in()
    form = {**await visit.form(), "text": "x", **changed}
    assert (await visit.post(f"/desk/tickets/{TICKET}/reply", form, headers))[0] == status
    assert visit.acts.log == []


async def test_unknown_tickets_and_acts_are_told_apart_from_errors(visit: Visit) -> None:
    """A ticket that is not there is a 404 with the queue; an act that is not one is a 400."""
    await visit.sign_in()
    status, page = await visit.get("/desk/tickets/nothing")
    assert status == 404
    assert "There is no such ticket." in page
    assert (await visit.act("explode"))[0] == 400
    form = await visit.form()
    assert (await visit.post("/desk/tickets/nothing/claim", form))[0] == 404


async def test_what_customers_write_is_text_everywhere(visit: Visit) -> None:
    """Names, messages, topics, file names and notes never become markup, and no inline script would run anyway."""
    evil = _file(EVIL, "text/html")
    visit.acts.open(replace(visit.acts.views[TICKET].ticket.request, topic=EVIL, summary=EVIL, tried=(EVIL,)), EVIL)
    second = TicketId(f"{2:032x}")
    kept = await visit.media.put(b"<script>alert(1)</script>", evil)
    visit.acts.customer_writes(second, EVIL, (kept,))
    await visit.acts.do(second, Agent(id=AgentId("x"), name=EVIL), Note(text=EVIL), "n")
    await visit.sign_in(EVIL)
    for path in ("/desk", f"/desk/tickets/{second}"):
        async with visit.session.get(visit.url + path) as answer:
            page = await answer.text()
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    async with visit.session.get(f"{visit.url}/desk/media/{kept.media_id}") as answer:
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("media_type", "way"),
    [("image/png", "inline"), ("image/svg+xml", "attachment"), ("text/html", "attachment"), ("", "attachment")],
)
async def test_only_rasters_are_shown_in_place(visit: Visit, media_type: str, way: str) -> None:
    """Everything that could carry a script is downloaded."""
    await visit.sign_in()
    kept = await visit.media.put(b"x", _file("näme\r\n.x", media_type))
    async with visit.session.get(f"{visit.url}/desk/media/{kept.media_id}") as answer:
        assert answer.headers["content-disposition"] == f"{way}; filename*=UTF-8''n%C3%A4me%0D%0A.x"
    assert (await visit.get(f"/desk/media/{MediaId('none')}"))[0] == 404


async def test_files_go_out_with_a_reply(visit: Visit) -> None:
    """Files are kept and sent; too many or too large ones stop the message, and the text stays."""
    await visit.sign_in()
    for count, body, status in ((1, b"pdf", 200), (6, b"pdf", 409), (1, b"x" * 1_000_001, 409)):
        form = aiohttp.FormData({**await visit.form(), "text": "label"}, quote_fields=False)
        for number in range(count):
            form.add_field("files", body, filename=f"label {number}.pdf", content_type="application/pdf")
        async with visit.session.post(f"{visit.url}/desk/tickets/{TICKET}/reply", data=form) as answer:
            assert answer.status == status
            assert "label" in await answer.text()
    ((_, text, (attachment,)),) = visit.acts.sent
    assert (text, attachment.name, attachment.kind) == ("label", "label 0.pdf", AttachmentKind.FILE)


async def test_pages_hear_of_changes(visit: Visit) -> None:
    """The stream tells the counter at once and after each wake-up, and ends when the server stops."""
    await visit.sign_in()
    async with visit.session.get(f"{visit.url}/desk/changes") as stream:
        assert stream.content_type == "text/event-stream"
        first = visit.hub.count
        assert await stream.content.readuntil(b"\n\n") == f"data: {first}\n\n".encode()
        visit.hub.wake()
        assert await stream.content.readuntil(b"\n\n") == f"data: {first + 1}\n\n".encode()
        visit.hub.close()
        assert await stream.content.read() == b""


async def test_a_quiet_stream_beats() -> None:
    """Without changes the stream still says something, so that proxies keep it open."""
    hub = DeskHub()
    changes = hub.changes(0.01)
    first = hub.count
    assert [await anext(changes), await anext(changes)] == [first, None]
    hub.wake()
    hub.wake()
    assert await anext(changes) == first + 2


async def test_static_files_are_kept_by_browsers_and_nothing_else_is_served(visit: Visit) -> None:
    """The style sheet is there without a session; other names are not found."""
    async with visit.session.get(f"{visit.url}/desk/static/desk.css?v=1") as answer:
        assert answer.content_type == "text/css"
        assert "immutable" in answer.headers["cache-control"]
    for name in ("..%2Flocal.py", "none.css"):
        assert (await visit.get(f"/desk/static/{name}"))[0] == 404


@pytest.mark.parametrize(
    ("minutes", "shown"), [(-5, "now"), (0, "now"), (59, "59 min"), (60, "1 h"), (47 * 60, "47 h"), (72 * 60, "3 days")]
)
def test_waiting_is_told_in_one_unit(minutes: int, shown: str) -> None:
    """How long somebody waits is read at a glance."""
    assert Pages("Copperleaf", lambda: START + timedelta(minutes=minutes))._ago(START) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(None, ""), (0, "1 kB"), (2048, "2 kB"), (1024 * 1024 * 5 // 2, "2.5 MB")]
)
def test_sizes_are_told_roughly(count: int | None, shown: str) -> None:
    """Nobody needs the bytes."""
    assert size(count) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(minor=123456), "£1,234.56"),
        (Money(minor=-5), "-£0.05"),
        (Money(minor=990, currency="EUR"), "€9.90"),
        (Money(minor=990, currency="SEK"), "9.90 SEK"),
    ],
)
def test_money_is_told_in_its_currency(amount: Money, shown: str) -> None:
    """Amounts are kept in minor units and read in major ones."""
    assert words.money(amount) == shown


def test_a_cookie_cannot_be_made_up() -> None:
    """Only what this secret signed is a session."""
    sessions = Sessions(SECRET)
    session = Session(id="a", name="Sam")
    assert sessions.recognise(sessions.cookie(session)) == session
    assert Sessions(SECRET + "x").recognise(sessions.cookie(session)) is None
    assert sessions.recognise(None) is None
    with pytest.raises(ValueError, match="16 characters"):
        Sessions("short")


@given(st.text())
def test_names_are_fit_to_show(name: str) -> None:
    """A name is one printable line of at most forty characters."""
    shown = clean_name(name)
    assert shown.isprintable()
    assert len(shown) <= 40
    assert shown == shown.strip()


async def test_the_bots_own_lines_and_edits_are_told_apart(visit: Visit) -> None:
    """An edited message shows what it said before, and each author has a name."""
    await visit.sign_in()
    mug, answer = visit.acts.views[TICKET].transcript
    visit.acts.adds(TICKET, replace(mug, id=MessageId("1"), edited_from="My mug arrived"))
    visit.acts.adds(TICKET, replace(answer, id=MessageId("2"), author=Author.SYSTEM, choices=("Yes", "No")))
    _, page = await visit.get(f"/desk/tickets/{TICKET}")
    for said in ("edited", "My mug arrived</div>", "Automatic message", "<li>Yes</li>"):
        assert said in page


def _file(name: str, media_type: str) -> Attachment:
    kind = AttachmentKind.IMAGE if media_type.startswith("image/") else AttachmentKind.FILE
    return Attachment(kind=kind, name=name, media_type=media_type)


async def test_a_desk_that_is_gone_is_told_of(floor: Floor) -> None:
    """Who works here sees why Slack cannot be used, as plain text."""

    async def find_troubles() -> dict[str, str]:
        return {"slack/C1": "the channel is <archived>"}

    floor.open()
    parts = LocalDeskParts(acts=floor, media=MemoryMedia(), hub=DeskHub(), secret=SECRET, find_troubles=find_troubles)
    jar = aiohttp.CookieJar(unsafe=True)
    async with serve(local_desk_blueprint(parts)) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        visit = Visit(url, session, floor, MemoryMedia(), DeskHub())
        await visit.sign_in()
        for path in ("/desk/", f"/desk/tickets/{TICKET}"):
            _, page = await visit.get(path)
            assert "Slack cannot be used now." in page
            assert "the channel is &lt;archived&gt;" in page


async def test_who_has_signed_out_is_out_wherever_the_cookie_is(visit: Visit) -> None:
    """A cookie that somebody has kept is worth nothing once its session was ended, and the browser's own is taken."""
    await visit.sign_in()
    token = fields_of((await visit.get("/desk"))[1])["token"]
    kept = {cookie.key: cookie.value for cookie in visit.session.cookie_jar}
    async with visit.session.post(f"{visit.url}/desk/leave", data={"token": token}) as answer:
        assert "Secure" not in answer.headers["set-cookie"]
    async with aiohttp.ClientSession(cookies=kept) as thief, thief.get(f"{visit.url}/desk") as answer:
        assert answer.status == 401
    await visit.sign_in("Kim")
    assert (await visit.get("/desk"))[0] == 200


async def test_a_record_is_not_opened_by_naming_it(visit: Visit) -> None:
    """Only who the conversation itself points to is linked, for the reasons that the records give."""
    await visit.sign_in()
    eve = replace(dana().customer, id=CustomerId("c2"), name="Eve Hart")
    visit.acts.records.known[eve.id] = replace(dana(), customer=eve)
    request = replace(visit.acts.views[TICKET].ticket.request, order_number=None)
    path = f"/desk/tickets/{visit.acts.open(request, 'Eve Hart')}/link"
    form = {**await visit.form(), "evidence": "I would like to know"}
    status, page = await visit.post(path, {**form, "customer": dana().customer.id})
    assert status == 409
    assert "Nothing in this conversation points to that record any more." in page
    status, page = await visit.post(path, {**form, "customer": eve.id})
    assert status == 200
    assert "linked by Sam because the channel calls the customer Eve Hart" in page
