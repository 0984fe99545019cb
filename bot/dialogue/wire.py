"""What travels between service and engine, and what a turn means to the pipeline. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.domain.conversations import ConversationId
from bot.domain.errors import TurnFailedError
from bot.domain.handoff import HandoffRequest
from bot.domain.messages import Meaning, MessageId


@dataclass(frozen=True, kw_only=True)
class TurnRequest:
    """One message for the engine, with all it needs to know."""

    conversation_id: ConversationId
    message_id: MessageId
    channel: str
    text: str
    #: of a tapped choice or a trigger: no understanding needed
    meaning: Meaning | None
    #: the dialogue so far
    events: list[dict[str, Any]]
    #: what actions may read: the owner, the place in the queue
    metadata: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the body of `POST /step`."""
        intent = {"name": self.meaning.intent, "entities": self.meaning.entities} if self.meaning else None
        return {
            "conversation": self.conversation_id,
            "message_id": self.message_id,
            "channel": self.channel,
            "text": self.text,
            "intent": intent,
            "events": self.events,
            "metadata": {"message_id": self.message_id, **self.metadata},
        }


@dataclass(frozen=True, kw_only=True)
class OfferedChoice:
    """A button of the bot: a title, and what tapping it means."""

    title: str
    meaning: Meaning


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One message of the bot."""

    text: str
    choices: tuple[OfferedChoice, ...] = ()
    #: URL of a picture of the brand's
    image: str | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """An effect in the brand's systems that a turn asks for."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ProofAttempt:
    """A turn in which the customer tried to prove who they are."""

    order_number: str
    proof: str
    #: what the action found; the pipeline looks again before it believes it
    succeeded: bool


@dataclass(frozen=True, kw_only=True)
class Reminder:
    """A timer the turn sets (`fire_at`) or drops (none)."""

    #: none: all of the conversation
    name: str | None
    fire_at: datetime | None
    meaning: Meaning


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What the bot made of one message."""

    events: list[dict[str, Any]]
    answers: tuple[Answer, ...]
    handoff: HandoffRequest | None
    commands: tuple[Command, ...]
    proofs: tuple[ProofAttempt, ...]
    reminders: tuple[Reminder, ...]
    intent: str | None
    confidence: float | None
    #: (intent, confidence), best first
    ranking: tuple[tuple[str, float], ...]
    #: not understood
    is_fallback: bool
    #: {"slots": {...}, "active_loop": name or none}
    state: dict[str, Any]
    model_id: str
    #: code of the language that the message is in; none: nobody could tell
    language: str | None = None


def read_turn(body: object) -> Turn:
    """Return the turn inside the engine's answer; raises `TurnFailedError` when it is not one."""
    try:
        if not isinstance(body, dict):
            raise TypeError("not an object")
        return _turn(body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TurnFailedError(f"the engine's answer is not a turn: {error!r}") from error


def _turn(body: dict[str, Any]) -> Turn:
    answers: list[Answer] = []
    handoff: HandoffRequest | None = None
    commands: list[Command] = []
    proofs: list[ProofAttempt] = []
    for raw in body["answers"]:
        custom = raw.get("custom") or {}
        handoff = HandoffRequest.from_payload(custom) or handoff
        if "command" in custom:
            command = custom["command"]
            commands.append(Command(name=str(command["name"]), arguments=dict(command["arguments"])))
        if "verify" in custom:
            verify = custom["verify"]
            proofs.append(
                ProofAttempt(
                    order_number=str(verify["order_number"]),
                    proof=str(verify["proof"]),
                    succeeded=verify["succeeded"] is True,
                )
            )
        if raw.get("text") or raw.get("image") or raw.get("buttons"):
            answers.append(_answer(raw))
    intent = body.get("intent") or {}
    return Turn(
        events=list(body["events"]),
        answers=tuple(answers),
        handoff=handoff,
        commands=tuple(commands),
        proofs=tuple(proofs),
        reminders=tuple(_reminders(body["events"])),
        intent=intent.get("name"),
        confidence=intent.get("confidence"),
        ranking=tuple((str(entry["name"]), float(entry["confidence"])) for entry in body.get("ranking") or []),
        is_fallback=bool(body["fallback"]),
        state={"slots": dict(body["slots"]), "active_loop": body["active_loop"]},
        model_id=str(body["model_id"]),
        language=str(body["language"]) if body.get("language") else None,
    )


def _answer(raw: dict[str, Any]) -> Answer:
    choices = tuple(
        OfferedChoice(title=str(button["title"]), meaning=read_meaning(str(button["payload"])))
        for button in raw.get("buttons") or []
    )
    return Answer(text=str(raw.get("text") or ""), choices=choices, image=raw.get("image"))


def read_meaning(payload: str) -> Meaning:
    """Return what a Rasa button payload stands for: `/intent{"entity": "value"}`, or words the customer might type."""
    if not payload.startswith("/"):
        return Meaning(intent="", entities={}, words=payload)
    name, brace, rest = payload[1:].partition("{")
    entities = json.loads(brace + rest) if brace else {}
    return Meaning(intent=name.strip(), entities={str(key): str(value) for key, value in entities.items()})


def _reminders(events: list[dict[str, Any]]) -> list[Reminder]:
    reminders = []
    for event in events:
        if event.get("event") == "reminder":
            fire_at = datetime.fromisoformat(str(event["date_time"]))
            aware = fire_at if fire_at.tzinfo else fire_at.replace(tzinfo=UTC)
            raw = event.get("entities") or {}
            entities = raw if isinstance(raw, dict) else {str(entry["entity"]): entry["value"] for entry in raw}
            meaning = Meaning(
                intent=str(event["intent"]), entities={key: str(value) for key, value in entities.items()}
            )
            reminders.append(Reminder(name=str(event["name"]), fire_at=aware, meaning=meaning))
        elif event.get("event") == "cancel_reminder":
            name = event.get("name")
            nothing = Meaning(intent="", entities={})
            reminders.append(Reminder(name=str(name) if name else None, fire_at=None, meaning=nothing))
    return reminders
