"""A WordPress site: the comments below its articles, and answers to them, by the REST API.

WordPress calls nobody: comments are fetched. It refuses the same words twice below the same comment, which makes a
repeated answer harmless.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.messages import InboundEvent, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import Cursors
from connectors.fields import Fields, load, storable
from connectors.looking import Known, look_for_ever
from connectors.moments import this_moment
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.uncalled import Uncalled
from connectors.wordpress.api import DUPLICATE, GONE, Failure, WordPressApi
from connectors.wordpress.comments import CHANNEL, Comments, comments_in, page_of

#: WordPress keeps 65,525 bytes; an escaped character takes up to six of them.
_TEXT_MAX = 8_000
#: Comments of a page, and pages that are read back after a time away.
_PAGE, _PAGES_MAX = 100, 20
#: A comment that was approved late is still found when it is no older than this.
_OVERLAP = timedelta(days=3)
_COMMENTS = "/wp/v2/comments"


class WordPressSettings(ChannelSettings):
    """One site."""

    section: ClassVar = "wordpress"
    titles: ClassVar = {CHANNEL: "WordPress comments"}
    needed: ClassVar = ("url", "user", "password")

    #: where the site is: https://blog.example.com; none: no WordPress
    url: str = ""
    #: log-in name of the user that answers, an editor
    user: str = ""
    #: an application password of theirs: Users, Profile, Application Passwords
    password: SecretStr | None = None
    #: seconds between two looks
    looks_every: float = Field(default=30.0, ge=5, le=3600)
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _is_site(cls, value: str) -> str:
        parts = urlsplit(value)
        is_here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if value and (not parts.hostname or parts.scheme not in ({"http", "https"} if is_here else {"https"})):
            raise ValueError("must be the site's address, and start with https://, as a password goes there")
        return value.rstrip("/")

    @property
    def account(self) -> AccountId:
        """The site's host and path, as one word."""
        parts = urlsplit(self.url)
        return AccountId(re.sub(r"[^a-z0-9.-]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-"))

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the site's connector."""
        return (WordPressConnector(self, facilities.cursors),)


