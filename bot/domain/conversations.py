"""A conversation: the exchange with one channel identity, and who answers in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.domain.channels import ChannelAddress

#: Opaque random hex; also Rasa's `sender_id`.
ConversationId = NewType("ConversationId", str)


class Owner(StrEnum):
    """Who answers now."""

    BOT = "bot"
    QUEUE = "queue"
    AGENT = "agent"


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The exchange with one channel identity, from first message to resolution."""

    id: ConversationId
    address: ChannelAddress
    owner: Owner
    #: grows with each change of owner; what was decided under an older one is not sent
    epoch: int
    #: what the channel calls the customer, if it tells
    display_name: str | None
    started_at: datetime
    #: last message of the customer; reply windows count from it
    last_inbound_at: datetime
    #: the customer's, as the channel tells it: "en", "pt-br"
    language: str | None = None
    #: what an answer has to carry, as the last message brought it
    reply_context: Mapping[str, str] = field(default_factory=dict)
