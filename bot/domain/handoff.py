"""A bot's request that a person take over, to and from the payload that travels through Rasa."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why people are asked."""

    EXPLICIT_WISH = "explicit_wish"
    NOT_UNDERSTOOD = "not_understood"
    LOW_CONFIDENCE = "low_confidence"
    FAILED_ACTION = "failed_action"
    ANGER = "anger"
    #: they may be about to harm themselves: before all others
    IN_DANGER = "in_danger"
    PEOPLE_ONLY = "people_only"
    VERIFICATION_FAILED = "verification_failed"
    #: it was written where everybody reads it, and no approved text answers it
    IN_PUBLIC = "in_public"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class HandoffRequest:
    """What the bot says when it hands a conversation to people."""

    reason: Reason
    #: short noun phrase: "refund", "delivery problem"
    topic: str
    #: one sentence for the agent
    summary: str
    #: what the bot already did, in order
    tried: tuple[str, ...] = ()
    #: the order at stake, as the customer gave it
    order_number: str | None = None
    #: code of the language that the customer writes; none: that of the conversation
    language: str | None = None

    def to_payload(self) -> dict[str, object]:
        """Return the JSON object an action utters as a custom payload."""
        return {
            "handoff": {
                "reason": self.reason.value,
                "topic": self.topic,
                "summary": self.summary,
                "tried": list(self.tried),
                "order_number": self.order_number,
                "language": self.language,
            }
        }

    @classmethod
    def from_payload(cls, payload: object) -> HandoffRequest | None:
        """Return the request inside a custom payload; none when the payload is not one.

        Raises `ValueError` when it claims to be a handoff but is not well formed.
        """
        if not isinstance(payload, dict) or "handoff" not in payload:
            return None
        body = payload["handoff"]
        if not isinstance(body, dict):
            raise ValueError("a handoff payload must be an object")  # noqa: TRY004 - one kind of error for all bad JSON
        tried = body.get("tried") or []
        order_number, language = body.get("order_number"), body.get("language")
        if not isinstance(tried, list):
            raise ValueError("`tried` of a handoff payload must be a list")  # noqa: TRY004
        reason = str(body.get("reason"))
        return cls(
            reason=Reason(reason) if reason in set(Reason) else Reason.OTHER,
            topic=str(body.get("topic") or "question"),
            summary=str(body.get("summary") or ""),
            tried=tuple(str(step) for step in tried),
            order_number=str(order_number) if order_number else None,
            language=str(language) if language else None,
        )
