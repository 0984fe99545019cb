"""Asking in private who wrote in public, where the channel lets us."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from bot.domain.acts import Claim
from bot.domain.channels import ChannelName
from bot.domain.connectors import Ambiguous, Permanent, SendResult, SendText, Sent
from bot.domain.desk import DeskPostKind
from bot.domain.messages import Echo
from bot.domain.public import PublicText
from bot.domain.rules import Rules
from bot.pipeline import notices, phrases
from bot.store import transcript
from tests.fakes.connector import FakeConnector
from tests.pipeline.rig import SAM, Rig
from tests.pipeline.square import LINK, TEXTS, meaning, rules, says, ticket_at

PRIVATE = "Thank you. Just answer here, nobody else reads it."
TOO_LATE = Permanent(reason="the comment is older than seven days", code="10")


@dataclass
class Answering(FakeConnector):
    """A public channel whose authors can be answered in private."""

    #: what the next private replies come to; when it is empty they reach their author
    replies: deque[SendResult] = field(default_factory=deque)
    #: what authors were told in private
    told: list[tuple[str, str]] = field(default_factory=list)

    async def reply_privately(self, operation: SendText, key: str) -> SendResult:
        """Tell the author, unless the test says otherwise."""
        author = operation.address.external_id.partition(":")[2]
        result = self.replies.popleft() if self.replies else Sent(external_id=f"private-{key}")
        if not isinstance(result, Sent):
            return result
        self.told.append((author, operation.text))
        return replace(result, reached=replace(operation.address, channel=ChannelName("fake"), external_id=author))


@pytest.fixture
def public() -> Answering:
    """Return the public channel."""
    return Answering(channel=ChannelName("fake-comments"), is_public=True)


@pytest.fixture
def also(public: Answering) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture(name="rules")
def _rules(public: Answering) -> Rules:
    """Return the rules of a brand that has approved a text for it."""
    made = rules(public, FakeConnector(invites_at=LINK))
    texts = replace(TEXTS, private_replies=(PublicText(PRIVATE),))
    return replace(made, public=replace(made.public, texts=texts, replying=frozenset({"fake-comments/brand"})))


@pytest.fixture
def asking(rig: Rig) -> Rig:
    """Return the pipeline, in which public questions are asked into private."""
    rig.engine.by_text["where is my order?"] = meaning("order_status", "Which order?")
    return rig


def notes(rig: Rig) -> list[str]:
    """Return what agents were told besides."""
    return [post.text for post in rig.poster.of(DeskPostKind.NOTICE)]


async def test_asked_where_only_they_read(asking: Rig, public: Answering) -> None:
    """Nothing is said in public; who answers from there is joined without a code, once, and the question goes on."""
    await says(asking, public, "where is my order?")
    assert (public.told, public.shown) == ([("ann", PRIVATE)], [])
    assert notices.ASKED_PRIVATELY in notes(asking)

    await asking.writes("hello", "bob")
    assert asking.seen("bob") == ["re: hello"]
    await asking.writes("hi")
    assert asking.seen() == [phrases.JOINED.format(quoted="where is my order?"), "Which order?"]
    await asking.writes("thanks")
    assert asking.seen()[-1] == "re: thanks"
    ticket = await ticket_at(asking, public)
    assert ticket is not None
    view = await asking.desk.view(ticket.id)
    assert view is not None
    assert [joined.address for joined in view.joined] == [asking.connector.address("ann")]


async def test_our_own_words_come_back(asking: Rig, public: Answering) -> None:
    """What the network repeats of what we asked, also while it is being asked, is no answer of a person's."""

    def echo(external_id: str) -> Echo:
        return Echo(address=asking.connector.address("ann"), external_id=external_id, text=PRIVATE)

    async def echoes(operation: SendText, key: str) -> SendResult:
        await asking.bring(echo(f"private-{key}"))
        return await Answering.reply_privately(public, operation, key)

    public.reply_privately = echoes  # type: ignore[method-assign]
    await says(asking, public, "where is my order?")
    ticket = await ticket_at(asking, public)
    assert ticket is not None
    view = await asking.desk.view(ticket.id)
    assert view is not None
    name = await asking.database.read(lambda connection: transcript.pieces(connection, view.transcript[-1].id))
    await asking.bring(echo(name[0]))
    await asking.settle()
    await asking.writes("hi")
    assert asking.seen()[-1] == "Which order?"


async def test_refused_in_private_is_said_in_public(asking: Rig, public: Answering) -> None:
    """Where the channel does not let us, the invitation is said in public with its link, and the ticket says why."""
    public.replies.append(TOO_LATE)
    await says(asking, public, "where is my order?")

    (shown,) = public.shown
    assert shown.text.startswith(f"Please write to us in private: {LINK}")
    assert notices.not_asked_privately(TOO_LATE.reason) in notes(asking)
    await asking.writes("hi")
    assert asking.seen() == ["re: hi"]
    await asking.writes("/start", referral=shown.text.partition("?")[2])
    assert asking.seen()[-1] == "Which order?"


async def test_an_agent_came_first(asking: Rig, public: Answering) -> None:
    """Nothing is said in public any more to somebody whom an agent has since the private answer was tried."""

    async def claims(operation: SendText, key: str) -> SendResult:  # noqa: ARG001
        ticket = await ticket_at(asking, public)
        assert ticket is not None
        await asking.desk.do(ticket.id, SAM, Claim(), "claim")
        return TOO_LATE

    public.reply_privately = claims  # type: ignore[method-assign]
    await says(asking, public, "where is my order?")
    assert public.shown == []


async def test_what_may_have_arrived_is_not_repeated(asking: Rig, public: Answering) -> None:
    """A private answer whose own answer was lost is made once, and a person is told; nothing is said in public.

    That is so also where what is said in public may be repeated.
    """
    public.is_idempotent = True
    public.replies.append(Ambiguous(reason="the connection broke"))
    await says(asking, public, "where is my order?")
    await asking.wait_out(minutes=5)

    assert (public.told, public.shown, len(public.replies)) == ([], [], 0)
    assert any("may" in note for note in notes(asking))


async def test_asked_twice(asking: Rig, public: Answering) -> None:
    """Who is asked again in another thread before they came joins what they were asked about last."""
    await says(asking, public, "where is my order?")
    await says(asking, public, "where is my order?", "other:ann")
    await asking.writes("hi")

    assert len(public.told) == 2
    first, second = await ticket_at(asking, public), await ticket_at(asking, public, "other:ann")
    assert first is not None
    assert second is not None
    views = [await asking.desk.view(each.id) for each in (first, second)]
    assert [len(view.joined) for view in views if view] == [0, 1]
