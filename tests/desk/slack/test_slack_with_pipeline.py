"""The Slack desk over the real pipeline and a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.envelope import Json
from bot.domain.acts import Claim
from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Owner
from bot.domain.messages import DeliveryState, Receipt, ReceiptKind
from bot.domain.tickets import Agent, AgentId
from bot.store import inbox
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from tests.desk.serving import serve
from tests.fakes.connector import refused
from tests.fakes.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible
from tests.pipeline.conftest import also, rig, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import BLOCKED, Rig, handoff

ALICE = "U0ALICE"


@dataclass
class Shift:
    """A customer in the queue, and agents in Slack."""

    rig: Rig
    slack: FakeSlack

    async def card(self) -> str:
        """Return the `ts` of the ticket's card."""
        reference = (await self.rig.view()).ticket.desk_reference
        assert reference is not None
        return reference.rpartition(":")[2]


@pytest.fixture
async def shift(rig: Rig, slack: FakeSlack) -> AsyncIterator[Shift]:  # noqa: F811 - the fixture
    """Return the pipeline with Slack as its desk and Ann in the queue."""

    async def persist(external_id: str, address: ChannelAddress, raw: Json) -> bool:
        arrival = Arrival(
            account=f"{address.channel}/{address.account}",
            external_id=external_id,
            address=str(address),
            kind=InboxKind.DESK,
            body=raw,
            message_id=new_message_id(),
        )
        return await rig.database.write(inbox.add, arrival, rig.clock.now())

    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, signing_secret=SECRET, base_url=slack.base_url)
    app = SlackDesk(account, rig.desk, rig.media, persist)
    object.__setattr__(rig.deliver_parts, "poster", app.poster)
    object.__setattr__(rig.worker._parts, "desk_events", app.handle)
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    async with serve(app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        await rig.writes("hello")
        await rig.writes("person please")
        yield Shift(rig, slack)


async def test_a_customer_is_answered_from_slack_and_handed_back(shift: Shift) -> None:
    """From the wish for a person to the bot's next answer: card, claim, messages both ways, ✅, hand back."""
    card = await shift.card()
    assert "person please" in visible(shift.slack.message(card))
    assert "re: hello" in visible(shift.slack.thread(card)[0])

    await shift.slack.click(ALICE, card, "tandem_claim")
    await shift.rig.settle()
    assert (await shift.rig.conversation()).owner is Owner.AGENT
    assert "Alice has it" in visible(shift.slack.message(card))

    await shift.rig.writes("are you there? <!channel>")
    assert "are you there? <!channel>" in visible(shift.slack.thread(card)[-1])
    written = await shift.slack.write(ALICE, card, "&gt; Yes, I am")
    await shift.slack.write(ALICE, card, "a note")
    await shift.slack.click(ALICE, card, "tandem_reply")
    await shift.slack.submit(ALICE, shift.slack.views[-1], "One moment")
    await shift.slack.submit(ALICE, shift.slack.views[-1])
    await shift.rig.settle()
    assert shift.rig.seen()[-2:] == ["Yes, I am", "One moment"]
    assert shift.slack.reactions(written) == {"white_check_mark"}
    posts = shift.slack.thread(card)
    assert sum("Yes, I am" in visible(post) for post in posts) == 0
    line = next(post for post in posts if "One moment" in visible(post))
    assert visible(line).endswith("✅ Sent")

    await shift.slack.click(ALICE, card, "tandem_hand_back")
    await shift.slack.submit(ALICE, shift.slack.views[-1], "Refunded")
    await shift.rig.settle()
    assert (await shift.rig.conversation()).owner is Owner.BOT
    assert "Handed back to the bot by Alice" in visible(shift.slack.message(card))
    assert shift.rig.seen()[-1] == "re: /handed_back"


async def test_a_reply_that_cannot_be_delivered_is_seen_in_slack(shift: Shift) -> None:
    """❌ stands at the agent's message, and the thread says once why and what to do."""
    card = await shift.card()
    await shift.slack.click(ALICE, card, "tandem_claim")
    await shift.rig.settle()
    shift.rig.connector.script.append(refused(BLOCKED))
    written = await shift.slack.write(ALICE, card, "&gt; Hello")
    await shift.rig.settle()
    assert shift.slack.reactions(written) == {"x"}
    (told,) = [visible(post) for post in shift.slack.thread(card) if "the customer blocked us" in visible(post)]
    assert "reply again" in told


async def test_a_failure_that_the_channel_reports_later_is_told_too(shift: Shift) -> None:
    """A message that was sent and then refused loses its ✅ to a ❌ with the channel's reason."""
    card = await shift.card()
    written = await shift.slack.write(ALICE, card, "&gt; Hello")
    await shift.rig.settle()
    assert shift.slack.reactions(written) == {"white_check_mark"}
    connector = shift.rig.connector
    report = Receipt(
        address=connector.address("ann"),
        external_id="report-1",
        of_external_id=f"ann-{len(connector.calls)}",
        kind=ReceiptKind.FAILED,
        detail="the phone is gone",
    )
    await shift.rig.bring(report)
    await shift.rig.settle()
    assert shift.slack.reactions(written) == {"x"}
    said = visible(shift.slack.thread(card)[-1])
    assert "the phone is gone" in said
    assert "Reply again" in said


async def test_everything_slack_loses_comes_once(shift: Shift) -> None:
    """With each of Slack's answers lost in turn, the thread still shows every line once and in order."""
    card = await shift.card()
    await shift.slack.click(ALICE, card, "tandem_claim")
    await shift.rig.settle()
    shift.slack.fail("chat.postMessage", "accept_then_cut")
    shift.slack.fail("chat.postMessage", "429", after=1)
    shift.slack.fail("chat.postMessage", "cut")
    for text in ("one", "two", "three"):
        await shift.rig.writes(text)
    await shift.rig.wait_out(minutes=5)
    shown = [visible(post) for post in shift.slack.thread(card)]
    assert [said for post in shown for said in ("one", "two", "three") if post.endswith(said)] == [
        "one",
        "two",
        "three",
    ]


async def test_a_deleted_card_comes_back_and_its_thread_counts(shift: Shift) -> None:
    """After the next change the ticket has one new card, and replies in the new thread go out."""
    first = await shift.card()
    shift.slack.messages.remove(shift.slack.message(first))
    await shift.rig.desk.do(
        (await shift.rig.view()).ticket.id, Agent(id=AgentId(f"slack:{ALICE}"), name="Alice"), Claim(), "k"
    )
    await shift.rig.settle()
    second = await shift.card()
    assert second != first
    await shift.slack.write(ALICE, second, "&gt; still here")
    await shift.rig.settle()
    assert shift.rig.seen()[-1] == "still here"
    assert [line.delivery for line in await shift.rig.transcript()][-1] is DeliveryState.SENT
    roots = [m["ts"] for m in shift.slack.messages if not m.get("thread_ts")]
    assert roots == [second]
