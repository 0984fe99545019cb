"""Public tickets in Slack, over the real pipeline and a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.card import card as card_of
from bot.desk.slack.envelope import Json
from bot.desk.slack.parts import Resources
from bot.domain.channels import ChannelAddress
from bot.domain.connectors import ConnectorRegistry
from bot.domain.macros import Macro
from bot.domain.rules import Rules
from bot.domain.tickets import Agent
from bot.store import inbox
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from tests.desk.serving import serve
from tests.desk.slack.renderings import all_modals, as_slack_gets_it
from tests.desk.slack.views import NASTY, view_of
from tests.fakes.connector import FakeConnector
from tests.fakes.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import block_problem, visible
from tests.pipeline.rig import Rig
from tests.pipeline.square import CLOSING, LINK, meaning, rules, says, square, ticket_at

ALICE = "U0ALICE"
ANN = "post:ann"


class TwoMacros:
    """A canned reply for everybody to read, and one that is not."""

    async def all(self) -> tuple[Macro, ...]:
        """Return both."""
        return (Macro(title="Sorry", text="Sorry, we look.", is_public=True), Macro(title="Refund", text="Refunded."))

    async def add(self, macro: Macro, agent: Agent) -> None:
        """Keep nothing."""


@pytest.fixture
def public() -> FakeConnector:
    """Return the public channel."""
    return square()


@pytest.fixture
def also(public: FakeConnector) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture(name="rules")
def _rules(public: FakeConnector) -> Rules:
    """Return the rules of a brand whose private channel has links."""
    return rules(public, FakeConnector(invites_at=LINK))


@dataclass
class Counter:
    """A public complaint in the queue, and agents in Slack."""

    rig: Rig
    slack: FakeSlack
    public: FakeConnector

    async def card(self) -> str:
        """Return the `ts` of the ticket's card."""
        ticket = await ticket_at(self.rig, self.public)
        assert ticket is not None
        assert ticket.desk_reference is not None
        return ticket.desk_reference.rpartition(":")[2]

    @property
    def asked(self) -> list[Json]:
        """Return the questions that somebody alone was asked."""
        return [shown for shown in self.slack.ephemerals if "Post in public" in str(shown)]

    async def confirm(self) -> None:
        """Press the button of the last question."""
        await self.slack.click(ALICE, str(self.asked[-1]["ts"]), DeskAction.SEND_PUBLIC)
        await self.rig.settle()


