"""What the use cases need from the outside, as protocols; `bot.service` decides who provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.assurance import Assurance
from bot.domain.conversations import ConversationId
from bot.domain.customers import (
    Clue,
    Customer,
    CustomerId,
    CustomerRecord,
    Order,
    OrderNumber,
    OrderNumberForm,
    Product,
    Store,
    Subscription,
)
from bot.domain.messages import Attachment, MediaId


class Clock(Protocol):
    """Tells the time; tests set it."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class CustomerDirectory(Protocol):
    """The brand's own records, read only.

    Every method raises `DirectoryUnavailableError` when the records cannot be read; none invents an answer.
    Whether a customer may see what is returned is the caller's question (`bot.domain.assurance`), except in
    `find_order`, which finds nothing unless the proof fits.
    """

    @property
    def order_numbers(self) -> OrderNumberForm:
        """How the brand writes its order numbers."""
        ...

    async def find_order(self, number: OrderNumber, proof: str) -> Order | None:
        """Return the order if `proof` is the postcode it goes to or its customer's e-mail, however they are typed."""
        ...

    async def order(self, number: OrderNumber, customer_id: CustomerId) -> Order | None:
        """Return one order of this customer; none if there is none or it belongs to somebody else."""
        ...

    async def orders(self, customer_id: CustomerId, limit: int) -> list[Order]:
        """Return the customer's orders, newest first, at most `limit`."""
        ...

    async def subscriptions(self, customer_id: CustomerId) -> list[Subscription]:
        """Return the customer's subscriptions, active ones first."""
        ...

    async def record(self, customer_id: CustomerId) -> CustomerRecord | None:
        """Return what the desk shows of a customer: the person, the last orders, the subscriptions."""
        ...

    async def resembling(self, clue: Clue, value: str, limit: int) -> list[Customer]:
        """Return customers who have that order, e-mail address or name, in whatever case; for agents only.

        It asks for no proof, so nothing of it may be told to whoever names the clue.
        """
        ...

    async def products(self, name: str, limit: int) -> list[Product]:
        """Return the products whose names come nearest to `name`, best first; empty when none is near."""
        ...

    async def stores(self, city: str | None) -> list[Store]:
        """Return all stores, or those of the city that comes nearest to `city`."""
        ...


class Assurances(Protocol):
    """Reads how surely we know who writes in a conversation; the pipeline alone writes it."""

    async def assurance(self, conversation_id: ConversationId) -> Assurance:
        """Return what is held; an empty assurance for a conversation nobody proved anything in."""
        ...

    async def is_guessed_at(self, number: OrderNumber, proof: str, now: datetime) -> bool:
        """Whether this order or proof failed so often lately, in whatever conversations, that none is looked at."""
        ...


class VisitorFeed(Protocol):
    """What the web chat shows a visitor, kept so that a page that comes back misses nothing."""

    async def put(self, visitor: str, key: str, body: dict[str, object]) -> int:
        """Append `body` for a visitor and return its sequence number (1, 2, …); the same key is kept once."""
        ...

    async def after(self, visitor: str, sequence: int, limit: int) -> list[tuple[int, dict[str, object]]]:
        """Return what was appended after `sequence`, in order."""
        ...

    def typing(self, visitor: str) -> None:
        """Tell open pages of the visitor that an answer is being written; nothing is kept."""
        ...


class Cursors(Protocol):
    """Keeps up to where polled accounts were read, as each channel writes such a place."""

    async def get(self, name: str) -> str | None:
        """Return where reading goes on; none: it has not begun."""
        ...

    async def set(self, name: str, cursor: str) -> None:
        """Go on from there next time; called after what came before is durable."""
        ...


class MediaStore(Protocol):
    """Keeps files that customers and agents send."""

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the bytes under a random name and return the attachment with its media id, sniffed type and size.

        Raises `MediaError` when the file is too large or of a kind that is not kept.
        """
        ...

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        ...

    async def pieces(self, media_id: MediaId) -> tuple[Attachment, AsyncIterator[bytes]] | None:
        """Return the file with its bytes piece by piece, each read once the one before was taken; or none."""
        ...

    async def erase(self, media_ids: Collection[MediaId]) -> int:
        """Forget files for good; return how many there were."""
        ...


class BusinessCommands(Protocol):
    """What the bot may do in the brand's own systems."""

    async def execute(self, name: str, arguments: dict[str, object], key: str) -> CommandResult:
        """Do it once: the same `key` again has no further effect and gives the same result.

        Raises `DirectoryUnavailableError` when the brand's system cannot be reached now.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """What came of a command."""

    is_done: bool
    #: for the customer, in plain words, when it was refused
    reason: str = ""
