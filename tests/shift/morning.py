"""The first half of a shift: who has a ticket, what is said in its thread, and what reaches the customer."""

from __future__ import annotations

from bot.store.sample_shop.cast import cast
from tests.fakes.slack_rules import tokens, visible
from tests.shift.day import Day

#: Of the sample shop's cast: his parcel is late.
TOM = cast()[1]
#: The smallest picture there is.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200"
    "0148afa4710000000049454e44ae426082"
)
HOSTILE = "<!channel> *bold* <https://evil.example|click> `code`"


async def the_shift_begins(day: Day) -> None:
    """Everybody arrives, and the first customer asks for a person."""
    day.step("Carol, who leads, opens the app's page: nobody waits, nobody is there")
    await day.carol.opens_home()
    await day.settles()
    assert "In the queue (0)Nobody is waiting." in day.carol.home
    assert "All teams" in day.carol.home

    day.step("Alice and Bob say that they are there")
    came = [await day.alice.commands("back"), await day.bob.commands("back")]
    await day.settles()
    assert [day.alice.answered(came[0]), day.bob.answered(came[1])] == ["You are available."] * 2

    day.step("Hannah asks the bot something on Telegram: she is answered, and Slack stays quiet")
    await day.hannah.writes("are you open on sunday")
    await day.settles()
    assert "Sunday" in day.hannah.seen[-1]
    assert await day.front.look(day.care) == []

    day.step("Hannah wants a person: she is told her place, and #1 stands in #care with what was said before")
    await day.hannah.writes("i want to speak to a human")
    await day.settles()
    assert "You're next in line" in day.hannah.seen[-1]
    card = await day.card_says(1, "Hannah Lewis on Telegram", "Asked for a person", "Waiting since", "First answer by")
    await day.below(card, "are you open on sunday")

    day.step("Mallory, who is no agent, presses Claim: she alone is told why not, and #1 still waits")
    await day.mallory.presses(card, "tandem_claim")
    await day.settles()
    assert "Only members of the agents' user group" in day.mallory.told[-1]
    await day.card_says(1, "Waiting since")


async def a_ticket_finds_its_agent(day: Day) -> None:
    """Who has a ticket is seen by everybody, and undone without a trace."""
    day.step("Alice presses Claim, and takes it back at once: Hannah never hears of it")
    seen = list(day.hannah.seen)
    await day.alice.presses(await day.card(1), "tandem_claim")
    await day.offered(day.alice, "You have ticket 1 now.")
    await day.alice.takes_back()
    await day.settles()
    await day.card_says(1, "Waiting since")
    assert day.hannah.seen == seen

    day.step("Bob asks for the next ticket: #1 is his, and Hannah is told who he is")
    waiting = await day.card(1)
    asked = await day.bob.commands("next")
    await day.settles()
    assert "Ticket 1 is yours" in day.bob.answered(asked)
    await day.card_says(1, "Bob has it")
    assert "Bob has joined" in day.hannah.seen[-1]

    day.step("Alice, who looked a moment ago, presses Claim: she is told whose it is, and nothing changes")
    await day.alice.presses(waiting, "tandem_claim")
    await day.settles()
    assert "Bob has claimed ticket 1." in day.alice.told[-1]

    day.step("Hannah writes, with signs that Slack would act on: they stand as she typed them, and call Bob alone")
    await day.hannah.writes(HOSTILE)
    await day.settles()
    line = await day.below(await day.card(1), HOSTILE)
    assert tokens(line) == ["user"]


async def words_in_a_thread(day: Day) -> None:
    """What is for us stays in the thread, what is for her reaches her."""
    card, seen = await day.card(1), list(day.hannah.seen)
    day.step("Bob and Alice talk in the thread: Hannah sees nothing of it")
    note = await day.bob.writes(card, "The bot could have told her that")
    await day.alice.writes(card, "she wrote yesterday as well")
    await day.settles()
    assert day.hannah.seen == seen

    day.step("Bob writes a line that begins with >: Hannah gets it without the sign, and ✅ stands at it")
    reply = await day.bob.writes(card, "&gt; Hello Hannah, we are open from ten to four")
    await day.settles()
    assert day.hannah.seen == [*seen, "Hello Hannah, we are open from ten to four"]
    assert await day.signs(card, reply) == {"white_check_mark"}

    day.step("Bob corrects it: Hannah's chat shows the new text in its place")
    await day.bob.edits(card, reply, "&gt; Hello Hannah, in Bath we are open from ten to four")
    await day.settles()
    assert day.hannah.seen == [*seen, "Hello Hannah, in Bath we are open from ten to four"]

    day.step("Bob writes half a reply and half a note: he alone is told that it was not sent")
    await day.bob.writes(card, "&gt; We can do that\nor can we?")
    await day.settles()
    assert "Not sent: only some lines" in day.bob.told[-1]
    assert len(day.hannah.seen) == len(seen) + 1

    day.step("Bob sends something too early, and deletes it: it is gone at Hannah's as well")
    early = await day.bob.writes(card, "&gt; I have refunded it")
    await day.settles()
    assert day.hannah.seen[-1] == "I have refunded it"
    await day.bob.deletes(card, early)
    await day.settles()
    assert day.hannah.seen[-1] == "Hello Hannah, in Bath we are open from ten to four"

    day.step("Bob puts ✉️ on his note: Hannah gets exactly that, once")
    await day.bob.reacts(card, note, "envelope")
    await day.settles()
    assert day.hannah.seen[-1] == "The bot could have told her that"
    assert await day.signs(card, note) == {"envelope", "white_check_mark"}