@pytest.fixture
async def counter(rig: Rig, slack: FakeSlack, public: FakeConnector, rules: Rules) -> AsyncIterator[Counter]:
    """Return the pipeline with Slack as its desk and a public question in the queue."""

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
    registry = ConnectorRegistry(connectors=(rig.connector, public))
    app = SlackDesk(
        account, rig.desk, rig.media, persist, Resources(rules=rules, connectors=registry, macros=TwoMacros())
    )
    object.__setattr__(rig.deliver_parts, "poster", app.poster)
    object.__setattr__(rig.worker._parts, "desk_events", app.handle)
    rig.engine.by_text["where is my order?"] = meaning("order_status", "Which order?")
    async with serve(app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        await says(rig, public, "where is my order?")
        yield Counter(rig, slack, public)


async def test_the_card_says_that_it_is_public(counter: Counter) -> None:
    """The card says PUBLIC first, replies are called public, and people can be invited; the bot gets nothing back."""
    shown = visible(counter.slack.message(await counter.card()))
    assert shown.startswith("PUBLIC · ")
    assert "Everybody reads this thread" in shown
    for label in ("Reply in public", "Invite to private"):
        assert label in shown
    assert "Hand back" not in shown


async def test_a_reply_in_the_thread_is_asked_about_first(counter: Counter) -> None:
    """A line that starts with > is posted only once its writer has said that everybody may read it."""
    ts = await counter.slack.write(ALICE, await counter.card(), "&gt; We are looking into CL-104233.")
    await counter.rig.settle()
    assert len(counter.public.shown) == 1
    (question,) = counter.asked
    assert "PUBLIC" in visible(question)
    assert "CL-104233" in visible(question)

    await counter.confirm()
    await counter.confirm()
    assert counter.public.seen_by(ANN)[1:] == ["We are looking into CL-104233."]
    assert "IN PUBLIC" not in visible(counter.slack.message(ts))


async def test_what_was_changed_since_is_asked_about_again(counter: Counter) -> None:
    """An answer counts for the text that was asked about, and for no other."""
    ts = await counter.slack.write(ALICE, await counter.card(), "&gt; We are looking.")
    await counter.rig.settle()
    await counter.slack.edit(ts, "&gt; We are looking, CL-104233.")
    await counter.rig.settle()
    await counter.confirm()
    assert len(counter.public.shown) == 1
    await counter.confirm()
    assert counter.public.seen_by(ANN)[1:] == ["We are looking, CL-104233."]


async def test_a_modal_shows_what_it_tells_everybody(counter: Counter) -> None:
    """The preview says PUBLIC and what of somebody's alone the text holds; sending it then is the answer."""
    await counter.slack.click(ALICE, await counter.card(), DeskAction.REPLY)
    await counter.slack.submit(ALICE, counter.slack.views[-1], "Write to ann@example.com, please.")
    shown = visible(counter.slack.views[-1])
    assert "Everybody will read this reply" in shown
    assert "It tells everybody: ann@example.com" in shown
    await counter.slack.submit(ALICE, counter.slack.views[-1])
    await counter.rig.settle()
    assert counter.public.seen_by(ANN)[1:] == ["Write to ann@example.com, please."]


async def test_people_are_invited_by_a_button(counter: Counter) -> None:
    """Invite to private posts the approved text with a new link."""
    await counter.slack.click(ALICE, await counter.card(), DeskAction.INVITE)
    await counter.rig.settle()
    first, second = counter.public.seen_by(ANN)
    assert second != first
    assert second.startswith("Please write to us in private: ")


async def test_resolving_asks_for_the_closing_line(counter: Counter) -> None:
    """The modal shows the approved line; it is posted only when it is ticked."""
    await counter.slack.click(ALICE, await counter.card(), DeskAction.RESOLVE)
    assert CLOSING in visible(counter.slack.views[-1])
    await counter.slack.submit(ALICE, counter.slack.views[-1], "done", tells=["yes"])
    await counter.rig.settle()
    assert counter.public.seen_by(ANN)[1:] == [CLOSING]


async def test_only_public_canned_replies_are_offered(counter: Counter) -> None:
    """In public an agent picks from what was marked for it."""
    await counter.slack.click(ALICE, await counter.card(), DeskAction.MACRO)
    assert "Sorry" in str(counter.slack.views[-1])
    assert "Refund" not in str(counter.slack.views[-1])


async def test_the_card_says_where_the_customer_went(counter: Counter) -> None:
    """When somebody follows the invitation the card says where, and that nothing is proved."""
    await counter.rig.writes("/start", referral=counter.public.shown[0].text.partition("?")[2])
    shown = visible(counter.slack.message(await counter.card()))
    assert "Went on in private" in shown
    assert "not proved" in shown
    assert any("followed the invitation" in visible(post) for post in counter.slack.thread(await counter.card()))

    await counter.slack.click(ALICE, await counter.card(), f"{DeskAction.ELSEWHERE}:0")
    await counter.slack.submit(ALICE, counter.slack.views[-1], "Hello Ann, CL-104233 is late.")
    await counter.slack.submit(ALICE, counter.slack.views[-1])
    await counter.rig.settle()
    assert counter.rig.seen()[-1] == "Hello Ann, CL-104233 is late."
    assert len(counter.public.shown) == 1


@pytest.mark.parametrize("text", NASTY)
def test_public_cards_and_modals_fit(text: str) -> None:
    """Whatever is said, Slack takes the card and the modals of a public ticket."""
    view = replace(view_of(text), is_public=True, can_invite=True, public_closing=text[:400].strip() or "Thanks")
    assert block_problem(as_slack_gets_it(card_of(view))["blocks"]) == ""
    for modal in all_modals(view, text):
        assert block_problem(as_slack_gets_it(modal)["blocks"], is_view=True) == ""
