"""Writing direct messages on Bluesky, which has no key for repeats: what is in doubt is looked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.connectors import Ambiguous, Retry, SendResult, Sent
from bot.domain.errors import MalformedWebhookError
from connectors.bluesky.api import BlueskyApi, Failure, unseen
from connectors.bluesky.text import facets_of
from connectors.fields import Fields, load

#: Messages that are looked through, and how old they may be: clocks differ.
_LOOKED_BACK, _AT_MOST = 20, timedelta(minutes=2)
#: Messages of ours that are known to be others.
_REMEMBERED = 1_000


class Chat:
    """The messages that one account writes."""

    def __init__(self, api: BlueskyApi, now: Callable[[], datetime]) -> None:
        """Have written nothing yet."""
        self._api = api
        self._now = now
        self._written: OrderedDict[str, None] = OrderedDict()

    async def write(self, convo: str, text: str, answered: str = "") -> SendResult:
        """Write a message into a conversation, once; `answered` is the message that it answers."""
        began = self._now()
        quote = {"replyTo": {"messageId": answered}} if answered else {}
        body = {"convoId": convo, "message": {"text": text, "facets": facets_of(text), **quote}}
        answer = await self._api.post("chat.bsky.convo.sendMessage", body)
        result = answer if not isinstance(answer, bytes) else _sent(answer)
        if isinstance(result, Ambiguous):
            result = await self._find(convo, text, began) or result
        if isinstance(result, Sent):
            self._written[result.external_id] = None
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
        return result

    async def _find(self, convo: str, text: str, began: datetime) -> Sent | None:
        """Return the message that was written all the same; what is not there now may still come."""
        did = await self._api.did()
        query = [("convoId", convo), ("limit", str(_LOOKED_BACK))]
        answer = await self._api.get("chat.bsky.convo.getMessages", query)
        try:
            found = Fields(load(answer)).objects("messages") if isinstance(answer, bytes) else []
            for each in found:
                is_ours = each.object("sender").text("did") == did and each.text("text", "").strip() == text.strip()
                is_new = datetime.fromisoformat(each.text("sentAt")) > began - _AT_MOST
                if is_ours and is_new and each.text("id") not in self._written:
                    return Sent(external_id=each.text("id"))
        except (MalformedWebhookError, ValueError, TypeError):
            pass
        return None

    async def convo_with(self, customer: str) -> str | Failure:
        """Return the conversation with somebody."""
        answer = await self._api.get("chat.bsky.convo.getConvoForMembers", [("members", customer)])
        try:
            return Fields(load(answer)).object("convo").text("id") if isinstance(answer, bytes) else unseen(answer)
        except MalformedWebhookError:
            return Retry(reason="Bluesky's answer names no conversation")


def _sent(answer: bytes) -> SendResult:
    try:
        return Sent(external_id=Fields(load(answer)).text("id"))
    except MalformedWebhookError:
        return Ambiguous(reason="Bluesky's answer names no message")
