"""A public channel beside the rig's private one, and the texts that its brand approved."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from bot.domain.channels import ChannelName
from bot.domain.connectors import ConnectorRegistry
from bot.domain.doorways import doorways
from bot.domain.invitations import InvitationToken, brought
from bot.domain.public import PublicRules, PublicText, PublicTexts
from bot.domain.rules import Rules
from bot.domain.tickets import Ticket
from bot.store import conversations, tickets
from tests.fakes.connector import FakeConnector, message
from tests.pipeline.rig import PLAIN, Reply, Rig, turn

HOURS = "We are open from nine to six, every day."
THANKS = "Thank you, that means a lot to us."
ASK = "Please write to us in private: {link}"
CODE = "Please send us a direct message with the code {code}."
CLOSING = "Thank you, we have been in touch in private."
TEXTS = PublicTexts(
    answers={"opening_hours": (PublicText(HOURS),)},
    thanks=(PublicText(THANKS),),
    invitations=(PublicText(ASK),),
    invitations_by_code=(PublicText(CODE),),
    closings=(PublicText(CLOSING),),
)
GERMAN_HOURS = "Wir haben täglich von neun bis sechs geöffnet."
GERMAN_ASK = "Bitte schreiben Sie uns privat: {link}"
IN_GERMAN = PublicTexts(answers={"opening_hours": (PublicText(GERMAN_HOURS),)}, invitations=(PublicText(GERMAN_ASK),))
LINK = "https://fake.example/start?"
_NUMBERS = count(1)


def square() -> FakeConnector:
    """Return the public side of the channel `fake`."""
    return FakeConnector(channel=ChannelName("fake-comments"), is_public=True)


def rules(public: FakeConnector, private: FakeConnector) -> Rules:
    """Return the rules of a brand that has both."""
    registry = ConnectorRegistry(connectors=(private, public))
    return replace(PLAIN, public=PublicRules(doorways=doorways(registry.connectors), texts=TEXTS))


def meaning(intent: str, *answers: str, confidence: float = 0.9, **more: Any) -> Reply:
    """Return a turn that understands that, and answers something that nobody approved."""
    return turn(
        *(answers or ("Your order CL-104233 is with Evri, Ann.",)), intent=intent, confidence=confidence, **more
    )


async def says(rig: Rig, channel: FakeConnector, text: str, customer: str = "post:ann", **more: Any) -> None:
    """Let somebody write on a channel, and see it through."""
    wrote = message(channel, customer, f"out-{next(_NUMBERS)}", text, **more)
    await rig.receiver.receive(channel, channel.request([wrote]))
    await rig.settle()


async def ticket_at(rig: Rig, channel: FakeConnector, customer: str = "post:ann") -> Ticket | None:
    """Return the newest ticket of a conversation, if it ever had one."""
    found = await rig.database.read(conversations.find_by_address, channel.address(customer))
    return await rig.database.read(tickets.last_of, found.id) if found else None


def token_in(text: str) -> InvitationToken:
    """Return the token of an invitation that everybody can read."""
    found = brought(text, "")
    assert found is not None, text
    return found.token
