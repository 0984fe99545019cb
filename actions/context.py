"""What an action may know of the turn it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from actions.wording import local_day
from bot.domain.conversations import ConversationId, Owner
from bot.domain.customers import OrderNumber, OrderNumberForm
from bot.domain.messages import MessageId

if TYPE_CHECKING:
    from rasa_sdk import Tracker

NOT_UNDERSTOOD = "nlu_fallback"
#: The intent of a message that an article answers.
KNOWLEDGE = "knowledge"
#: A response of this name holds what an intent is called on a button.
TITLE_PREFIX = "title_"


@dataclass(frozen=True, kw_only=True)
class Article:
    """A passage of what the brand wrote."""

    title: str
    text: str
    #: where all of it can be read; empty where it cannot
    link: str = ""
    #: headings of other passages that come near the message
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TurnContext:
    """One turn as an action sees it. Slots are claims of the customer, never permissions."""

    conversation_id: ConversationId
    message_id: MessageId
    #: who answers now; actions run under `bot` and `queue` only
    owner: Owner
    now: datetime
    text: str = ""
    intent: str = ""
    #: intents with their confidence, best first
    ranking: tuple[tuple[str, float], ...] = ()
    #: what understanding says is to be done: "answer", "clarify" or "people"; empty where nothing had to be understood
    decision: str = ""
    #: the passage of an article that answers the message; none: no passage does
    article: Article | None = None
    #: values of each entity, in the order of the text
    entities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slots: Mapping[str, object] = field(default_factory=dict)
    #: the form that is being filled
    form: str | None = None
    #: what ran before in this conversation, oldest first
    actions: tuple[str, ...] = ()
    #: what intents are called, for agents
    titles: Mapping[str, str] = field(default_factory=dict)
    #: the same on buttons, in the customer's language; empty: as for agents
    labels: Mapping[str, str] = field(default_factory=dict)
    #: code of the language that the message is in; empty: nobody could tell
    language: str = ""
    #: what the pipeline put on the message
    metadata: Mapping[str, object] = field(default_factory=dict)
    #: how the brand writes its order numbers
    order_numbers: OrderNumberForm = field(default_factory=OrderNumberForm)

    @property
    def today(self) -> date:
        """The brand's local date."""
        return local_day(self.now)

    def read_order_number(self, text: object) -> OrderNumber | None:
        """Return the order number that `text` as a whole stands for, or none."""
        return self.order_numbers.read(text) if isinstance(text, str) else None

    @property
    def order_number(self) -> OrderNumber | None:
        """The order in question: the one named in the message, else the one talked about."""
        named = self.named_order_number
        return named or self.read_order_number(self.slots.get("order_number"))

    @property
    def named_order_number(self) -> OrderNumber | None:
        """The order number in this very message, the last one if there are several."""
        numbers = [
            number for value in self.entities.get("order_number", ()) if (number := self.read_order_number(value))
        ]
        return numbers[-1] if numbers else None

    @property
    def questions(self) -> tuple[str, ...]:
        """What the message asks, by intent, where that is more than one thing; the intent alone is one of them."""
        asked = self.metadata.get("questions")
        return tuple(str(intent) for intent in asked) if isinstance(asked, list) else ()

    def label(self, intent: str) -> str:
        """Return what an intent is called on a button."""
        return self.labels.get(intent) or self.titles.get(intent, intent)

    def about(self, number: OrderNumber | None) -> TurnContext:
        """Return the same turn with another order in question, or with none."""
        entities = {name: values for name, values in self.entities.items() if name != "order_number"}
        return replace(self, entities=entities, slots={**self.slots, "order_number": number})

    def entity(self, name: str) -> str | None:
        """Return the first value of an entity."""
        return next(iter(self.entities.get(name, ())), None)

    def slot(self, name: str) -> str | None:
        """Return what a text slot holds."""
        value = self.slots.get(name)
        return value if isinstance(value, str) and value else None

    def count(self, name: str) -> int:
        """Return what a counting slot holds; an empty one counts nothing."""
        value = self.slots.get(name)
        return int(value) if isinstance(value, int | float) else 0

    def names(self, name: str) -> tuple[str, ...]:
        """Return what a list slot holds."""
        value = self.slots.get(name)
        return tuple(str(entry) for entry in value) if isinstance(value, list) else ()


def read_context(
    tracker: Tracker, domain: Mapping[str, object], now: datetime, order_numbers: OrderNumberForm
) -> TurnContext:
    """Return the turn that `tracker` describes, with the titles that the domain's responses give to intents."""
    message = tracker.latest_message
    metadata = message.get("metadata") or {}
    loop = (tracker.active_loop or {}).get("name")
    owner = str(metadata.get("owner") or Owner.BOT)
    return TurnContext(
        conversation_id=ConversationId(str(tracker.sender_id)),
        message_id=MessageId(str(metadata.get("message_id") or message.get("message_id") or "")),
        owner=Owner(owner) if owner in set(Owner) else Owner.BOT,
        now=now,
        text=str(message.get("text") or ""),
        intent=str((message.get("intent") or {}).get("name") or ""),
        ranking=tuple(
            (str(guess.get("name")), float(guess.get("confidence") or 0.0))
            for guess in message.get("intent_ranking") or ()
        ),
        decision=str(message.get("decision") or ""),
        article=_article(message.get("article")),
        entities=_entities(message.get("entities")),
        slots=dict(tracker.slots),
        form=str(loop) if loop else None,
        actions=tuple(str(event.get("name")) for event in tracker.events if event.get("event") == "action"),
        titles=_titles(domain),
        labels=_titles(domain, str(tracker.slots.get("language") or "")),
        language=str(message.get("language") or ""),
        metadata=metadata,
        order_numbers=order_numbers,
    )


def _article(found: object) -> Article | None:
    if not isinstance(found, dict):
        return None
    others = tuple(str(heading) for heading in found.get("others") or ())
    return Article(
        title=str(found.get("title") or ""),
        text=str(found.get("text") or ""),
        link=str(found.get("link") or ""),
        others=others,
    )


def _entities(found: object) -> dict[str, tuple[str, ...]]:
    values: dict[str, list[str]] = {}
    for entity in found if isinstance(found, list) else ():
        if isinstance(entity, dict) and entity.get("entity") and entity.get("value") is not None:
            values.setdefault(str(entity["entity"]), []).append(str(entity["value"]))
    return {name: tuple(several) for name, several in values.items()}


def _titles(domain: Mapping[str, object], language: str = "") -> dict[str, str]:
    responses = domain.get("responses")
    prefix = f"{language}.{TITLE_PREFIX}" if language else TITLE_PREFIX
    titles = {}
    for name, variations in responses.items() if isinstance(responses, dict) else ():
        if name.startswith(prefix) and variations:
            titles[name.removeprefix(prefix)] = str(variations[0].get("text") or "")
    return titles
