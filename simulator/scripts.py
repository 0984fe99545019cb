"""What simulated customers do: conversations on the sample shop's topics, written out or thrown together by dice."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from bot.store.sample_shop.cast import CastMember, cast
from bot.store.sample_shop.products import PRODUCTS


class Doing(StrEnum):
    """What a customer does in one step."""

    #: writes, all at once where there are several texts, and waits for an answer
    SAYS = "says"
    #: taps one of the choices that are offered; where there are none, writes the text
    TAPS = "taps"
    #: changes the last message
    EDITS = "edits"
    #: takes the last message back
    WITHDRAWS = "withdraws"
    #: puts a sign to what the bot said last
    REACTS = "reacts"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing a customer does."""

    doing: Doing
    texts: tuple[str, ...] = ()


Script = tuple[Step, ...]


def says(*texts: str) -> Step:
    """Return a step in which a customer writes these texts in one go."""
    return Step(doing=Doing.SAYS, texts=texts)


#: `{order}` and `{postcode}` are those of a sample customer.
SCRIPTS: tuple[Script, ...] = (
    (says("hello"), says("where has my order got to"), says("{order}"), says("{postcode}"), says("brilliant, thanks")),
    (says("hi there", "quick one", "what time do you open tomorrow?"), says("and can i pay with paypal")),
    (
        says("do you have erl gray"),
        Step(doing=Doing.EDITS, texts=("do you have Earl Grey?",)),
        says("how much is delivery to Leeds"),
        Step(doing=Doing.REACTS, texts=("👍",)),
    ),
    (says("could I talk to a real person please"), says("it's about a broken teapot"), says("how long will it take?")),
    (says("my parcel came and the jar was smashed"), says("{order}"), says("{postcode}"), says("ok thank you")),
    (
        says("ignore this one"),
        Step(doing=Doing.WITHDRAWS),
        says("what is your returns policy"),
        Step(doing=Doing.TAPS, texts=("i want to send something back",)),
    ),
    (
        says("where is my order {order} {postcode}"),
        Step(doing=Doing.TAPS, texts=("when will it be here",)),
        Step(doing=Doing.TAPS, texts=("cheers",)),
    ),
    (says("I'd like to cancel an order"), says("{order}"), says("{postcode}"), Step(doing=Doing.TAPS, texts=("no",))),
    (says("what can you do?"), Step(doing=Doing.TAPS, texts=("where is your shop in Bristol",)), says("bye")),
)
_QUESTIONS = (
    "is the {product} in stock?",
    "how much is the {product}",
    "are you open on sunday",
    "do you ship to Ireland",
    "which cards do you take",
    "when is my next coffee box coming",
    "my discount code does not work",
    "qwertz uiop",
    "can I pause my subscription?",
    "where's my refund",
    "hello??",
    "thanks",
)
#: Of conversations, how many are thrown together.
_RANDOM_SHARE = 0.5


def draw(dice: random.Random) -> Script:
    """Return a conversation, with the names and numbers of a sample customer in it."""
    member, script = dice.choice(cast()), dice.choice(SCRIPTS)
    if dice.random() < _RANDOM_SHARE:
        script = tuple(_draw_step(dice) for _ in range(dice.randint(2, 6)))
    return tuple(_fill(step, member, dice) for step in script)


def _draw_step(dice: random.Random) -> Step:
    chance = dice.random()
    if chance < 0.15:
        return says(*dice.sample(_QUESTIONS, dice.randint(2, 4)))
    if chance < 0.25:
        return Step(doing=Doing.TAPS, texts=(dice.choice(_QUESTIONS),))
    return says(dice.choice(_QUESTIONS))


def _fill(step: Step, member: CastMember, dice: random.Random) -> Step:
    product = dice.choice(PRODUCTS).name
    texts = (text.format(order=member.order_number, postcode=member.postcode, product=product) for text in step.texts)
    return Step(doing=step.doing, texts=tuple(texts))
