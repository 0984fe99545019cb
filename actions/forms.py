"""Forms: what counts as an answer to each question, and which questions are asked by looking things up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rasa_sdk import FormValidationAction
from rasa_sdk.events import ActionExecutionRejected

from actions.access import Granted, access
from actions.base import Button, Result, Say, Sources, TandemAction
from actions.choosing import by_name, by_position
from actions.context import KNOWLEDGE, TurnContext, read_context
from actions.details import NAMED_SLOTS
from actions.tongues import ENGLISH, TONGUES, speaking
from actions.wishes import CHOICES_MAX, WISHES, chosen_order, order_button
from actions.wording import item
from bot.domain.assurance import Act
from bot.domain.customers import Order
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.proofs import read_proof

if TYPE_CHECKING:
    from rasa_sdk import Tracker
    from rasa_sdk.executor import CollectingDispatcher

#: A form gives up after so many answers that do not fit.
MISSES_MAX = 3
#: Everything forms hold, emptied when one is left.
FORM_SLOTS: dict[str, object] = dict.fromkeys(
    (
        "choices", "which_order", "refused_number", "ask_again", "proof", "proved_in", "form_misses", "chosen_order",
        "cancel_reason", "cancel_confirmed", "change_wish", "change_kind", "return_item", "return_reason",
        "problem_detail",
    )
) | NAMED_SLOTS  # fmt: skip

#: In the slot `ask_again`: the last answer did not fit the question.
MISSED = "missed"

Slots = dict[str, object]


def missed(context: TurnContext, slot: str) -> Slots:
    """Return the slots after an answer that does not fit `slot`; the question is put in other words.

    A question that an article answers is no miss.
    """
    if context.intent == KNOWLEDGE:
        return {slot: None}
    return {slot: None, "form_misses": context.count("form_misses") + 1, "ask_again": MISSED}


def filled(slot: str, value: object, **others: object) -> Slots:
    """Return the slots after an answer that fits."""
    return {slot: value, "form_misses": None, "ask_again": None, **others}


class Form(FormValidationAction):
    """Checks the answers of one form. A form that was misunderstood too often wants nothing more."""

    #: What an answer may sound like; when it answers nothing, it is the question it sounds like.
    questions: frozenset[str] = frozenset({KNOWLEDGE})

    def __init__(self, form: str, sources: Sources) -> None:
        """Check the answers of the form that domain.yml calls `form`."""
        self._form = form
        self.sources = sources

    def name(self) -> str:
        """Return the name under which Rasa looks for the checks of this form."""
        return f"validate_{self._form}"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[dict[str, object]]:
        """Return the checked slots; a question that answers nothing is left to the rules, then the form goes on."""
        context = self.context(tracker, domain)
        made: list[dict[str, object]] = await super().run(dispatcher, tracker, domain)
        is_filled = any(event.get("value") is not None for event in made if event.get("name") != "requested_slot")
        if context.intent in self.questions and self._was_just_answered(context) and not is_filled:
            return [*made, ActionExecutionRejected(self._form)]
        return made

    def _was_just_answered(self, context: TurnContext) -> bool:
        """Whether the customer's message is an answer to this form, and not what the form was started or resumed by."""
        return context.actions[-2:] == ("action_listen", self._form)

    async def required_slots(
        self, domain_slots: list[str], dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[str]:
        """Return the slots to fill, in order."""
        del dispatcher
        context = self.context(tracker, domain)
        if context.count("form_misses") >= MISSES_MAX:
            return []
        return self.wanted(context, domain_slots)

    def wanted(self, context: TurnContext, slots: list[str]) -> list[str]:
        """Return which of the form's slots are asked for in this conversation."""
        del context
        return slots

    def context(self, tracker: Tracker, domain: dict[str, object]) -> TurnContext:
        """Return the turn in typed form, and speak its language."""
        speaking.set(TONGUES.get(str(tracker.slots.get("language")), ENGLISH))
        return read_context(tracker, domain, self.sources.clock.now(), self.sources.directory.order_numbers)

    def taken(self, context: TurnContext, slot: str, value: object) -> Slots:
        """Return the slots after a free text that is taken as it is, unless it carries no content of its own."""
        text = str(value).strip()
        if context.intent in {"affirm", "deny"} or not any(character.isalnum() for character in text):
            return missed(context, slot)
        return filled(slot, text)


class OrderForm(Form):
    """Finds out who writes (order number and proof) or which of their orders is meant."""

    questions = Form.questions | {"product_availability", "product_question"}

    def wanted(self, context: TurnContext, slots: list[str]) -> list[str]:
        """Ask a known customer which order, anyone else for a number and a proof."""
        known = bool(context.names("choices"))
        return [slot for slot in slots if (slot == "which_order") is known]

    def validate_order_number(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take an order number in any spelling; a message that brings the other detail instead is no miss."""
        del dispatcher
        context = self.context(tracker, domain)
        number = context.read_order_number(value) or context.named_order_number
        if number is not None and number == context.slot("refused_number") and not self._was_just_answered(context):
            return {"order_number": None}
        if number is not None:
            return filled("order_number", number, refused_number=None, **_more_wishes(context))
        if read_proof(context.text) or read_proof(value):
            return {"order_number": context.slot("refused_number")}
        return missed(context, "order_number")

    def validate_proof(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take a postcode or an e-mail address; with a new one, the order number that was refused is tried again."""
        del dispatcher
        context = self.context(tracker, domain)
        proof = read_proof(value)
        if proof is None:
            return {"proof": None} if context.named_order_number else missed(context, "proof")
        refused = context.slot("refused_number")
        if refused is None or context.named_order_number or not self._was_just_answered(context):
            return {"proof": proof}
        return filled("proof", proof, order_number=refused)

    async def validate_which_order(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take one of the orders that were listed, by number, by place or by what is in it."""
        del value, dispatcher
        context = self.context(tracker, domain)
        try:
            among = await listed_orders(self.sources, context)
        except DirectoryUnavailableError:
            return {"which_order": None}
        number = chosen_order(context, among)
        if number is not None:
            return filled("which_order", number, order_number=number)
        return {"which_order": None} if context.intent in self.questions else missed(context, "which_order")


def _more_wishes(context: TurnContext) -> Slots:
    """Return the wishes with the one that the message adds to them."""
    wishes = context.names("wish")
    if context.intent in WISHES and context.intent not in wishes:
        return {"wish": [*wishes, context.intent]}
    return {}


class CancelForm(Form):
    """Asks why an order is to be cancelled, and whether that is really wanted."""

    def validate_cancel_reason(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take any reason, also none; another order number puts right which order is meant."""
        del dispatcher
        context = self.context(tracker, domain)
        if context.named_order_number is not None:
            return {"cancel_reason": None, "chosen_order": context.named_order_number}
        return filled("cancel_reason", "not given" if context.intent in {"affirm", "deny"} else str(value))

    def validate_cancel_confirmed(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take yes or no."""
        del dispatcher, tracker, domain
        return {"cancel_confirmed": value}


class ChangeForm(Form):
    """Asks what to change."""

    #: An address in a town where we have a shop.
    questions = Form.questions | {"store_location"}

    def validate_change_wish(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take whatever the customer says."""
        del dispatcher
        context = self.context(tracker, domain)
        if context.intent in self.questions and context.entity("postcode") is None:
            return {"change_wish": None}
        return self.taken(context, "change_wish", value)


class ProblemForm(Form):
    """Asks what is wrong with a delivery."""

    def validate_problem_detail(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take whatever the customer says."""
        del dispatcher
        return self.taken(self.context(tracker, domain), "problem_detail", value)


class ReturnForm(Form):
    """Asks what goes back, and why."""

    questions = Form.questions | {"product_availability", "product_question"}

    async def validate_return_item(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take one thing of the order, by place or by name, or several in the customer's own words."""
        del dispatcher
        context = self.context(tracker, domain)
        try:
            order = await order_in_question(self.sources, context)
        except DirectoryUnavailableError:
            order = None
        lines = [item(line) for line in order.items] if order else []
        if isinstance(value, str) and value in lines:
            return {"return_item": value}
        place = by_position(context, len(lines))
        place = by_name(context, lines) if place is None else place
        if place is not None:
            return filled("return_item", lines[place])
        if context.intent in self.questions:
            return {"return_item": None}
        if not lines or context.intent == "inform":
            return self.taken(context, "return_item", value)
        return missed(context, "return_item")

    def validate_return_reason(
        self, value: object, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> Slots:
        """Take any reason, also none."""
        del dispatcher
        context = self.context(tracker, domain)
        return filled("return_reason", "not given" if context.intent in {"affirm", "deny"} else str(value))


async def order_in_question(sources: Sources, context: TurnContext) -> Order | None:
    """Return the order that a form of details is about, if it may be looked at now."""
    number = context.read_order_number(context.slots.get("chosen_order"))
    if number is None:
        return None
    verdict = await access(sources, context.about(number), Act.OWN_ORDERS)
    return verdict.order if isinstance(verdict, Granted) else None


async def listed_orders(sources: Sources, context: TurnContext) -> Sequence[Order]:
    """Return the orders that were offered to choose from, if they may be looked at now."""
    verdict = await access(sources, context.about(None), Act.OWN_ORDERS)
    if not isinstance(verdict, Granted):
        return ()
    numbers = [context.read_order_number(choice) for choice in context.names("choices")[:CHOICES_MAX]]
    found = [await sources.directory.order(number, verdict.customer_id) for number in numbers if number]
    return [order for order in found if order is not None]


class AskWhichOrder(TandemAction):
    """Lists the orders to choose from."""

    async def answer(self, context: TurnContext) -> Result:
        """Offer each with its day and what is in it; ask for a proof again when it no longer holds."""
        orders = await listed_orders(self.sources, context)
        if not orders:
            slots = {"choices": None, "which_order": None, "requested_slot": "order_number"}
            return Result(says=(Say(response="utter_ask_order_number"),), slots=slots)
        buttons = tuple(order_button(order, context) for order in orders)
        response = "say_not_in_list" if context.slot("ask_again") == MISSED else "say_which_order"
        return Result(says=(Say(response=response, buttons=buttons),))


class AskReturnItem(TandemAction):
    """Lists what is in the order, to choose what goes back."""

    async def answer(self, context: TurnContext) -> Result:
        """Offer each thing of the order."""
        order = await order_in_question(self.sources, context)
        names = [item(line) for line in order.items] if order else []
        buttons = tuple(Button(title=name, intent="inform", entities={"product": name}) for name in names)
        response = "say_not_in_order" if context.slot("ask_again") == MISSED else "say_which_item"
        return Result(says=(Say(response=response, buttons=buttons),))
