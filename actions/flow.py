"""What follows a detail, a filled form or a new wish: going on with what the customer wanted."""

from __future__ import annotations

from dataclasses import replace

from actions.access import ORDER_FORM, Granted, access
from actions.base import Result, Say, TandemAction, ask_people, say
from actions.choosing import by_position
from actions.context import TurnContext
from actions.forms import FORM_SLOTS, MISSES_MAX
from actions.orders import start_form
from actions.products import OpeningHoursAction, ProductAvailability
from actions.wishes import WISHES, ask_who, asked_with, carry_out, leave
from bot.domain.assurance import Act
from bot.domain.handoff import Reason

_QUOTED_MAX = 400


class WishAction(TandemAction):
    """Takes up a wish about the customer's own orders or subscriptions."""

    async def answer(self, context: TurnContext) -> Result:
        """Answer it; while the customer is being asked who they are, keep it for afterwards."""
        wish = self.name().removeprefix("action_")
        if context.form == ORDER_FORM and context.names("wish"):
            wishes = [*context.names("wish"), wish] if wish not in context.names("wish") else None
            return say("say_that_too").then(Result(slots={"wish": wishes})) if wishes else Result()
        wishes = asked_with(context, wish)
        left = leave(context, [name for name in context.questions if name not in wishes])
        result = left.then(await carry_out(self.sources, context, wishes))
        is_switch = result.follow is not None and context.form not in {None, result.follow}
        return say("say_leaving_that").then(result) if is_switch else result


class AddressChange(TandemAction):
    """Takes down a new address for people, who check who asks before they change it."""

    async def answer(self, context: TurnContext) -> Result:
        """Start asking for the address."""
        start = start_form("change_form", None, change_kind="address", chosen_order=context.order_number)
        left = leave(context, [name for name in context.questions if name != "address_change"])
        return left.then(replace(start, slots={**start.slots, "wish": ["address_change"]}))


class Continue(TandemAction):
    """Goes on after a detail: with what was wanted before, or with what the detail itself suggests."""

    async def answer(self, context: TurnContext) -> Result:
        """Take up the pending wishes."""
        context = _picked(context)
        wishes = [wish for wish in context.names("wish") if wish in WISHES]
        if context.count("form_misses") >= MISSES_MAX:
            return give_up(context)
        if context.actions[-1:] == (ORDER_FORM,):
            return await carry_out(self.sources, context, wishes) if wishes else Result()
        if context.intent == "correct_detail" and not _brings_detail(context):
            return await self._ask_anew(context, wishes)
        if wishes and context.entity("product") and context.names("choices"):
            return await carry_out(self.sources, context.about(None), wishes)
        if not _brings_detail(context):
            return await self._without_order(context)
        return await carry_out(self.sources, context, wishes or ["order_status"])

    async def _ask_anew(self, context: TurnContext, wishes: list[str]) -> Result:
        if not wishes:
            return say("say_what_about")
        fresh = context.about(None)
        result = await carry_out(self.sources, fresh, wishes)
        return replace(result, slots={"order_number": None, **result.slots})

    async def _without_order(self, context: TurnContext) -> Result:
        if context.entity("store"):
            return await OpeningHoursAction(self.name(), self.sources).answer(context)
        if context.entity("product"):
            asked = replace(context, intent="product_availability")
            return await ProductAvailability(self.name(), self.sources).answer(asked)
        return say("say_what_about")


def _picked(context: TurnContext) -> TurnContext:
    """Return the turn with the order in question that its message picks, by place, of those offered last."""
    offered = context.names("choices")
    place = by_position(context, len(offered))
    number = context.read_order_number(offered[place]) if place is not None and context.form is None else None
    if number is None:
        return context
    return replace(context, slots={**context.slots, "order_number": number, "which_order": number})


def _brings_detail(context: TurnContext) -> bool:
    """Whether the message names an order, by number or by its place, or proves something."""
    names = ("order_number", "postcode", "email", "position")
    return any(context.entity(name) for name in names)


def give_up(context: TurnContext) -> Result:
    """Return the end of a form that was misunderstood too often: a person goes on from here."""
    wishes = ", ".join(context.titles.get(wish, wish).lower() for wish in context.names("wish")) or "question"
    summary = f"The bot could not get the details it needs for: {wishes}. Wrote last: “{context.text[:200]}”"
    return Result(
        says=(Say(response="say_still_lost"),),
        slots={**FORM_SLOTS, "wish": None},
        handoff=ask_people(context, Reason.NOT_UNDERSTOOD, wishes, summary),
    )


class SubmitCancel(TandemAction):
    """Has an order cancelled, once the customer said yes."""

    async def answer(self, context: TurnContext) -> Result:
        """Check anew that it may and can be done; the pipeline does it."""
        if context.count("form_misses") >= MISSES_MAX:
            return give_up(context)
        number = context.read_order_number(context.slots.get("chosen_order"))
        done = Result(slots={**FORM_SLOTS, "wish": None})
        if number is None or context.slots.get("cancel_confirmed") is not True:
            return done.then(say("say_cancel_kept", number=number or ""))
        verdict = await access(self.sources, context.about(number), Act.CANCEL_ORDER)
        if not isinstance(verdict, Granted):
            return done.then(ask_who(context, ["order_cancel"]))
        if verdict.order is None:
            return done.then(say("say_not_theirs", asked_number=number))
        if not verdict.order.can_be_changed:
            return done.then(say("say_cancel_too_late", number=number))
        arguments = {
            "order_number": number,
            "customer_id": verdict.customer_id,
            "reason": context.slot("cancel_reason") or "not given",
        }
        command = Result(command={"name": "cancel_order", "arguments": arguments}, slots={"order_number": number})
        return done.then(say("say_cancelling", number=number)).then(command)


class SubmitForPeople(TandemAction):
    """Passes what a form took down on to people."""

    async def answer(self, context: TurnContext) -> Result:
        """Say what happens next and ask people."""
        if context.count("form_misses") >= MISSES_MAX:
            return give_up(context)
        number = context.read_order_number(context.slots.get("chosen_order"))
        about = context.about(number)
        response, topic, reason, summary = _taken_down(self.name(), about)
        request = ask_people(about, reason, topic, f"{summary} Order: {number or 'none named'}.")
        return Result(says=(Say(response=response),), slots={**FORM_SLOTS, "wish": None}, handoff=request)


def _taken_down(submit: str, context: TurnContext) -> tuple[str, str, Reason, str]:
    """Return response, topic, reason and summary for what the form took down."""

    def told(slot: str) -> str:
        return (context.slot(slot) or "nothing")[:_QUOTED_MAX]

    if submit == "action_submit_return_form":
        summary = f"Wants to return {told('return_item')}; the reason: “{told('return_reason')}”."
        return "say_return_passed_on", "return", Reason.OTHER, summary
    if submit == "action_submit_problem_form":
        return "say_problem_passed_on", "delivery problem", Reason.OTHER, f"Says: “{told('problem_detail')}”."
    if context.slot("change_kind") == "address":
        summary = f"Wants another address: “{told('change_wish')}”. Check who they are first."
        return "say_address_passed_on", "address change", Reason.PEOPLE_ONLY, summary
    return "say_change_passed_on", "order change", Reason.OTHER, f"Wants changed: “{told('change_wish')}”."
