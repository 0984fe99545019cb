from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.domain.acts import Claim, Reply
from bot.domain.connectors import Retry, WebhookRequest
from bot.domain.conversations import Owner
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    DeliveryState,
    Meaning,
    Receipt,
    ReceiptKind,
    Unsupported,
)
from tests.fakes.connector import message, refused
from tests.pipeline.rig import Rig, handoff, offer, turn


async def test_a_message_is_answered_once(rig: Rig) -> None:
    """A customer's message is answered, and the transcript shows both with the answer's delivery."""
    await rig.writes("hello")
    assert rig.seen() == ["re: hello"]
    asked, answered = await rig.transcript()
    assert (asked.author, asked.text, asked.delivery) == (Author.CUSTOMER, "hello", None)
    assert (answered.author, answered.text, answered.delivery) == (Author.BOT, "re: hello", DeliveryState.SENT)


async def test_a_repeated_webhook_is_answered_once(rig: Rig) -> None:
    """However often and at whatever moment a channel repeats itself, the customer gets one answer."""
    event = message(rig.connector, "ann", "same", "hello")
    await asyncio.gather(*(rig.bring(event) for _ in range(20)))
    await rig.settle()
    await rig.bring(event, event)
    await rig.settle()
    assert rig.seen() == ["re: hello"]
    assert len(await rig.transcript()) == 2


async def test_a_batch_is_kept_whole_and_in_order(rig: Rig) -> None:
    """Events of several customers in one call are each answered, every customer's own in order."""
    events = [message(rig.connector, name, f"{name}{n}", f"{name}{n}") for n in range(3) for name in ("ann", "bob")]
    await rig.bring(*events)
    await rig.settle()
    assert rig.seen("ann") == ["re: ann0", "re: ann1", "re: ann2"]
    assert rig.seen("bob") == ["re: bob0", "re: bob1", "re: bob2"]


async def test_a_request_that_is_not_the_channels_is_refused(rig: Rig) -> None:
    """Nothing is kept of a request without proof, or that is not the channel's protocol."""
    genuine = rig.connector.request([message(rig.connector, "ann", "1", "hello")])
    with pytest.raises(WebhookRejectedError):
        await rig.receiver.receive(rig.connector, replace(genuine, headers={}))
    with pytest.raises(MalformedWebhookError):
        await rig.receiver.receive(rig.connector, replace(genuine, body=b"{"))
    await rig.receiver.receive(rig.connector, WebhookRequest(**vars(genuine) | {"body": b"[]"}))
    assert await rig.converse_once() == 0


async def test_what_we_do_not_know_is_acknowledged(rig: Rig) -> None:
    """Events of a kind that is not supported are dropped without harm to the others."""
    await rig.bring(Unsupported(external_id="1", kind="game"), message(rig.connector, "ann", "2", "hello"))
    await rig.settle()
    assert rig.seen() == ["re: hello"]


async def test_several_answers_arrive_in_order(rig: Rig) -> None:
    """All answers of a turn arrive, in the order the bot gave them, before those of the next turn."""
    rig.engine.by_text["three"] = turn("one", "two", "three")
    await rig.bring(message(rig.connector, "ann", "1", "three"), message(rig.connector, "ann", "2", "next"))
    await rig.settle()
    assert rig.seen() == ["one", "two", "three", "re: next"]


async def test_the_dialogue_is_given_back_with_the_next_message(rig: Rig) -> None:
    """The engine sees its own events of earlier turns, and only those of this conversation."""
    rig.engine.by_text["first"] = turn("ok", events=[{"event": "slot", "name": "n", "value": 1}])
    await rig.writes("first")
    await rig.writes("other", "bob")
    await rig.writes("second")
    assert rig.engine.requests[0].events == []
    assert rig.engine.requests[1].events == []
    assert rig.engine.requests[2].events == [{"event": "slot", "name": "n", "value": 1}]


