"""Everything that ends with a person, or keeps the conversation on its way: wishes, misses, offers, coming back."""

from __future__ import annotations

from dataclasses import dataclass

from actions.base import Button, Result, Say, TandemAction, ask_people, say, still_queued
from actions.context import NOT_UNDERSTOOD, TurnContext
from actions.forms import FORM_SLOTS, MISSES_MAX
from actions.wishes import WISHES, carry_out
from bot.domain.conversations import Owner
from bot.domain.handoff import HandoffRequest, Reason

_GUESSES_MAX = 3
#: A meaning is offered from here on, and taken for a real doubt (not just noise) from there on.
_WORTH_OFFERING = 0.08
_REAL_DOUBT = 0.35
_QUOTED_MAX = 200
#: In the slot `offer`, where nothing is offered; else it names a wish to take up, or a topic to bring a person in for.
NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class PeopleOnly:
    """A topic that the bot does not answer itself."""

    reason: Reason
    topic: str
    #: what the customer is told, by the name of the response
    response: str
    #: what the agent reads first
    summary: str


#: By intent. To take a topic from the bot, add a line here and a rule that runs `action_<intent>`.
PEOPLE_ONLY: dict[str, PeopleOnly] = {
    "account_access": PeopleOnly(
        reason=Reason.PEOPLE_ONLY,
        topic="account access",
        response="say_account_access",
        summary="Cannot get into the account; who they are has to be checked first.",
    ),
    "account_delete": PeopleOnly(
        reason=Reason.PEOPLE_ONLY,
        topic="personal data",
        response="say_account_delete",
        summary="Wants the account or personal data deleted, or to know what is kept.",
    ),
    "express_anger": PeopleOnly(
        reason=Reason.ANGER,
        topic="angry customer",
        response="say_anger",
        summary="Is angry; needs a person who reads the conversation first.",
    ),
    "self_harm": PeopleOnly(
        reason=Reason.IN_DANGER,
        topic="somebody in danger",
        response="say_crisis",
        summary="May be about to harm themselves: answer at once, with care.",
    ),
    "legal_threat": PeopleOnly(
        reason=Reason.PEOPLE_ONLY,
        topic="legal matter",
        response="say_legal_threat",
        summary="Names legal or official steps.",
    ),
    "payment_problem": PeopleOnly(
        reason=Reason.PEOPLE_ONLY,
        topic="payment problem",
        response="say_payment_problem",
        summary="Has a problem with a payment.",
    ),
    "press_or_business": PeopleOnly(
        reason=Reason.PEOPLE_ONLY,
        topic="press or business",
        response="say_press_or_business",
        summary="Writes about business with us, not as a customer.",
    ),
}


class PeopleOnlyAction(TandemAction):
    """Hands a topic of `PEOPLE_ONLY` to people."""

    async def answer(self, context: TurnContext) -> Result:
        """Say what happens next and ask people."""
        topic = PEOPLE_ONLY[self.name().removeprefix("action_")]
        summary = f"{topic.summary} Wrote: “{context.text[:_QUOTED_MAX]}”"
        return say(topic.response).then(Result(handoff=ask_people(context, topic.reason, topic.topic, summary)))


class TalkToPerson(TandemAction):
    """Gives the customer a person, at any time."""

    async def answer(self, context: TurnContext) -> Result:
        """Ask people, and tell them what was going on."""
        return Result(slots=FORM_SLOTS, handoff=wish_for_person(context))


def wish_for_person(context: TurnContext, topic: str | None = None) -> HandoffRequest:
    """Return the request of a customer who wants a person."""
    doing = _going_on(context)
    topic = topic or doing or "a person"
    about = f" They were at “{doing}”." if doing else ""
    summary = f"Asked for a person.{about} Wrote: “{context.text[:_QUOTED_MAX]}”"
    return ask_people(context, Reason.EXPLICIT_WISH, topic, summary)


def _going_on(context: TurnContext) -> str:
    return ", ".join(context.titles.get(name, name.replace("_", " ")).lower() for name in context.names("wish"))


class Complaint(TandemAction):
    """Takes a complaint seriously: offers a person at first, and brings one at the second."""

    async def answer(self, context: TurnContext) -> Result:
        """Say sorry and offer; or pass on."""
        if self.name() in context.actions or context.owner is Owner.QUEUE:
            summary = f"Complains again. Wrote: “{context.text[:_QUOTED_MAX]}”"
            request = ask_people(context, Reason.OTHER, "complaint", summary)
            return say("say_complaint_again").then(Result(handoff=request))
        return Result(says=(Say(response="say_complaint", buttons=_yes_no(context)),), slots={"offer": "complaint"})


def _yes_no(context: TurnContext) -> tuple[Button, ...]:
    names = ("affirm", "deny")
    return tuple(Button(title=context.label(name), intent=name) for name in names if name in context.titles)


class Affirm(TandemAction):
    """Takes up what was offered."""

    async def answer(self, context: TurnContext) -> Result:
        """Do what was offered last; without an offer, ask what it is about."""
        offer = context.slot("offer")
        if offer is None or offer == NOTHING:
            return say("say_affirmed")
        taken = Result(slots={"offer": None})
        if offer in WISHES:
            return taken.then(await carry_out(self.sources, context, [offer]))
        return taken.then(Result(handoff=wish_for_person(context, offer)))


