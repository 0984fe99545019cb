"""What public messages were found to be, and what was done about them. All functions are transaction bodies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import MessageId
from bot.domain.triage import Kind, Treatment, Verdict
from bot.store.database import insert_once
from bot.store.schema import triages


@dataclass(frozen=True, kw_only=True)
class Triage:
    """What a public message was found to be, and what was done about it."""

    verdict: Verdict
    treatment: Treatment
    #: of the approved answer that it got
    intent: str | None = None


def add(
    connection: Connection, conversation_id: ConversationId, message_id: MessageId, triage: Triage, now: datetime
) -> None:
    """Keep it; the same message is kept once."""
    values: dict[str, object] = {
        "message_id": message_id,
        "conversation_id": conversation_id,
        "aim": triage.verdict.aim.value,
        "kind": triage.verdict.kind.value,
        "treatment": triage.treatment.value,
        "intent": triage.intent,
        "at": now,
    }
    insert_once(connection, triages, values)


def has(
    connection: Connection, conversation_id: ConversationId, treatment: Treatment, intent: str | None = None
) -> bool:
    """Whether a public conversation got that treatment before, of an answer that to the same question."""
    mine = (triages.c.conversation_id == conversation_id) & (triages.c.treatment == treatment.value)
    same = mine if intent is None else mine & (triages.c.intent == intent)
    return connection.execute(select(triages.c.message_id).where(same).limit(1)).first() is not None


def last_kind(connection: Connection, conversation_id: ConversationId) -> Kind | None:
    """Return what the newest message of a public conversation was that was not spam or chatter; none: there is none."""
    said = triages.c.kind.not_in([Kind.SPAM.value, Kind.CHATTER.value])
    mine = select(triages.c.kind).where(triages.c.conversation_id == conversation_id, said)
    found = connection.scalar(mine.order_by(triages.c.at.desc()).limit(1))
    return Kind(found) if found else None


def counts(connection: Connection, since: datetime) -> dict[tuple[Kind, Treatment], int]:
    """Return how many public messages there were since a moment, by what they are and what was done."""
    query = select(triages.c.kind, triages.c.treatment, func.count()).where(triages.c.at >= since)
    rows = connection.execute(query.group_by(triages.c.kind, triages.c.treatment))
    return {(Kind(kind), Treatment(treatment)): int(count) for kind, treatment, count in rows}
