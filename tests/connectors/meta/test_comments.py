from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.domain.channels import AccountId, ChannelAddress
from bot.domain.connectors import (
    Ambiguous,
    Editing,
    Permanent,
    Refusal,
    RepliesPrivately,
    Retry,
    SendAttachment,
    SendText,
    Sent,
)
from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind, Author, OutboundMessage
from connectors.meta.instagram import InstagramAccount, InstagramConnector
from connectors.meta.messenger import MessengerAccount, MessengerConnector
from connectors.meta.public import CommentsConnector
from connectors.registry import SECTIONS, TITLES
from connectors.setup import Facilities
from simulator.graph import Fault, RefusedError
from simulator.graph_comments import PublicGraph
from simulator.graph_server import running
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

JANE = "24680135791113"
FILE = Attachment(kind=AttachmentKind.FILE, reference="x")


@dataclass(kw_only=True)
class Stand:
    """A running fake, and the connectors of one account."""

    graph: PublicGraph
    private: MessengerConnector | InstagramConnector
    public: CommentsConnector
    pauses: list[float] = field(default_factory=list)

    @property
    def address(self) -> ChannelAddress:
        """Where Jane writes."""
        return ChannelAddress(channel=self.public.channel, account=self.public.account, external_id=f"post:{JANE}")

    def answer(self, text: str, **context: str) -> SendText:
        """Return an answer to what the context names."""
        return SendText(address=self.address, text=text, reply_context=context)


@pytest.fixture(params=["messenger", "instagram"])
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    """A page, or an Instagram account linked to it, with comments."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with running(PublicGraph()) as server:
        graph = server.graph
        assert isinstance(graph, PublicGraph)
        common: dict[str, Any] = {
            "token": graph.token,
            "app_secret": graph.app_secret,
            "verify_token": "verify-token-of-the-test",
            "app_id": graph.app_id,
            "base_url": graph.url,
            "webhook_url": "https://care.example.com/webhooks/any",
            "has_comments": True,
        }
        private: MessengerConnector | InstagramConnector
        if request.param == "messenger":
            private = MessengerConnector(MessengerAccount(id=AccountId(graph.page_id), **common), MemoryMedia(), sleep)
        else:
            account = InstagramAccount(id=AccountId(graph.instagram_id), page=graph.page_id, **common)
            private = InstagramConnector(account, MemoryMedia(), sleep)
        (public,) = private.beside()
        yield Stand(graph=graph, private=private, public=public, pauses=pauses)
        await public.close()
        await private.close()


async def test_answer_in_public(stand: Stand) -> None:
    """An answer stands below the comment that it answers, as the brand's."""
    asked = stand.graph.comment(JANE, "when is it back?")
    sent = await stand.public.send(stand.answer("Next week!", comment=asked.id), "k")
    assert isinstance(sent, Sent)
    answer = stand.graph.comments[sent.external_id]
    assert (answer.text, answer.answers) == ("Next week!", asked.id)
    assert answer.author == stand.public.account


async def test_answer_to_nothing(stand: Stand) -> None:
    """Without a comment that it answers, or with a file, nothing is said, in words for an agent."""
    for context in {}, {"comment": "../me"}:
        refused = await stand.public.send(stand.answer("Hi", **context), "k")
        assert isinstance(refused, Permanent)
        assert "which comment" in refused.reason
    refused = await stand.public.send(SendAttachment(address=stand.address, attachment=FILE), "k")
    assert isinstance(refused, Permanent)
    assert stand.graph.calls == []


async def test_private_reply(stand: Stand) -> None:
    """A comment's author can be written to in private: once for each comment, and for a week."""
    asked = stand.graph.comment(JANE, "when is it back?")
    operation = stand.answer("Please tell us your order number here.", comment=asked.id)
    assert isinstance(stand.public, RepliesPrivately)
    sent = await stand.public.reply_privately(operation, "k")
    assert isinstance(sent, Sent)
    # Where their answer will come from, on the private channel.
    assert sent.reached == replace(stand.address, channel=stand.private.channel, external_id=JANE)
    assert [shown.text for shown in stand.graph.people[JANE].seen] == ["Please tell us your order number here."]
    again = await stand.public.reply_privately(operation, "k2")
    assert again == Permanent(
        reason="this comment was answered in private before, which Meta allows once (10900)", code="10900"
    )
    old = stand.graph.comment(JANE, "hello?")
    old.written_at -= 8 * 24 * 3600
    late = await stand.public.reply_privately(stand.answer("Hi", comment=old.id), "k3")
    assert isinstance(late, Permanent)
    assert "window is shut" in late.reason
    assert isinstance(await stand.public.reply_privately(stand.answer("Hi"), "k4"), Permanent)
    assert len(stand.graph.people[JANE].seen) == 1


async def test_mention_is_answered(stand: Stand) -> None:
    """An answer to a mention names the post, and the comment where there is one."""
    named = stand.graph.comment(JANE, "ask @copperleaf")
    for context in {"media": "18000", "comment": named.id}, {"media": named.id}:
        assert isinstance(await stand.public.send(stand.answer("Here we are!", **context), "k"), Sent)
        method, path, body = stand.graph.calls[-1]
        assert (method, path) == ("POST", f"{stand.public.account}/mentions")
        assert body == {
            "message": "Here we are!",
            "media_id": context["media"],
            **({"comment_id": named.id} if "comment" in context else {}),
        }


