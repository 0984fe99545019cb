from __future__ import annotations

from bot.domain.messages import Attachment, AttachmentKind
from tests.desk.conftest import Desk
from tests.desk.slack.ticket import ALICE, TICKET
from tests.fakes.slack_rules import visible


async def test_files_with_a_reply_are_taken_over(desk: Desk) -> None:
    """A file that an agent puts with a > message is kept and goes out with it; with a note it stays."""
    card = await desk.post_card()
    label = desk.slack.upload("label.png", "image/png", b"png")
    await desk.slack.write(ALICE, card, "&gt; Your label", subtype="file_share", files=[label])
    await desk.slack.write(ALICE, card, "", subtype="file_share", files=[label])
    await desk.work()
    ((_, text, (attachment,)),) = desk.acts.sent
    assert (text, attachment.name, attachment.kind) == ("Your label", "label.png", AttachmentKind.IMAGE)
    assert attachment.media_id is not None
    assert desk.media.files[attachment.media_id][1] == b"png"
    assert ("note", TICKET, "Alice", "[file: label.png]") in desk.acts.log


async def test_a_file_that_cannot_go_out_is_refused_with_its_message(desk: Desk) -> None:
    """A file from elsewhere, too large or gone stops the whole message: ❌ and a reason, and no token leaves."""
    card = await desk.post_card()
    elsewhere = {"name": "a.png", "mimetype": "image/png", "size": 3, "url_private": "https://evil.example/a.png"}
    large = {**desk.slack.upload("b.png", "image/png", b"x"), "size": 10**9}
    gone = {**desk.slack.upload("c.png", "image/png", b"x"), "url_private_download": f"{desk.slack.url}/files/none"}
    for file in (elsewhere, large, gone):
        ts = await desk.slack.write(ALICE, card, "&gt; here", subtype="file_share", files=[file])
        await desk.work()
        assert desk.slack.reactions(ts) == {"x"}
    assert desk.acts.sent == []
    assert len(desk.slack.ephemerals) == 3


async def test_customers_files_are_shown_in_the_thread(desk: Desk) -> None:
    """A stored file of the customer's is uploaded into the thread once, beside its line; a lost one is named."""
    card = await desk.post_card()
    kept = await desk.media.put(b"jpeg", _photo("mug.jpg"))
    desk.acts.customer_writes(TICKET, "look", (kept, _photo("lost.jpg")))
    desk.slack.fail("chat.postMessage", "429")
    await desk.work()
    files = [m for m in desk.slack.thread(card) if m.get("files")]
    assert [file["files"][0]["name"] for file in files] == ["mug.jpg"]
    line = visible(desk.slack.thread(card)[-1])
    assert "[image: mug.jpg]" in line
    assert "[image: lost.jpg] is not kept" in line


async def test_a_file_that_slack_does_not_take_is_named_in_the_line(desk: Desk) -> None:
    """Without the scope for files, or with an empty file, the customer's words are shown all the same."""
    card = await desk.post_card()
    desk.slack.fail("files.getUploadURLExternal", "missing_scope")
    kept = await desk.media.put(b"jpeg", _photo("mug.jpg"))
    desk.acts.customer_writes(TICKET, "look", (kept,))
    await desk.work()
    line = visible(desk.slack.thread(card)[-1])
    assert "look" in line
    assert "[image: mug.jpg] cannot be shown here: the app lacks a permission" in line


def _photo(name: str) -> Attachment:
    return Attachment(kind=AttachmentKind.IMAGE, name=name, media_type="image/jpeg")
