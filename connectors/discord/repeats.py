"""Repeats of Discord calls that are seen once, however late they come.

A nonce tells Discord a repeat "in the past few minutes" (https://docs.discord.com/developers/resources/message#create-message),
which is not said more exactly. A call that has been in doubt for longer looks for its message in the channel first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bot.domain.connectors import Ambiguous, SendOperation, SendResult, SendText, Sent
from bot.domain.errors import MalformedWebhookError
from connectors.discord.api import DiscordApi, Failure
from connectors.discord.payloads import answered_by, nonce
from connectors.fields import Fields

#: Seconds in which a repeat is left to the nonce, and by which Discord's clock may differ from ours.
_NONCE_HOLDS_FOR, _SKEW = 60.0, 10.0
_DOUBTS_MAX = 10_000
#: Of moments in ids. https://docs.discord.com/developers/reference#snowflakes
_EPOCH, _TIME_FROM_BIT = 1_420_070_400, 22


class Repeats:
    """Calls of a bot that may have shown their message; `clock` is in seconds since 1970."""

    def __init__(self, api: DiscordApi, account: str, clock: Callable[[], float]) -> None:
        """Look for messages of `account` through `api`."""
        self._api = api
        self._account = account
        self._clock = clock
        #: key → when the call was first made
        self._since: OrderedDict[str, float] = OrderedDict()

    def note(self, key: str, result: SendResult) -> None:
        """Take in what came of a call."""
        if isinstance(result, Ambiguous):
            self._since.setdefault(key, self._clock())
            while len(self._since) > _DOUBTS_MAX:
                self._since.popitem(last=False)
        elif isinstance(result, Sent):
            self._since.pop(key, None)

    async def find(self, operation: SendOperation, path: str, key: str) -> SendResult | None:
        """Return what became of a call that is long in doubt; none where its message is not there, and for others."""
        since = self._since.get(key)
        if since is None and operation.in_doubt_since is not None:
            # Another process may have made it, and there is no telling when.
            since = operation.in_doubt_since.timestamp()
        elif since is None or self._clock() - since <= _NONCE_HOLDS_FOR:
            return None
        after = max(0, int((since - _EPOCH - _SKEW) * 1000)) << _TIME_FROM_BIT
        answer = await self._api.ask("GET", f"{path}?after={after}&limit=100")
        if not isinstance(answer, Fields):
            return answer
        for message in answer.objects("items"):
            is_ours = message.object("author").text("id", "") == self._account
            # Messages to one customer leave one after another: none of later ones can be the same by chance.
            if is_ours and (message.text("nonce", "") == nonce(key) or _shows(message, operation)):
                return sent(message)
        return None


def sent(answer: Fields | Failure) -> SendResult:
    """Return what came of a call that answers with a message."""
    if not isinstance(answer, Fields):
        return answer
    try:
        return Sent(external_id=answer.text("id"))
    except MalformedWebhookError:
        return Ambiguous(reason="Discord's answer names no message")


def _shows(message: Fields, operation: SendOperation) -> bool:
    """Whether a message of ours shows what an operation would: the same words or file, to the same message."""
    reference = message.object("message_reference").text("message_id", "") if "message_reference" in message else ""
    if reference != answered_by(operation):
        return False
    if isinstance(operation, SendText):
        return message.text("content", "").strip() == operation.text.strip()
    names = [each.text("filename", "") for each in message.objects("attachments")]
    return operation.attachment.name in names
