"""What actions return, and how it reaches Rasa."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from rasa_sdk import Action
from rasa_sdk.events import ActiveLoop, FollowupAction, SlotSet

from actions.context import TurnContext, read_context
from actions.details import named
from actions.tongues import ENGLISH, TONGUES, speaking
from bot.domain.conversations import Owner
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.ports import Assurances, Clock, CustomerDirectory

if TYPE_CHECKING:
    from rasa_sdk import Tracker
    from rasa_sdk.executor import CollectingDispatcher

_TRIED_MAX = 6


class Sources(Protocol):
    """Where actions look things up."""

    @property
    def directory(self) -> CustomerDirectory:
        """The brand's records."""
        ...

    @property
    def assurances(self) -> Assurances:
        """How surely we know who writes."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


@dataclass(frozen=True, kw_only=True)
class LiveSources:
    """The sources an action server is given."""

    directory: CustomerDirectory
    assurances: Assurances
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Button:
    """A choice under a message: what it says, and the intent and entities it stands for."""

    title: str
    intent: str = ""
    entities: Mapping[str, str] = field(default_factory=dict)
    #: what a tap says, where the button stands for words and not for an intent
    words: str = ""

    def as_rasa(self) -> dict[str, str]:
        """Return the button as Rasa sends it."""
        if self.words:
            return {"title": self.title, "payload": self.words}
        values = json.dumps(dict(self.entities), ensure_ascii=False) if self.entities else ""
        return {"title": self.title, "payload": f"/{self.intent}{values}"}


@dataclass(frozen=True, kw_only=True)
class Say:
    """One message: the name of a response in domain.yml and what to fill in."""

    response: str
    fields: Mapping[str, str] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that comes of an action."""

    says: tuple[Say, ...] = ()
    #: slots to set; none empties one
    slots: Mapping[str, object] = field(default_factory=dict)
    #: asks people to take over; any form is left
    handoff: HandoffRequest | None = None
    #: something for the pipeline to do once: name and arguments
    command: Mapping[str, object] | None = None
    #: a proof that was tried, for the pipeline to check again and to keep
    verify: Mapping[str, object] | None = None
    #: the form to go on with
    follow: str | None = None
    leaves_form: bool = False

    def then(self, later: Result) -> Result:
        """Return this result with a later one behind it; of what there can be only one, the earlier stays."""
        return Result(
            says=self.says + later.says,
            slots={**self.slots, **later.slots},
            handoff=self.handoff or later.handoff,
            command=self.command or later.command,
            verify=self.verify or later.verify,
            follow=self.follow or later.follow,
            leaves_form=self.leaves_form or later.leaves_form,
        )


def say(response: str, *buttons: Button, **fields: str) -> Result:
    """Return a result that is one message."""
    return Result(says=(Say(response=response, fields=fields, buttons=buttons),))


def ask_people(context: TurnContext, reason: Reason, topic: str, summary: str) -> HandoffRequest:
    """Return the request to hand this conversation over, with what the bot already did and what was named."""
    return HandoffRequest(
        reason=reason,
        topic=topic,
        summary=summary if reason is Reason.IN_DANGER else f"{summary} {named(context)}".strip(),
        tried=tried(context),
        order_number=context.order_number,
        language=context.language or None,
    )


def tried(context: TurnContext) -> tuple[str, ...]:
    """Return what the bot did in this conversation so far, in words for the agent."""
    steps: list[str] = []
    for name in context.actions:
        step = _step(name, context.titles)
        if step and step not in steps:
            steps.append(step)
    return tuple(steps[-_TRIED_MAX:])


def _step(action: str, titles: Mapping[str, str]) -> str | None:
    if action == "order_form":
        return "asked for the order number and a postcode or e-mail"
    if action == "action_not_understood":
        return "asked to say it in other words"
    topic = action.removeprefix("action_").removeprefix("utter_")
    return f"answered on “{titles[topic]}”" if topic in titles else None


def queued(result: Result, context: TurnContext) -> Result:
    """Return `result` with the words that close a handoff; while a ticket is open none is asked for but in danger."""
    if result.handoff is None:
        return result
    left = replace(result, follow=None, leaves_form=True)
    if context.owner is Owner.BOT or result.handoff.reason is Reason.IN_DANGER:
        return left if result.says else replace(left, says=(Say(response="say_handoff"),))
    return replace(left, handoff=None, says=result.says or (still_queued(context),))


def still_queued(context: TurnContext) -> Say:
    """Return what a customer hears who waits for a person already."""
    place = context.metadata.get("place_in_queue")
    if isinstance(place, int):
        return Say(response="say_place_in_queue", fields={"place": str(place)})
    return Say(response="say_already_queued")


def records_down(context: TurnContext) -> Result:
    """Return what is said when the brand's records cannot be read: the truth, and a person."""
    topic = context.titles.get(context.intent, "question").lower()
    summary = f"The records could not be read while the customer asked about: {topic}."
    wishes = list(context.names("wish"))
    return Result(
        says=(Say(response="say_records_down"),),
        slots={"wish": None, "choices": None},
        handoff=ask_people(context, Reason.FAILED_ACTION, ", ".join(wishes).replace("_", " ") or topic, summary),
    )


def utter(dispatcher: CollectingDispatcher, result: Result) -> None:
    """Hand the messages and payloads of a result to Rasa."""
    if result.verify is not None:
        dispatcher.utter_message(json_message={"verify": dict(result.verify)})
    for one in result.says:
        buttons = [button.as_rasa() for button in one.buttons]
        dispatcher.utter_message(response=one.response, buttons=buttons, **one.fields)
    if result.command is not None:
        dispatcher.utter_message(json_message={"command": dict(result.command)})
    if result.handoff is not None:
        dispatcher.utter_message(json_message=result.handoff.to_payload())


def events(result: Result) -> list[dict[str, object]]:
    """Return the Rasa events of a result."""
    made: list[dict[str, object]] = []
    if result.leaves_form:
        made += [ActiveLoop(None), SlotSet("requested_slot", None)]
    made += [SlotSet(name, value) for name, value in result.slots.items()]
    if result.follow is not None:
        made.append(FollowupAction(result.follow))
    return made


class TandemAction(Action):
    """An action of ours: a name, and an answer to a turn. It never raises for what can be expected."""

    def __init__(self, name: str, sources: Sources) -> None:
        """Answer to `name`, as domain.yml calls it."""
        self._name = name
        self.sources = sources

    def name(self) -> str:
        """Return the name domain.yml knows the action by."""
        return self._name

    @abstractmethod
    async def answer(self, context: TurnContext) -> Result:
        """Return all that comes of this turn; may raise `DirectoryUnavailableError`."""

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, object]
    ) -> list[dict[str, object]]:
        """Answer the turn that the tracker describes."""
        context = read_context(tracker, domain, self.sources.clock.now(), self.sources.directory.order_numbers)
        speaking.set(TONGUES.get(str(tracker.slots.get("language")), ENGLISH))
        try:
            result = await self.answer(context)
        except DirectoryUnavailableError:
            result = records_down(context)
        result = queued(result, context)
        utter(dispatcher, result)
        return events(result)