async def test_words_of_a_mention(stand: Stand) -> None:
    """What a mention says is asked for when it is kept, and is a file for people to read."""
    named = stand.graph.comment("jane", "ask @copperleaf")
    for reference in f"mention:18000:{named.id}", f"mention:{named.id}:":
        file = Attachment(kind=AttachmentKind.FILE, reference=reference)
        assert await stand.public.fetch(file) == b"@jane: ask @copperleaf"
    with pytest.raises(MediaError, match="100"):
        await stand.public.fetch(Attachment(kind=AttachmentKind.FILE, reference="mention:1:2"))
    stand.graph.fail(*[Fault(call=stand.public.account, status=500)] * 3)
    stand.pauses.clear()
    with pytest.raises(MediaError):
        await stand.public.fetch(Attachment(kind=AttachmentKind.FILE, reference=f"mention:1:{named.id}"))
    assert stand.pauses == [0.0, 1.0, 4.0]
    with pytest.raises(MediaError, match="not on a server that"):
        await stand.public.fetch(Attachment(kind=AttachmentKind.IMAGE, reference="https://evil.example/a.png"))


async def test_own_comments_change(stand: Stand) -> None:
    """Facebook lets our comments be changed, both let them be deleted; one that is gone is deleted already."""
    sent = await stand.public.send(stand.answer("Next weak!", comment=stand.graph.comment(JANE, "when?").id), "k")
    assert isinstance(sent, Sent)
    is_page = stand.public.channel == "messenger-comments"
    assert isinstance(stand.public, Editing) == is_page
    if isinstance(stand.public, Editing):
        changed = await stand.public.edit(stand.answer("Next week!"), sent.external_id, "k2")
        assert changed == Sent(external_id=sent.external_id)
    assert stand.graph.comments[sent.external_id].text == ("Next week!" if is_page else "Next weak!")
    for _ in range(2):
        assert await stand.public.unsend(stand.address, sent.external_id, "k3") == Sent(external_id=sent.external_id)
    assert sent.external_id not in stand.graph.comments
    theirs = stand.graph.comment(JANE, "mine")
    assert isinstance(await stand.public.unsend(stand.address, theirs.id, "k4"), Permanent)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(call="any", error=RefusedError(32, "Page request limit reached")), Retry),
        (Fault(call="any", error=RefusedError(190, "expired", status=401)), Permanent),
        (Fault(call="any", is_done=True, cut_after=0), Ambiguous),
        (Fault(call="any", body=b"{}", status=200), Ambiguous),
    ],
)
async def test_failures(stand: Stand, fault: Fault, kind: type) -> None:
    """A pause is waited for, a token refused is the account's, and what is not certain is not said to be."""
    asked = stand.graph.comment(JANE, "when?")
    edge = "comments" if stand.public.channel == "messenger-comments" else "replies"
    stand.graph.fail(Fault(**{**vars(fault), "call": edge}))
    result = await stand.public.send(stand.answer("Next week!", comment=asked.id), "k")
    assert isinstance(result, kind)
    assert not isinstance(result, Permanent) or result.is_account


async def test_comments_are_subscribed_to(stand: Stand) -> None:
    """The webhook is set up for comments as well; a page is not asked for fields of Instagram's."""
    await stand.private.register()
    is_page = stand.public.channel == "messenger-comments"
    (webhook,) = stand.graph.webhooks.values()
    assert {"feed"} if is_page else {"comments", "mentions"} <= set(webhook["fields"])
    assert ("feed" in stand.graph.subscribed[stand.graph.page_id]) == is_page
    assert "comments" not in stand.graph.subscribed[stand.graph.page_id]


async def test_limits(stand: Stand) -> None:
    """A long answer becomes several comments, none longer than the channel takes; a file is named."""
    message = OutboundMessage(author=Author.AGENT, text="word " * 200, attachments=(FILE,))
    planned = stand.public.plan(message, stand.address)
    assert not isinstance(planned, Refusal)
    assert all(isinstance(each, SendText) for each in planned)
    assert stand.public.capabilities.is_public
    assert not stand.public.capabilities.debounce


def test_settings() -> None:
    """With `has_comments` an account has a public connector beside its own, and both names are known."""
    facilities = Facilities(public_url="https://care.example.com", media=MemoryMedia(), cursors=MemoryCursors())
    proof = {"token": "t", "app_secret": "s", "verify_token": "v"}
    for section, account in ("messenger", {"page_id": "1"}), ("instagram", {"account_id": "2", "page_id": "1"}):
        for has_comments, channels in (False, [section]), (True, [section, f"{section}-comments"]):
            made = SECTIONS[section].model_validate(proof | account | {"has_comments": has_comments})
            assert [each.channel for each in made.connectors(facilities)] == channels
        assert f"{section}-comments" in TITLES
