"""Holds conversations with the real engine and the real actions in this process, over the real sample shop.

What the pipeline does between two turns is done here in a few lines: it keeps events, owner and assurance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from actions.server import ActionServer, build_actions
from bot.dialogue.memory import recall
from bot.dialogue.wire import OfferedChoice, Turn, read_turn
from bot.domain.assurance import Assurance, Level
from bot.domain.conversations import ConversationId, Owner
from bot.domain.customers import OrderNumber
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.messages import Meaning
from bot.domain.ports import CustomerDirectory
from bot.store.sample_shop.shop import SampleShop
from tests.dialogue.driver import Heard

#: Turns given to the engine whole, as the pipeline does.
TURNS_KEPT = 10
CONVERSATION = ConversationId("c0ffee")


@dataclass
class TableClock:
    """A clock that stands until it is moved."""

    at: datetime

    def now(self) -> datetime:
        """Return the moment it shows."""
        return self.at


class BreakableDirectory:
    """The real directory, which can be cut off."""

    def __init__(self, directory: CustomerDirectory) -> None:
        """Stand before `directory`."""
        self._directory = directory
        self.is_broken = False

    def __getattr__(self, name: str) -> object:
        """Return the directory's own method, or one that cannot read the records."""
        return _unavailable if self.is_broken else getattr(self._directory, name)


async def _unavailable(*_: object) -> None:
    raise DirectoryUnavailableError


@dataclass
class HeldAssurances:
    """The assurance of the one conversation that is held."""

    held: Assurance = field(default_factory=Assurance)

    async def assurance(self, conversation_id: ConversationId) -> Assurance:
        """Return what is held."""
        del conversation_id
        return self.held


class LocalActions:
    """An action endpoint that calls the action server instead of a socket."""

    url = "here"
    #: where Rasa looks for the option to send less of the domain
    kwargs: Mapping[str, object] = {}

    def __init__(self) -> None:
        """Serve nothing yet."""
        self.server: ActionServer | None = None

    async def request(self, *_: object, json: dict[str, Any], **__: object) -> dict[str, object]:
        """Run the action as the engine's own endpoint would."""
        from rasa.utils.endpoints import ClientResponseError

        assert self.server is not None
        status, body = await self.server.run(_through_json(json))
        if status == 400:
            raise ClientResponseError(status, "rejected", _dumped(body))
        if status != 200:
            raise AssertionError(f"{status} {body}")
        return body

    async def close(self) -> None:
        """Nothing is open."""


def _through_json(body: dict[str, Any]) -> dict[str, Any]:
    """Return what arrives when the body travels over HTTP."""
    parsed: dict[str, Any] = json.loads(_dumped(body))
    return parsed


def _dumped(body: object) -> str:
    return json.dumps(body)


@dataclass
class World:
    """What a conversation is held in."""

    processor: Any
    actions: LocalActions
    directory: BreakableDirectory
    shop: SampleShop
    clock: TableClock


