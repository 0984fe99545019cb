"""The few sentences the pipeline says itself; everything else is said by the bot's responses or by people.

Customers read them in their language: wording/<language>.yml holds them by their English names here. What is missing
there is said in English.
"""

from __future__ import annotations

from functools import cache

from bot.domain.ports import CommandResult
from bot.domain.tickets import Agent
from bot.pipeline.wording import languages, wording

#: What is said about the wait where there is nothing to tell it from.
CANNOT_SAY = "I can't say how long it will take."
NOBODY_HERE = "None of my colleagues is here right now; somebody will answer as soon as they are back."
AWAY = "Our team is away right now and will be back {when}."
UNTIL_BACK = "Our team is here until {until}, so it may take until we are back {when}."
TAKES = "It should take {time}."
A_MINUTE = "about a minute"
UP_TO = "up to {longest}"
BETWEEN = "{shortest} to {longest}"
MINUTES = "{count} minutes"
ONE_MINUTE = "1 minute"
HOURS = "{count} hours"
TODAY_AT = "today at {time}"
TOMORROW_AT = "tomorrow at {time}"
WEEKDAY_AT = "on {weekday} at {time}"
DAY_AT = "on {weekday}, {day} {month} at {time}"
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
MONTHS = "January February March April May June July August September October November December"
PLACE_NEXT = "You're next in line. {outlook} You can keep writing here; I'll answer what I can while you wait."
PLACE_LATER = (
    "You're number {place} in line. {outlook} You can keep writing here; I'll answer what I can while you wait."
)
AGENT_JOINED = "{name} has joined the chat and will take it from here."
RELEASED = "{name} had to leave the chat, so you are back in line for the next colleague. {waits}"
TRANSFERRED = "I'm passing you on to our colleagues who know more about this ({team}). {waits}"
COMMAND_DONE = "That's done: {what}."
COMMAND_REFUSED = "I couldn't {what}: {reason}. I've asked a colleague to look at it, and they will answer you here."


def told(english: str, language: str | None) -> str:
    """Return what a sentence of this module is in a language ("de", "de-at"); English where nobody has put it."""
    return wording(language).get(_names()[english], english)


def every(english: str) -> frozenset[str]:
    """Return a sentence of this module in all languages that it is put in."""
    return frozenset((english, *(told(english, language) for language in languages())))


def place_in_queue(place: int, outlook: str = "", language: str | None = None) -> str:
    """Say how many wait before the customer, and how long that will take."""
    form = told(PLACE_NEXT if place <= 1 else PLACE_LATER, language)
    return form.format(place=place, outlook=outlook or told(CANNOT_SAY, language))


def agent_joined(name: str, language: str | None = None) -> str:
    """Say that a person answers now."""
    return told(AGENT_JOINED, language).format(name=name)


def released(name: str, place: int, outlook: str = "", language: str | None = None) -> str:
    """Say that the agent has left and the customer waits again."""
    return told(RELEASED, language).format(name=name, waits=place_in_queue(place, outlook, language))


def transferred(team: str, place: int, outlook: str = "", language: str | None = None) -> str:
    """Say that other people will answer."""
    return told(TRANSFERRED, language).format(team=team, waits=place_in_queue(place, outlook, language))


def assigned(by: Agent, to: Agent, former: Agent | None, remark: str) -> str:
    """Tell agents who has the ticket now, and from whom."""
    if by.id == to.id:
        what = f"{to.name} has taken this ticket over" + (f" from {former.name}." if former else ".")
    else:
        what = f"{by.name} has given this ticket to {to.name}" + (f"; {former.name} had it." if former else ".")
    return f"{what} {remark}".strip()


def is_away(agent: Agent) -> str:
    """Tell who gives a ticket to somebody that they may not see it soon."""
    return f"{agent.name} is away now, and may not see it before they are back."


def promise_replaced(earlier: str) -> str:
    """Tell who promises something that a ticket recalls one promise, the last."""
    return f"This is recalled in place of what was promised before: {earlier}"


def moved(by: Agent, former: str, team: str, remark: str) -> str:
    """Tell agents where the ticket came from."""
    return f"{by.name} has passed this ticket on from {former} to {team}. {remark}".strip()


def moved_back(by: Agent) -> str:
    """Tell agents why the ticket is back."""
    return f"{by.name} has taken the transfer back."


