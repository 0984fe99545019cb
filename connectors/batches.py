"""Reading the many items of one call: each comes out as what it is, and one that cannot be read holds up no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import MALFORMED, InboundEvent, Unsupported
from connectors.fields import Fields

_KIND_MAX = 64


class NotForUsError(Exception):
    """An item that is well-formed and nothing to answer; its text is the kind."""


class UnknownKindError(NotForUsError):
    """An item of a kind that nobody here has heard of, or that shows nothing we know."""


#: Reads one item of a batch; raises `NotForUsError` or `MalformedWebhookError`.
Read = Callable[[Fields], list[InboundEvent]]


def refuse(kind: str, *, is_known: bool = True) -> Read:
    """Return what reads an item as one of a kind that is not for us."""

    def read(_item: Fields) -> list[InboundEvent]:
        raise NotForUsError(kind) if is_known else UnknownKindError(kind)

    return read


def of_each(
    groups: Iterable[Fields], items: Callable[[Fields], Iterable[tuple[Fields, Read]]]
) -> Iterator[tuple[Fields, Read]]:
    """Yield the items of each group, and how each is read; a group that cannot be read is one item by itself."""
    for group in groups:
        try:
            yield from list(items(group))
        except MalformedWebhookError:
            yield group, _unreadable


def _unreadable(_item: Fields) -> list[InboundEvent]:
    raise MalformedWebhookError("what holds the items cannot be read")


def digest_of(body: bytes) -> str:
    """Return a name of a call that is the same whenever the same call comes again."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def read_all(items: Iterable[tuple[Fields, Read]], digest: str) -> list[InboundEvent]:
    """Return what each item is read as; one that cannot be read must not hold up the others.

    The channel would send the whole call again and again, and in the end stop calling.
    """
    made: list[InboundEvent] = []
    for number, (item, read) in enumerate(items):
        try:
            made += read(item)
        except NotForUsError as reason:
            made.append(unsupported(digest, number, reason))
        except MalformedWebhookError:
            made.append(unsupported(digest, number, UnknownKindError(MALFORMED)))
    return made


def unsupported(digest: str, number: int, reason: NotForUsError) -> Unsupported:
    """Return what is made of item `number` of the call with that digest, which is not for us."""
    kind, is_unread = str(reason)[:_KIND_MAX], isinstance(reason, UnknownKindError)
    return Unsupported(external_id=f"{digest}:{number}:{kind}", kind=kind, is_unread=is_unread)