async def replies_with_a_modal(day: Day) -> None:
    """A reply is seen before it is sent, or made of a canned one."""
    card = await day.card(1)
    day.step("Bob replies in a modal: the preview says what Hannah will see, and she sees that")
    shown = await day.bob.sends(await day.bob.opens(card, "tandem_reply"), "Is there anything else, <!here>?")
    await day.settles()
    assert "Is there anything else, <!here>?" in shown
    assert day.hannah.seen[-1] == "Is there anything else, <!here>?"
    line = await day.below(card, "Is there anything else, <!here>?")
    assert "Sent" in visible(line)

    day.step("Hannah writes while Bob does: his preview tells him so before he sends")
    modal = await day.bob.opens(card, "tandem_reply")
    await day.hannah.writes("do you take returns?")
    await day.settles()
    shown = await day.bob.sends(modal, "Then have a nice Sunday")
    await day.settles()
    assert "Hannah Lewis: do you take returns?" in shown
    assert day.hannah.seen[-1] == "Then have a nice Sunday"

    day.step("Bob picks a canned reply: Hannah's name and his own stand in it")
    picked = await day.bob.opens(card, "tandem_macro")
    await day.bob.fills(picked, macro="Hello, I am looking into it")
    await day.bob.sends(day.front.views[-1])
    await day.settles()
    assert day.hannah.seen[-1].startswith("Hello Hannah, this is Bob from Copperleaf")

    day.step("Alice has no word in it: #1 is Bob's, and her reply comes back to her")
    sent = len(day.hannah.seen)
    hers = await day.alice.writes(card, "&gt; May I?")
    await day.settles()
    assert "has claimed ticket 1" in day.alice.told[-1]
    assert await day.signs(card, hers) == {"x"}
    assert len(day.hannah.seen) == sent


async def another_customer(day: Day) -> None:
    """A second ticket beside the first, on another channel."""
    day.step("Tom asks on the site for his parcel, proves who he is, and wants a person: #2 shows his record")
    await day.tom.arrives()
    await day.tom.writes(f"wheres my order {TOM.order_number}")
    await day.settles()
    await day.tom.writes(TOM.postcode)
    await day.settles()
    await day.tom.writes("can i talk to a person please")
    await day.settles()
    card = await day.card_says(2, "Tom Okafor on Web chat", TOM.order_number, "Waiting since")
    assert "next in line" in (await day.tom.look())[-1]

    day.step("Alice finds #2 on her page and claims it there")
    await day.alice.opens_home()
    await day.settles()
    assert "In the queue (1)#2 ·" in day.alice.home
    await day.alice.presses_home("tandem_claim:2")
    await day.settles()
    await day.card_says(2, "Alice has it")
    assert "Yours (1)" in day.alice.home
    assert "Alice has joined" in (await day.tom.look())[-1]

    day.step("Alice answers with a command")
    answered = await day.alice.commands("reply 2 Hello Tom, I am asking the carrier")
    await day.settles()
    assert "on its way" in day.alice.answered(answered)
    assert (await day.tom.look())[-1] == "Hello Tom, I am asking the carrier"

    day.step("Tom sends a picture: it stands in the thread of #2, and nowhere else")
    picture = await day.tom.uploads(PNG, "parcel.png", "image/png")
    await day.tom.writes("this is where it should be", picture)
    await day.settles()
    files = [file["name"] for post in await day.thread(card) for file in post.get("files", ())]
    assert files == ["parcel.png"]
    assert not any(post.get("files") for post in await day.thread(await day.card(1)))
