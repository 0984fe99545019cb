from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.acts import Claim, Reply
from bot.domain.channels import AccountId
from bot.domain.connectors import Capabilities, ConnectorRegistry, Permanent, Refusal, Retry
from bot.domain.desk import DeskPostKind
from bot.domain.messages import Author, DeliveryState, OutboundMessage
from bot.domain.windows import admit
from bot.store import suggestions
from tests.fakes.connector import FakeConnector, refused
from tests.pipeline.rig import Rig, handoff

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def strict(rig: Rig) -> Rig:
    """A channel that lets the bot answer for a day, and people for a week."""
    rig.connector.reply_window, rig.connector.people_window = DAY, 7 * DAY
    return rig


async def waits_for(rig: Rig, **time: float) -> None:
    """Let the bot's answer wait that long for a channel that is busy."""
    rig.connector.script.append(refused(Retry(reason="busy", after=timedelta(**time))))
    await rig.writes("where is my order")
    rig.clock.pass_(**time)
    rig.clock.pass_(seconds=1)
    await rig.settle()


async def test_within_the_window(strict: Rig) -> None:
    """As long as the window is open the bot's answer goes out, unmarked."""
    await waits_for(strict, hours=23)

    assert [(shown.text, shown.is_late) for shown in strict.connector.shown] == [("re: where is my order", False)]


async def test_a_late_answer_of_the_bot_becomes_a_draft(strict: Rig) -> None:
    """What the bot may not say any more is not sent; agents get a ticket that says why, with the text as a draft."""
    await waits_for(strict, hours=25)

    assert strict.seen() == []
    ticket = await strict.open_ticket()
    assert ticket is not None
    assert "only from people" in ticket.request.summary
    (draft,) = await strict.database.read(suggestions.of, ticket.id)
    assert draft.text == "re: where is my order"
    assert strict.poster.of(DeskPostKind.SUGGESTION)
    (_, line, *_) = await strict.transcript()
    assert (line.delivery, line.author) == (DeliveryState.FAILED, Author.BOT)


async def test_people_write_later(strict: Rig) -> None:
    """An agent's reply goes out after the window, marked as one that only people may write."""
    strict.engine.by_text["help"] = handoff()
    await strict.writes("help")
    await strict.act(Claim())
    await strict.settle()
    strict.clock.pass_(days=3)
    await strict.act(Reply(text="Sorry for the wait!"))
    await strict.settle()

    assert [shown.text for shown in strict.connector.shown if shown.is_late] == ["Sorry for the wait!"]


async def test_nobody_writes_after_all_windows(strict: Rig) -> None:
    """When even people may not write, the agent's reply fails, and says until when it had to wait for the customer."""
    strict.engine.by_text["help"] = handoff()
    await strict.writes("help")
    await strict.act(Claim())
    await strict.settle()
    seen = strict.seen()
    strict.clock.pass_(days=8)
    await strict.act(Reply(text="Sorry for the wait!"))
    await strict.settle()

    assert strict.seen() == seen
    line = (await strict.transcript())[-1]
    assert line.delivery is DeliveryState.FAILED
    assert "until they write again" in line.delivery_detail


def _admitted(author: Author, can: Capabilities, silence: timedelta) -> bool | str:
    admitted = admit(OutboundMessage(author=author, text="x"), can, silence)
    return admitted.reason if isinstance(admitted, Refusal) else admitted.is_late


def test_who_may_write_when() -> None:
    """Up to the window everybody, up to the people's window agents alone, then nobody; without a window always."""
    week = Capabilities(text_max=100, reply_window=DAY, people_window=7 * DAY)
    always = Capabilities(text_max=100, reply_window=DAY, people_window=timedelta.max)
    for author in Author.BOT, Author.SYSTEM, Author.AGENT:
        assert _admitted(author, Capabilities(text_max=100), 99 * DAY) is False
        assert _admitted(author, week, DAY) is False
    assert _admitted(Author.AGENT, week, 7 * DAY) is True
    assert _admitted(Author.AGENT, always, 900 * DAY) is True
    for author, silence in ((Author.BOT, 25 * HOUR), (Author.SYSTEM, 25 * HOUR), (Author.AGENT, 8 * DAY)):
        assert isinstance(_admitted(author, week, silence), str)


def test_the_desk_counts_the_time_that_people_have() -> None:
    """The clock on a ticket is that of people; a channel that always takes something from them has none."""
    made = [
        FakeConnector(account=AccountId("both"), reply_window=DAY, people_window=7 * DAY),
        FakeConnector(account=AccountId("bot"), reply_window=DAY),
        FakeConnector(account=AccountId("always"), reply_window=DAY, people_window=timedelta.max),
        FakeConnector(account=AccountId("open")),
    ]

    assert ConnectorRegistry(connectors=tuple(made)).reply_windows() == {"fake/both": 7 * DAY, "fake/bot": DAY}


async def test_a_broken_account_is_one_alarm(rig: Rig) -> None:
    """However many messages a broken account refuses, it is named once; the first that goes through ends the alarm."""
    broken = Permanent(reason="the token was revoked", code="190", is_account=True)
    rig.connector.script.extend([refused(broken)] * 4)
    for customer in "abcd":
        await rig.writes("hello", customer)
    accounts = rig.deliver_parts.accounts
    assert accounts.alarming() == {"fake/brand": "the token was revoked"}

    await rig.writes("hello", "eve")
    assert accounts.alarming() == {}