async def test_a_long_dialogue_is_given_back_shortened(rig: Rig) -> None:
    """Of turns long past only the state they left is given back."""
    rig.engine.by_text["hi"] = turn("ok", state={"slots": {"n": 1}, "active_loop": "some_form"})
    for _ in range(12):
        await rig.writes("hi")
    events = rig.engine.requests[-1].events
    assert {"event": "slot", "name": "n", "value": 1} in events
    assert {"event": "active_loop", "name": "some_form"} in events
    assert events.count({"event": "action", "name": "action_listen"}) == 11


async def test_a_typed_command_is_plain_text(rig: Rig) -> None:
    """What customers type with a slash is text to be understood, never an intent."""
    for text in ("/restart", '/verify{"customer_id": "42"}', "/"):
        await rig.writes(text)
        assert (rig.engine.requests[-1].text, rig.engine.requests[-1].meaning) == (text, None)


async def test_texts_are_cleaned_before_anybody_sees_them(rig: Rig) -> None:
    """Halves of characters, controls and directional overrides reach neither the engine nor the transcript."""
    await rig.writes("a\x00b\u202ec", display_name="An\x00n\u202e")
    assert rig.engine.requests[0].text == "abc"
    line = (await rig.transcript())[0]
    assert (line.text, line.author_name) == ("abc", "Ann")


async def test_a_tapped_choice_means_what_was_offered(rig: Rig) -> None:
    """A tap reaches the engine as the intent that was offered, and the transcript as what was tapped."""
    meaning = Meaning(intent="cancel", entities={"order": "CL-1"})
    rig.engine.by_text["which?"] = turn(offer("this one?", ("Yes, this", meaning)))
    await rig.writes("which?")
    (key,) = rig.connector.shown[-1].choices
    await rig.writes("", choice=key)
    assert rig.engine.requests[-1].meaning == meaning
    assert rig.seen()[-1] == "re: /cancel"
    assert (await rig.transcript())[-2].text == "Yes, this"


async def test_a_choice_of_words_is_as_if_they_were_typed(rig: Rig) -> None:
    """A choice that stands for words is understood like words."""
    rig.engine.by_text["what?"] = turn(offer("hm?", ("Hours", Meaning(intent="", entities={}, words="when open"))))
    await rig.writes("what?")
    await rig.writes("", choice=rig.connector.shown[-1].choices[0])
    assert (rig.engine.requests[-1].text, rig.engine.requests[-1].meaning) == ("when open", None)


async def test_a_choice_counts_only_where_it_was_offered(rig: Rig) -> None:
    """Somebody else's choice, or an invented one, means nothing."""
    rig.engine.by_text["which?"] = turn(offer("this?", ("Yes", Meaning(intent="cancel", entities={"order": "CL-1"}))))
    await rig.writes("which?")
    key = rig.connector.shown[-1].choices[0]
    for choice in (key, "invented", "/cancel"):
        await rig.writes("", "eve", choice=choice)
        assert (rig.engine.requests[-1].text, rig.engine.requests[-1].meaning) == ("", None)


async def test_an_edit_keeps_what_was_written_first(rig: Rig) -> None:
    """An edited message is answered anew, and agents see both versions."""
    await rig.bring(message(rig.connector, "ann", "m1", "where is CL-1"))
    await rig.settle()
    await rig.bring(message(rig.connector, "ann", "m1:edit:1", "where is CL-2", edits="m1"))
    await rig.bring(message(rig.connector, "ann", "m1:edit:2", "where is CL-3", edits="m1"))
    await rig.settle()
    lines = [line for line in await rig.transcript() if line.author is Author.CUSTOMER]
    assert [(line.text, line.edited_from) for line in lines] == [
        ("where is CL-1", None),
        ("where is CL-2", "where is CL-1"),
        ("where is CL-3", "where is CL-2"),
    ]
    assert rig.seen()[-1] == "re: where is CL-3"