ASK_FOR_PROOF = (
    "To look into your records I need to be sure it's you. Please send me your order number, and the postcode it goes "
    "to or the e-mail address you ordered with."
)
PROOF_FITS = "Thank you, that fits our records."
PROOF_WRONG = (
    "Sorry, that order number and that postcode or e-mail address don't belong together in our records. Please look at "
    "your order confirmation and send me both again."
)
PROOF_GIVEN_UP = "Sorry, that doesn't fit our records either. My colleague will help you without it."
PROOF_HALF = "Thank you. And the postcode the order goes to, or the e-mail address you ordered with?"
NUMBER_MISSING = "Thank you. And the order number? It's in your order confirmation."
HOW_WAS_IT = "How was that for you? 1 is very poor, 5 is very good."
RATINGS = ("Very poor", "Poor", "Fair", "Good", "Very good")
THANKS_FOR_RATING = "Thank you for telling us."
SORRY_FOR_THAT = "Thank you for telling us, and sorry that it went so. Shall a colleague look at it again?"
YES_REOPEN = "Yes, please"
REOPENED = "I've passed that on to the colleagues who helped you before."
PEOPLE_DECIDE = "My colleagues have asked to look at that themselves, so I've passed it on to them."
FILE_RECEIVED = "Thanks, I've got your file. I can't read it myself, so I've passed it to a colleague."
JOINED = "Thank you for coming here, where only we can read along. You wrote: “{quoted}”."
JOINED_PEOPLE = "A colleague of mine has your message and will answer you here."
INVITATION_USED = (
    "Thank you for writing. That invitation has been used before, but you are welcome here all the same: what can I do "
    "for you?"
)
INVITATION_EXPIRED = (
    "Thank you for writing. That invitation is no longer valid, but you are welcome here all the same: what can I do "
    "for you?"
)
INVITATION_UNKNOWN = "I don't know that code, I'm afraid. Please look at it again, or just tell me what it is about."
INVITATION_BARRED = "Those were too many codes that I don't know. Please just tell me what it is about."
NOT_FOR_PUBLIC = "it is not one of the texts that were approved for everybody to read"
RESOLVED = "This conversation has been closed. Just write again if there is anything else."
ENGINE_FAILED = (
    "Sorry, something went wrong on our side. I've passed your message to a colleague, who will answer you here."
)
STILL_WORKING = "Thanks for your message. It is taking longer than usual; you will get an answer here."

NO_REASON = "the channel gave no reason"
NOT_REACHED = "our shop's own system does not answer"


def undelivered(reason: str) -> str:
    """Tell the agent that a message did not arrive."""
    return (
        f"A message to the customer was not delivered: {reason}. They have not seen it: reply again, or reach them "
        "another way and note that here."
    )


def not_amended(reason: str | None) -> str:
    """Tell the agent that a change did not reach the customer, for this reason; none: that nobody knows."""
    if reason is None:
        return "Nobody knows whether your change reached the customer: the channel did not answer. Please check there."
    return f"Your change did not reach the customer: {reason}. They still see what you sent before."


def held() -> str:
    """Tell the agent that nobody knows whether a message arrived."""
    return (
        "A message to the customer may or may not have arrived: the connection broke while it was sent, and this "
        "channel cannot tell. It was not sent again; please check and repeat it if needed."
    )


def would(name: str, order_number: object) -> str:
    """Tell the agent what the bot would do if it had the conversation."""
    return f"(The bot would {name.replace('_', ' ')}{f' {order_number}' if order_number else ''}.)"


def command_ended(name: str, order_number: object, result: CommandResult, language: str | None = None) -> str:
    """Tell the customer what came of something the bot was asked to do."""
    verb = wording(language).get(f"command_{name}", name.replace("_", " "))
    what = verb + (f" {order_number}" if order_number else "")
    form = told(COMMAND_DONE if result.is_done else COMMAND_REFUSED, language)
    reason = wording(language).get("not_reached", result.reason) if result.reason == NOT_REACHED else result.reason
    return form.format(what=what, reason=reason)


@cache
def _names() -> dict[str, str]:
    """Return the names of this module's sentences, in small letters, by what they say in English."""
    texts = {name.lower(): text for name, text in globals().items() if name.isupper() and isinstance(text, str)}
    texts |= {f"rating_{number}": title for number, title in enumerate(RATINGS, 1)}
    return {text: name for name, text in texts.items()}
