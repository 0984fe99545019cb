from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest

from bot.desk import words
from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.customers import CustomerId
from bot.domain.messages import AttachmentKind, Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.rules import Rules
from bot.domain.tickets import Agent, AgentId, Priority, Ticket, TicketState
from tests.desk.floor import START
from tests.desk.local.visit import ALEX, TEAMS, TICKET, Visit, fields_of
from tests.desk.records import dana


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