async def test_receipts_move_a_message_forward_only(rig: Rig) -> None:
    """What the channel reports is shown, whatever order it comes in; repeats and strangers' reports change nothing."""
    await rig.writes("hello")
    external_id = "ann-1"

    async def report(kind: ReceiptKind, external: str = external_id, detail: str = "") -> DeliveryState | None:
        address = rig.connector.address("ann")
        receipt_id = f"{external}:{kind}"
        receipt = Receipt(address=address, external_id=receipt_id, of_external_id=external, kind=kind, detail=detail)
        await rig.bring(receipt)
        await rig.settle()
        return (await rig.transcript())[-1].delivery

    assert await report(ReceiptKind.READ, "somebody else's") is DeliveryState.SENT
    assert await report(ReceiptKind.READ) is DeliveryState.READ
    assert await report(ReceiptKind.DELIVERED) is DeliveryState.READ
    assert await report(ReceiptKind.FAILED) is DeliveryState.READ
    await rig.writes("again")
    assert await report(ReceiptKind.FAILED, "ann-2", "no\x00pe") is DeliveryState.FAILED
    assert (await rig.transcript())[-1].delivery_detail == "nope"
    assert (await rig.inbox_states())["dead"] == 0


async def test_a_file_without_words_goes_to_people(rig: Rig) -> None:
    """A file alone opens a ticket with the file in its transcript, and the customer is told."""
    rig.connector.files["f1"] = b"\x89PNG\r\n"
    rig.connector.files["f2"] = b"just text"
    await rig.writes("", attachments=(_file("f2", "note.txt"),))
    ticket = await rig.open_ticket()
    assert ticket is not None
    assert "got your file" in rig.seen()[0]
    view = await rig.view()
    (kept,) = view.transcript[0].attachments
    assert kept.media_id is not None
    assert await rig.media.get(kept.media_id) == (replace(kept, reference=""), b"just text")
    await rig.writes("", attachments=(_file("gone", "lost.txt"),))
    assert await rig.ticket_count() == 1
    assert (await rig.view()).transcript[-1].attachments[0].media_id is None
    assert (await rig.conversation()).owner is Owner.QUEUE


async def test_files_with_words_are_kept_once(rig: Rig) -> None:
    """A file that comes with a question is kept, and not fetched anew when the turn has to be repeated."""
    rig.connector.files["f1"] = b"just text"
    rig.engine.by_text["look"] = RuntimeError("not a known error")
    await rig.writes("look", attachments=(_file("f1", "note.txt"),))
    rig.engine.by_text["look"] = turn("I see")
    await rig.wait_out(minutes=0.5)
    assert rig.seen() == ["I see"]
    assert rig.connector.fetched == ["f1"]
    assert (await rig.transcript())[0].attachments[0].media_id is not None


def _file(reference: str, name: str) -> Attachment:
    return Attachment(kind=AttachmentKind.FILE, reference=reference, name=name)


async def test_an_answer_carries_what_the_last_message_brought(rig: Rig) -> None:
    """What a channel wants back with an answer is that of the customer's last message, also for what people write."""
    rig.connector.has_reply_context = True
    rig.engine.by_text["help"] = handoff()
    await rig.writes("hello", reply_context={"parent": "c1", "subject": "Hi\u202e"})
    await rig.writes("help", reply_context={"parent": "c2"})
    await rig.act(Claim())
    await rig.act(Reply(text="Here I am"))
    await rig.settle()

    first, *others = [dict(shown.reply_context) for shown in rig.connector.shown]
    assert first == {"parent": "c1", "subject": "Hi"}
    assert len(others) >= 2
    assert all(context == {"parent": "c2"} for context in others)


async def test_an_answer_carries_the_same_at_each_attempt(rig: Rig) -> None:
    """What is sent again answers what it answered at first, whatever the customer has written since."""
    rig.connector.has_reply_context = True
    rig.connector.script.append(refused(Retry(reason="busy")))
    await rig.writes("hello", reply_context={"parent": "c1"})
    await rig.writes("and this", reply_context={"parent": "c2"})
    await rig.wait_out(minutes=0.5)

    assert [(each.text, dict(each.reply_context)) for each in rig.connector.shown] == [
        ("re: hello", {"parent": "c1"}),
        ("re: and this", {"parent": "c2"}),
    ]


async def test_nothing_is_carried_where_no_channel_asks_for_it(rig: Rig) -> None:
    """A channel whose answers stand alone gets nothing of the message before."""
    await rig.writes("hello", reply_context={"parent": "c1"})
    assert [dict(shown.reply_context) for shown in rig.connector.shown] == [{}]
