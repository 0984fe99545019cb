"""Making posts in Slack, changing them in place, and putting signs on them: one call of the API each."""

from __future__ import annotations

from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.slack.blocks import Post
from bot.desk.slack.errors import code_of
from bot.desk.slack.parts import Place

#: Slack's words for "it is so already", "nobody could see it any more", and "not here": a sign is no reason to wait.
_SO_ALREADY = {
    *("already_reacted", "no_reaction", "message_not_found", "too_many_emoji", "too_many_reactions"),
    *("is_archived", "missing_scope", "not_reactable", "thread_locked"),
}


class Posts:
    """Speaks as the bot; each method raises what Slack's client raises."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Use the bot's client."""
        self._client = client

    async def make(self, post: Post, channel: str, marks: dict[str, object], thread: str | None = None) -> str:
        """Make a post and return its `ts`."""
        answer = await self._client.chat_postMessage(
            channel=channel,
            thread_ts=thread,
            text=post.text,
            blocks=post.blocks,
            metadata=marks,
            mrkdwn=False,
            parse="none",
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(answer.get("ts"))

    async def update(self, at: Place, post: Post, marks: dict[str, object]) -> None:
        """Put something else in place of a post of ours, whose `ts` is the place's `thread`."""
        await self._client.chat_update(
            channel=at.channel,
            ts=at.thread,
            text=post.text,
            blocks=post.blocks,
            metadata=marks,
            link_names=False,
            parse="none",
        )

    async def sign(self, name: str, channel: str, ts: str) -> None:
        """Put a sign on a message, if that can be done."""
        await self._sign("reactions_add", name, channel, ts)

    async def unsign(self, name: str, channel: str, ts: str) -> None:
        """Take a sign of ours off a message, if it is there."""
        await self._sign("reactions_remove", name, channel, ts)

    async def _sign(self, method: str, name: str, channel: str, ts: str) -> None:
        try:
            await getattr(self._client, method)(channel=channel, timestamp=ts, name=name)
        except Exception as error:
            if code_of(error) not in _SO_ALREADY:
                raise
