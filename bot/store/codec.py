"""Domain values to and from the JSON of the database."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from bot.domain.desk import DeskPost
from bot.domain.messages import Attachment, Echo, InboundMessage, OutboundMessage, Reaction, Receipt, Withdrawal

#: One per kind of value that is stored; `dump_python(value, mode="json")` and `validate_python(json)`.
INBOUND: TypeAdapter[InboundMessage] = TypeAdapter(InboundMessage)
RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)
REACTION: TypeAdapter[Reaction] = TypeAdapter(Reaction)
WITHDRAWAL: TypeAdapter[Withdrawal] = TypeAdapter(Withdrawal)
ECHO: TypeAdapter[Echo] = TypeAdapter(Echo)
OUTBOUND: TypeAdapter[OutboundMessage] = TypeAdapter(OutboundMessage)
DESK_POST: TypeAdapter[DeskPost] = TypeAdapter(DeskPost)
ATTACHMENTS: TypeAdapter[tuple[Attachment, ...]] = TypeAdapter(tuple[Attachment, ...])


def to_json(adapter: TypeAdapter[Any], value: object) -> Any:
    """Return `value` as what a JSON column takes."""
    return adapter.dump_python(value, mode="json")
