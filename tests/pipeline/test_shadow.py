"""What the bot does in silence while an agent has the customer: drafts, and proofs that it was asked to get."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import AskToVerify, Claim, LinkCustomer, RejectSuggestion, Release, Reply, UnlinkCustomer
from bot.domain.assurance import GUESSES_MAX, Level
from bot.domain.customers import CustomerId
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError, EngineUnavailableError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import TicketState
from bot.pipeline import notices, phrases
from bot.store import guesses, turns
from bot.store.sample_shop.cast import cast
from tests.pipeline.rig import KIM, SAM, Rig, command, handoff, turn

PRIYA, TOM = cast()[:2]


@pytest.fixture
async def claimed(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    await rig.act(Claim(), SAM)
    await rig.settle()
    return rig


async def writes(rig: Rig, text: str) -> None:
    """Let Ann write, and see through what follows in the background as well."""
    await rig.writes(text)
    await rig.background.idle()
    await rig.settle()


async def drafts(rig: Rig) -> list[Suggestion]:
    """Return the drafts that the agent sees."""
    return list((await rig.view()).suggestions)


class TestDrafts:
    """Suggested answers."""

    async def test_a_sure_answer_is_a_draft(self, claimed: Rig) -> None:
        """The agent sees what the bot would say, as a post of its own; the customer and the dialogue see nothing."""
        seen, known = claimed.seen(), await claimed.database.read(turns.history, (await claimed.conversation()).id)
        await writes(claimed, "opening hours")
        (draft,) = await drafts(claimed)
        assert (draft.text, draft.intent, draft.state) == ("re: opening hours", "some_intent", SuggestionState.OFFERED)
        (post,) = claimed.poster.of(DeskPostKind.SUGGESTION)
        assert post.message_id == draft.message_id == (await claimed.transcript())[-1].id
        assert claimed.seen() == seen
        assert await claimed.database.read(turns.history, (await claimed.conversation()).id) == known
        assert claimed.engine.requests[-1].metadata["owner"] == "bot"

    @pytest.mark.parametrize(
        "unsure", [turn("Sorry?", is_fallback=True), handoff("I'll ask."), turn(), EngineUnavailableError()]
    )
    async def test_what_is_not_sure_is_none(self, claimed: Rig, unsure: object) -> None:
        """Neither a question back, nor a handoff, nor silence, nor an engine that fails helps an agent."""
        claimed.engine.by_text["hm"] = unsure  # type: ignore[assignment]
        await writes(claimed, "hm")
        assert await drafts(claimed) == []
        assert (await claimed.inbox_states())["pending"] == 0

    async def test_a_command_is_only_named(self, claimed: Rig) -> None:
        """The bot says what it would do, and does not do it."""
        member = claimed.member()
        claimed.engine.by_text["cancel it"] = turn("I can cancel it.", commands=(command(member.order_number),))
        await writes(claimed, "cancel it")
        assert (await drafts(claimed))[0].text == (
            f"I can cancel it.\n\n(The bot would cancel order {member.order_number}.)"
        )
        order = await claimed.directory.order(member.order_number, member.customer_id)
        assert order is not None
        assert order.can_be_changed

    async def test_drafts_become_replies(self, claimed: Rig) -> None:
        """A draft sent as it was is marked so, one that was changed as changed, and a wrong one as wrong."""
        for text in ("one", "two", "three"):
            await writes(claimed, text)
        first, second, third = await drafts(claimed)
        await claimed.act(Reply(text=f" {first.text} ", suggestion=first.id), SAM)
        await claimed.act(Reply(text="Two, I think.", suggestion=second.id, macro="hello"), SAM)
        await claimed.act(RejectSuggestion(suggestion=third.id), SAM)
        await claimed.settle()
        states = [draft.state for draft in await drafts(claimed)]
        assert states == [SuggestionState.SENT, SuggestionState.EDITED, SuggestionState.WRONG]
        assert len(claimed.poster.of(DeskPostKind.SUGGESTION)) == 6
        assert ("macro", "hello") in [(event.kind, event.detail) for event in (await claimed.view()).events]
        with pytest.raises(DeskError, match="no such draft"):
            await claimed.act(RejectSuggestion(suggestion=SuggestionId("0" * 32)), SAM)

    async def test_a_slow_draft_holds_nothing_up(self, claimed: Rig) -> None:
        """While the engine thinks, the next lines reach the agent; a draft that comes too late is not offered."""
        is_ready = asyncio.Event()

        async def think(_: TurnRequest) -> None:
            await is_ready.wait()

        claimed.engine.during_step = think
        await claimed.writes("one")
        await claimed.writes("two")
        assert len(claimed.poster.of(DeskPostKind.LINE)) == 2
        await claimed.act(Release(), SAM)
        is_ready.set()
        await claimed.background.idle()
        assert await drafts(claimed) == []


class TestVerifying:
    """Proofs that an agent has the bot ask for."""

    @pytest.fixture
    async def asked(self, claimed: Rig) -> Rig:
        """Return the pipeline with Ann asked who she is."""
        await claimed.act(AskToVerify(), SAM)
        await claimed.settle()
        assert claimed.seen()[-1] == phrases.ASK_FOR_PROOF
        return claimed

    @pytest.mark.parametrize(
        "texts",
        [
            [f"It's {PRIYA.order_number}, {PRIYA.postcode}"],
            [f"order {PRIYA.order_number}", "one moment", PRIYA.email],
            [f"my postcode is {PRIYA.postcode}", str(PRIYA.order_number)],
        ],
    )
    async def test_a_proof_that_fits_shows_the_record(self, asked: Rig, texts: list[str]) -> None:
        """In one message or in several: the level rises, the agent sees the record, and both are told."""
        for text in texts:
            await writes(asked, text)
        view = await asked.view()
        assert view.record is not None
        assert (view.record.customer.id, view.level, view.ticket.state) == (
            PRIYA.customer_id,
            Level.L1,
            TicketState.CLAIMED,
        )
        assert asked.seen()[-1] == phrases.PROOF_FITS
        assert "proved who they are" in asked.poster.of(DeskPostKind.NOTICE)[-1].text

    async def test_the_missing_half_is_asked_for(self, asked: Rig) -> None:
        """Who gives one half is asked for the other."""
        await writes(asked, f"it is {PRIYA.order_number}")
        assert asked.seen()[-1] == phrases.PROOF_HALF

    async def test_wrong_proofs_end_after_three(self, asked: Rig) -> None:
        """Each wrong proof is told to both sides; after the third the bot asks no more, whatever comes."""
        for number in range(3):
            await writes(asked, f"{PRIYA.order_number} {TOM.postcode}")
            assert asked.seen()[-1] == (phrases.PROOF_WRONG if number < 2 else phrases.PROOF_GIVEN_UP)
        assert asked.poster.of(DeskPostKind.NOTICE)[-1].text == notices.not_proved(is_last=True)
        await writes(asked, f"{PRIYA.order_number} {PRIYA.postcode}")
        assert asked.seen()[-1] == phrases.PROOF_GIVEN_UP
        assert (await asked.view()).level is Level.L0

    async def test_who_failed_too_often_is_not_asked(self, asked: Rig) -> None:
        """After five wrong proofs the agent is told to wait."""
        for number in range(5):
            await writes(asked, f"{PRIYA.order_number} {TOM.postcode}")
            if number == 2:
                await asked.act(AskToVerify(), SAM)
        with pytest.raises(DeskError, match="in an hour"):
            await asked.act(AskToVerify(), SAM)

    async def test_what_others_guess_at_is_not_looked_at(self, asked: Rig) -> None:
        """While others guess at an order, nobody proves with it who they are."""
        wrong = (PRIYA.order_number, TOM.postcode, asked.clock.now())
        for _ in range(GUESSES_MAX):
            await asked.database.write(guesses.count_wrong_proof, *wrong)
        await writes(asked, f"{PRIYA.order_number} {PRIYA.postcode}")
        assert (await asked.view()).level is Level.L0

    async def test_nobody_is_checked_unasked(self, claimed: Rig) -> None:
        """Without the question an order number and a postcode are but words."""
        await writes(claimed, f"{PRIYA.order_number} {PRIYA.postcode}")
        assert (await claimed.view()).level is Level.L0

    async def test_small_talk_is_no_proof(self, asked: Rig) -> None:
        """Other words reach the agent, and nothing is asked again."""
        await writes(asked, "why do you need that?")
        assert asked.seen()[-1] == phrases.ASK_FOR_PROOF


class TestIdentity:
    """Whose record it may be."""

    async def test_candidates_come_with_evidence(self, rig: Rig) -> None:
        """An order at stake, an address that was written and a name lead to people; who fits most comes first."""
        request = HandoffRequest(
            reason=Reason.OTHER, topic="a mug", summary="Broken.", order_number=str(PRIYA.order_number)
        )
        rig.engine.by_text["help"] = replace(handoff("ok"), handoff=request)
        await rig.writes(f"my address is {TOM.email}")
        await rig.writes(f"and {PRIYA.email}", display_name="Tom")
        await rig.writes("help")
        ticket = await rig.open_ticket()
        assert ticket is not None
        first, second = await rig.desk.candidates(ticket.id)
        assert (first.customer.id, first.evidence) == (
            PRIYA.customer_id,
            (
                f"the ticket is about their order {PRIYA.order_number}",
                f"the customer wrote their e-mail address {PRIYA.email}",
            ),
        )
        assert second.customer.id == TOM.customer_id

    async def test_a_link_is_for_the_eyes_of_people(self, claimed: Rig) -> None:
        """The record is shown with who linked it and why; what the bot may tell stays the same; it can be undone."""
        await claimed.act(LinkCustomer(customer_id=PRIYA.customer_id, evidence="she named her order"), SAM)
        view = await claimed.view()
        assert view.record is not None
        assert view.record.customer.id == PRIYA.customer_id
        assert view.linked_evidence == "linked by Sam because she named her order, not proved"
        assert view.level is Level.L0
        await claimed.act(UnlinkCustomer(), KIM)
        assert ((await claimed.view()).record, (await claimed.view()).linked_evidence) == (None, "")
        with pytest.raises(DeskError, match="No record is linked"):
            await claimed.act(UnlinkCustomer(), KIM)

    async def test_a_proof_beats_a_link(self, claimed: Rig) -> None:
        """Once the customer has proved who they are, the proved record is shown, and no other can be linked."""
        await claimed.act(LinkCustomer(customer_id=TOM.customer_id, evidence="a hunch"), SAM)
        await claimed.act(AskToVerify(), SAM)
        await claimed.settle()
        await writes(claimed, f"{PRIYA.order_number} {PRIYA.postcode}")
        view = await claimed.view()
        assert view.record is not None
        assert (view.record.customer.id, view.linked_evidence) == (PRIYA.customer_id, "")
        with pytest.raises(DeskError, match="has proved who they are"):
            await claimed.act(LinkCustomer(customer_id=CustomerId("7"), evidence="a hunch"), SAM)

    async def test_a_link_needs_a_reason(self, claimed: Rig) -> None:
        """Others will rely on it."""
        with pytest.raises(DeskError, match="why you think so"):
            await claimed.act(LinkCustomer(customer_id=PRIYA.customer_id, evidence=" "), SAM)