class EngineDriver:
    """One conversation with the engine."""

    def __init__(self, world: World) -> None:
        """Begin a conversation as somebody nobody knows."""
        self._world = world
        self._assurances = HeldAssurances()
        world.actions.server = ActionServer(build_actions(world.directory, self._assurances, world.clock))  # type: ignore[arg-type]
        self._owner = Owner.BOT
        self._turns: list[Turn] = []
        self._choices: dict[str, Meaning] = {}
        self._message_count = 0

    async def say(self, text: str) -> Heard:
        """Write as the customer; an agent's customer is heard by the agent alone."""
        return Heard() if self._owner is Owner.AGENT else await self._step(text, None)

    async def tap(self, title: str) -> Heard:
        """Tap a button that was offered."""
        if title not in self._choices:
            raise LookupError(f"{title!r} cannot be tapped; there is {sorted(self._choices)}")
        return Heard() if self._owner is Owner.AGENT else await self._step(title, self._choices[title])

    async def claim(self) -> Heard:
        """Take the ticket."""
        assert self._owner is Owner.QUEUE, "there is no ticket to claim"
        self._owner = Owner.AGENT
        return Heard()

    async def reply(self, text: str) -> Heard:
        """Write to the customer."""
        assert self._owner is Owner.AGENT
        return Heard(texts=(text,))

    async def hand_back(self, outcome: str) -> Heard:
        """Give back; the engine is told by an intent of the server's."""
        assert self._owner is Owner.AGENT
        self._owner = Owner.BOT
        return await self._step("", Meaning(intent="handed_back", entities={"outcome": outcome, "agent": "Sam"}))

    def break_records(self, *, broken: bool) -> None:
        """Cut the directory off, or mend it."""
        self._world.directory.is_broken = broken

    def pass_time(self, span: timedelta) -> None:
        """Move the clock."""
        self._world.clock.at += span

    async def _step(self, text: str, meaning: Meaning | None) -> Heard:
        from bot.engine.step import StepRequest, step

        self._message_count += 1
        held = self._assurances.held
        self._assurances.held = held if held.level_at(self._world.clock.at) is Level.L0 else self._seen(held)
        older = self._turns[:-TURNS_KEPT]
        message_id = f"m{self._message_count}"
        request = {
            "conversation": CONVERSATION,
            "message_id": message_id,
            "channel": "webchat",
            "text": text,
            "intent": {"name": meaning.intent, "entities": meaning.entities} if meaning else None,
            "events": recall(older[-1].state if older else None, [turn.events for turn in self._turns[-TURNS_KEPT:]]),
            "metadata": {"message_id": message_id, "owner": self._owner.value, "place_in_queue": self._place()},
        }
        body = _through_json(await step(self._world.processor, StepRequest.from_json(_through_json(request))))
        turn = read_turn(body)
        self._turns.append(turn)
        await self._keep_proofs(turn)
        return await self._heard(turn, body)

    def _place(self) -> int | None:
        return 1 if self._owner is Owner.QUEUE else None

    def _seen(self, held: Assurance) -> Assurance:
        return replace(held, last_seen_at=self._world.clock.at)

    async def _keep_proofs(self, turn: Turn) -> None:
        now, held = self._world.clock.at, self._assurances.held
        for attempt in turn.proofs:
            order = await self._world.directory.find_order(OrderNumber(attempt.order_number), attempt.proof)  # type: ignore[operator]
            assert (order is not None) is attempt.succeeded, "an action and the pipeline disagree on a proof"
            if order is None:
                held = replace(held, failure_count=held.failure_count + 1, failed_at=now)
            else:
                held = Assurance(customer_id=order.customer_id, level=Level.L1, proved_at=now, last_seen_at=now)
        self._assurances.held = held

    async def _heard(self, turn: Turn, body: Mapping[str, object]) -> Heard:
        self._choices = {offered.title: offered.meaning for offered in _offered(turn)} or self._choices
        if turn.handoff is not None:
            assert self._owner is Owner.BOT, "a second ticket was asked for"
            self._owner = Owner.QUEUE
        known = self._assurances.held.customer_id
        for number, command in enumerate(turn.commands):
            arguments = {**command.arguments, "customer_id": known}
            result = await self._world.shop.execute(command.name, arguments, f"{self._message_count}:{number}")
            assert result.is_done, result.reason
        return Heard(
            texts=tuple(answer.text for answer in turn.answers),
            buttons=tuple(offered.title for offered in _offered(turn)),
            ticket=(turn.handoff.reason.value, turn.handoff.topic) if turn.handoff else None,
            commands=tuple((command.name, command.arguments) for command in turn.commands),
            notes=f"intent {turn.intent} {turn.confidence}, ranking {turn.ranking[:3]}, actions {body.get('actions')}, "
            f"entities {body.get('entities')}, slots {turn.state['slots']}, form {turn.state['active_loop']}",
        )


def _offered(turn: Turn) -> list[OfferedChoice]:
    return [offered for answer in turn.answers for offered in answer.choices]