class WordPressConnector(Uncalled):
    """Speaks on one site. `sleep` waits between looks, `now` is the moment."""

    def __init__(
        self,
        site: WordPressSettings,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        self._site = site
        self._cursors = cursors
        self._sleep = sleep
        self._now = now
        self._api = WordPressApi(site.url, site.user, shown(site.password), shown(site.proxy_url) or None)
        #: reads pages; knows who we are once the site was asked
        self.comments = Comments(account=site.account)
        #: since when comments are read: those before connecting are nobody's business
        self._since: datetime | None = None
        self._until: datetime | None = None
        self._known = Known()

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The site."""
        return self._site.account

    @property
    def capabilities(self) -> Capabilities:
        """What a comment carries: words, which everybody reads."""
        return Capabilities(
            text_max=_TEXT_MAX, is_send_idempotent=True, has_edits=True, is_public=True, has_reply_context=True
        )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every comment of a page as it was fetched."""
        return self.comments.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls."""
        return plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:  # noqa: ARG002
        """Write one answer below a comment, approved as its author may approve."""
        context = operation.reply_context
        if not isinstance(operation, SendText):
            return Permanent(reason="comments on WordPress carry no files")
        post = context.get("post") or operation.address.external_id.partition(":")[0]
        body = {
            "post": int(post),
            "parent": int(context.get("parent", "0")),
            "content": _written(operation.text),
            "status": "approved",
        }
        answer = await self._api.call("POST", _COMMENTS, {}, body)
        if isinstance(answer, Permanent) and answer.code == DUPLICATE:
            return await self._find(operation, body)
        return _sent(answer)

    async def _find(self, operation: SendText, body: dict[str, object]) -> SendResult:
        """Return the answer that stands there already with these words."""
        query = {"post": str(body["post"]), "parent": str(body["parent"]), "per_page": str(_PAGE), "context": "edit"}
        answer = await self._api.call("GET", _COMMENTS, query)
        if not isinstance(answer, bytes):
            return answer
        try:
            for comment in comments_in(page_of(answer)):
                is_ours = comment.integer("author") == self.comments.user_id or self.comments.user_id is None
                if is_ours and comment.object("content").text("raw", "") == body["content"]:
                    return Sent(external_id=str(comment.integer("id")))
        except MalformedWebhookError:
            pass
        # It stands there, and is held or in the trash: nothing more can be done with it.
        return Sent(external_id=f"duplicate:{operation.address.external_id}")

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Show another text in the place of one."""
        answer = await self._api.call("POST", f"{_COMMENTS}/{external_id}", {}, {"content": _written(operation.text)})
        return Sent(external_id=external_id) if isinstance(answer, bytes) else answer

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Move a comment of ours to the trash."""
        answer = await self._api.call("DELETE", f"{_COMMENTS}/{external_id}", {})
        if isinstance(answer, bytes) or (isinstance(answer, Permanent) and answer.code in GONE):
            return Sent(external_id=external_id)
        return answer

    @property
    def is_polled(self) -> bool:
        """Always: WordPress calls nobody."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Fetch comments until cancelled; a failure costs a growing pause, or the one that the site asks for."""
        await look_for_ever(self._cursor, lambda: self._look(sink), lambda: self._site.looks_every, self._sleep)

    async def _look(self, sink: Sink) -> Failure | None:
        if self.comments.user_id is None:
            me = await self._me()
            if not isinstance(me, Fields):
                return me
        if self._since is None:
            await self._begin()
        oldest_wanted = max(self._since or self._now(), (self._until or self._now()) - _OVERLAP)
        events: list[InboundEvent] = []
        for number in range(1, _PAGES_MAX + 1):
            page = await self._page(number)
            if not isinstance(page, bytes):
                return page
            found = self.comments.read(page)
            events = found + events
            moments = [at for each in found if (at := getattr(each, "sent_at", None)) is not None]
            if len(comments_in(page)) < _PAGE or (moments and min(moments) < oldest_wanted):
                break
        marks = {each.external_id: _digest(each) for each in events}
        new = self._known.new(events, marks, self._since or self._now())
        if new:
            await sink(new)
        self._known.remember(marks)
        moments = [at for each in events if (at := getattr(each, "sent_at", None)) is not None]
        self._until = max([*moments, self._until or self._now()]) if moments else self._until
        await self._keep()
        return None

    async def _page(self, number: int) -> bytes | Failure:
        query = {"context": "edit", "status": "approve", "orderby": "date_gmt", "order": "desc"}
        answer = await self._api.call("GET", _COMMENTS, query | {"per_page": str(_PAGE), "page": str(number)})
        return page_of(answer) if isinstance(answer, bytes) else answer

    async def _begin(self) -> None:
        kept = await self._cursors.get(self._cursor)
        try:
            told = Fields(load((kept or "{}").encode()))
            self._since = datetime.fromisoformat(told.text("since"))
            self._until = datetime.fromisoformat(told.text("until"))
        except (MalformedWebhookError, ValueError):
            # WordPress tells whole seconds: what is written in this one is not older than we are.
            self._since = self._until = self._now().astimezone(UTC).replace(microsecond=0)
            await self._keep()

    async def _keep(self) -> None:
        if self._since is not None and self._until is not None:
            told = {"since": self._since.isoformat(), "until": self._until.isoformat()}
            await self._cursors.set(self._cursor, json.dumps(told))

    @property
    def _cursor(self) -> str:
        return f"{CHANNEL}/{self.account}"

    async def _me(self) -> Fields | Failure:
        """Return the user that we are, and know their comments from then on."""
        answer = await self._api.call("GET", "/wp/v2/users/me", {"context": "edit"})
        if not isinstance(answer, bytes):
            return answer
        try:
            me = Fields(load(answer))
            self.comments = replace(self.comments, user_id=me.integer("id"))
        except MalformedWebhookError:
            return Ambiguous(reason="the site's answer cannot be read")
        return me

    async def check(self) -> str:
        """Return one line on the site and its user; raises `SettingsError` that says what to fix."""
        me = await self._me()
        if not isinstance(me, Fields):
            raise SettingsError(f"wordpress: {me.reason}")
        try:
            can_moderate = me.object("capabilities").flag("moderate_comments")
            name = me.text("name", "") or self._site.user
        except MalformedWebhookError:
            can_moderate, name = False, self._site.user
        if not can_moderate:
            raise SettingsError(f"wordpress: {name} may not moderate comments: make them an editor of {self._site.url}")
        return f"{self._site.url} as {name}, looks every {self._site.looks_every:g} s"

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def _written(text: str) -> str:
    """Return plain words as a comment holds them: what looks like mark-up stays to be read."""
    return html.escape(storable(text), quote=False)


def _sent(answer: bytes | SendResult) -> SendResult:
    if not isinstance(answer, bytes):
        return answer
    try:
        return Sent(external_id=str(Fields(load(answer)).integer("id")))
    except MalformedWebhookError:
        return Ambiguous(reason="the site's answer names no comment")


def _digest(event: InboundEvent) -> str:
    words = getattr(event, "text", "")
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=8).hexdigest()