class Deny(TandemAction):
    """Lets go of what was offered."""

    async def answer(self, context: TurnContext) -> Result:
        """Say that it is fine."""
        del context
        return Result(says=(Say(response="say_denied"),), slots={"offer": None})


class NeverMind(TandemAction):
    """Drops whatever is going on."""

    async def answer(self, context: TurnContext) -> Result:
        """Leave any form, keep nothing of it."""
        response = "say_dropped" if context.form is not None else "say_nothing_to_drop"
        if context.form == "cancel_form":
            response = "say_cancel_kept"
        return Result(
            says=(Say(response=response),), slots={**FORM_SLOTS, "wish": None, "offer": None}, leaves_form=True
        )


class NotUnderstood(TandemAction):
    """Asks once in other words, with the likeliest meanings to tap; brings a person when that does not help."""

    async def answer(self, context: TurnContext) -> Result:
        """Count the miss and decide."""
        if context.form is not None:
            return self._in_form(context)
        if context.named_order_number is not None:
            likely = next((name for name, _ in _likely(context) if name in WISHES), "order_status")
            return await carry_out(self.sources, context, [likely])
        if context.owner is Owner.QUEUE:
            return Result()
        if context.count("misses"):
            return Result(says=(Say(response="say_still_lost"),), slots={"misses": None}, handoff=_lost(context))
        buttons = _guesses(context)
        response = "say_did_you_mean" if len(buttons) > 1 else "say_not_understood"
        return Result(says=(Say(response=response, buttons=buttons),), slots={"misses": 1})

    def _in_form(self, context: TurnContext) -> Result:
        misses = context.count("form_misses") + 1
        if misses >= MISSES_MAX:
            slots = {**FORM_SLOTS, "wish": None}
            return Result(says=(Say(response="say_still_lost"),), slots=slots, handoff=_lost(context))
        return Result(says=(Say(response="say_not_understood_here"),), slots={"form_misses": misses})


def _likely(context: TurnContext) -> list[tuple[str, float]]:
    guesses = [(name, score) for name, score in context.ranking if name != NOT_UNDERSTOOD and name in context.titles]
    return [(name, score) for name, score in guesses if score >= _WORTH_OFFERING][:_GUESSES_MAX]


def _guesses(context: TurnContext) -> tuple[Button, ...]:
    # Guesses that are more likely all wrong than not lead astray: other words or a person serve better.
    likely = [] if context.decision == "people" else _likely(context)
    names = [name for name, _ in likely if name != "talk_to_person"]
    if "talk_to_person" in context.titles:
        names.append("talk_to_person")
    return tuple(Button(title=context.label(name), intent=name) for name in names)


def _lost(context: TurnContext) -> HandoffRequest:
    likely = _likely(context)
    is_doubt = bool(likely) and likely[0][1] >= _REAL_DOUBT
    guess = f" The likeliest meaning was: {context.titles[likely[0][0]].lower()}." if likely else ""
    summary = f"Was not understood twice.{guess} Wrote last: “{context.text[:_QUOTED_MAX]}”"
    reason = Reason.LOW_CONFIDENCE if is_doubt else Reason.NOT_UNDERSTOOD
    return ask_people(context, reason, _going_on(context) or "question", summary)


class AskWaitingTime(TandemAction):
    """Says whether a person is on the way, and the place in the queue if the pipeline told it."""

    async def answer(self, context: TurnContext) -> Result:
        """Say what is known; no waiting time is made up."""
        if context.owner is Owner.BOT:
            return say("say_no_ticket").then(Result(slots={"offer": "a person"}))
        return Result(says=(still_queued(context),))


class AskOutcome(TandemAction):
    """Says what a person did."""

    async def answer(self, context: TurnContext) -> Result:
        """Repeat what the agent noted; without a note, say how things stand."""
        outcome = context.slot("outcome")
        if outcome:
            return say("say_outcome", done=outcome).then(Result(slots={"outcome_told": True}))
        if context.owner is Owner.QUEUE:
            return Result(says=(still_queued(context),))
        return say("say_no_outcome").then(Result(slots={"offer": "a person"}))


class ReturnPolicy(TandemAction):
    """Explains returns, and offers to start one."""

    async def answer(self, context: TurnContext) -> Result:
        """Say the policy."""
        del context
        return say("say_return_policy").then(Result(slots={"offer": "return_start"}))


class HandedBack(TandemAction):
    """Takes the conversation back from people, and says what they did."""

    async def answer(self, context: TurnContext) -> Result:
        """Begin afresh, knowing the outcome."""
        outcome = context.entity("outcome")
        promised, by = context.entity("promised"), context.entity("promised_by")
        if outcome and promised:
            outcome = f"{outcome.rstrip('.')}. Promised to you: {promised}" + (f", by {by}" if by else "")
        said = Say(response="say_handed_back", fields={"done": outcome}) if outcome else Say(response="say_back")
        slots = {**FORM_SLOTS, "wish": None, "offer": None, "outcome": outcome, "outcome_told": None}
        return Result(says=(said,), slots=slots, leaves_form=True)
