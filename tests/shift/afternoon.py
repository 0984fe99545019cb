"""The second half of a shift: putting aside, passing on, what fails, what ends, and what comes after."""

from __future__ import annotations

from bot.store.sample_shop.cast import cast
from tests.fakes.slack_rules import visible
from tests.shift.day import Day
from tests.shift.people import choice

#: Two of the sample shop's cast: his parcel is late, her mugs were refunded.
TOM, HANNAH = cast()[1:3]


async def put_aside(day: Day) -> None:
    """Priority, tags, snoozing, and the draft of the bot."""
    card = await day.card(2)
    day.step("Alice says how urgent #2 is and what it is about")
    more = await day.alice.opens(card, "tandem_more")
    sort = await day.alice.goes_on(more, "tandem_sort")
    assert await day.alice.fills(sort, priority="urgent", tags="lost parcel, carrier") == {}
    await day.settles()
    await day.card_says(2, "🔴 Urgent", "#lost parcel #carrier")

    day.step("Alice puts #2 aside for an hour")
    modal = await day.alice.opens(card, "tandem_snooze")
    await day.alice.fills(modal, until=choice(modal, "until", "in an hour"))
    await day.settles()
    await day.card_says(2, "💤 Alice", "Asleep until")

    day.step("Tom writes, which wakes #2 at once")
    await day.tom.writes("any news?")
    await day.settles()
    await day.card_says(2, "🔵 Alice has it")
    await day.below(card, "· customer\nany news?")

    day.step("The bot has drafted an answer from Tom's record: Alice sends it as it is, and Tom gets just that")
    draft = await day.below(card, "The bot would answer")
    assert TOM.order_number in visible(draft)
    await day.alice.presses(draft, "tandem_send_suggestion")
    await day.settles()
    assert (await day.tom.look())[-1] in visible(draft)
    await day.below(card, "Sent as it was")

    day.step("Alice puts it aside again, and it wakes by itself an hour later")
    modal = await day.alice.opens(card, "tandem_snooze")
    await day.alice.fills(modal, until=choice(modal, "until", "in an hour"))
    await day.settles()
    await day.card_says(2, "💤 Alice")
    await day.passes(minutes=61)
    await day.card_says(2, "🔵 Alice has it")


async def promised(day: Day) -> None:
    """What was promised comes back when it is due."""
    card = await day.card(2)
    day.step("Alice notes what she has promised Tom: the card counts down to it")
    modal = await day.alice.goes_on(await day.alice.opens(card, "tandem_more"), "tandem_promise")
    due = int(day.clock.now().timestamp()) + 2 * 3600
    await day.alice.fills(modal, "a word from the carrier", promised_at=due)
    await day.settles()
    await day.card_says(2, "Promised by", "a word from the carrier")

    day.step("Two hours later it is due: the thread says so, and Tom is told nothing of it")
    seen = await day.tom.look()
    await day.passes(hours=2, minutes=1)
    await day.card_says(2, "❗ Promised was due")
    assert await day.tom.look() == seen


async def passed_on(day: Day) -> None:
    """A ticket goes to another team, in another channel."""
    old = await day.card(2)
    day.step("Alice passes #2 on to the team for returns: its card is there now, and the old one says so")
    modal = await day.alice.goes_on(await day.alice.opens(old, "tandem_more"), "tandem_assign")
    await day.alice.fills(modal, team="returns", remark="The carrier has lost it")
    await day.settles()
    card = await day.card_says(2, "Waiting since", channel=day.returns)
    await day.below(card, "The carrier has lost it")
    moved = next(post for post in await day.front.look(day.care) if post["ts"] == old["ts"])
    assert "#2 went to Returns" in visible(moved)
    assert "passing you on to our colleagues who know more about this (Returns)" in (await day.tom.look())[-1]

    day.step("Alice answers below the old card: she is told that nobody gets that, and where to write")
    seen = await day.tom.look()
    lost = await day.alice.writes(old, "&gt; Are you there?")
    await day.settles()
    assert await day.tom.look() == seen
    assert await day.signs(old, lost) == {"x"}
    assert "this ticket has another card now" in day.alice.told[-1]

    day.step("Bob claims #2 in #returns and answers there")
    await day.bob.presses(card, "tandem_claim")
    await day.settles()
    await day.bob.writes(card, "&gt; Hello Tom, a new parcel is on its way")
    await day.settles()
    assert [*seen, "Bob has joined the chat and will take it from here."] == (await day.tom.look())[:-1]
    assert (await day.tom.look())[-1] == "Hello Tom, a new parcel is on its way"
    await day.tom.writes("thank you!")
    await day.settles()
    await day.below(card, "· customer\nthank you!")

    day.step("The bot would answer that too: Bob marks its draft as wrong, and Tom gets nothing")
    seen = await day.tom.look()
    await day.bob.presses(await day.below(card, "The bot would answer"), "tandem_reject_suggestion")
    await day.settles()
    await day.below(card, "Marked as wrong")
    assert await day.tom.look() == seen


async def whose_ticket_is_it(day: Day) -> None:
    """The lead gives a ticket to somebody, who checks the customer, leaves, and is followed."""
    card = await day.card(1)
    day.step("Carol gives #1 to Alice: the thread says who had it, and Hannah who answers now")
    given = await day.carol.commands(f"assign 1 <@{day.alice.user}|alice>")
    await day.settles()
    assert "Ticket 1 is passed on" in day.carol.answered(given)
    await day.card_says(1, "🔵 Alice has it")
    await day.below(card, "Carol has given this ticket to Alice; Bob had it.")
    assert "Alice has joined" in day.hannah.seen[-1]

    day.step("Alice looks at what is hers, and finds #1 by what Hannah said")
    mine, found = await day.alice.commands("mine"), await day.alice.commands("find returns")
    await day.settles()
    assert "#1 · a person · Hannah Lewis on Telegram" in day.alice.answered(mine)
    assert "#1 ·" in day.alice.answered(found)

    day.step("Alice asks Hannah to prove who she is, and does not see her record before she has")
    await day.alice.goes_on(await day.alice.opens(card, "tandem_more"), "tandem_verify")
    await day.settles()
    assert "please send me your order number" in day.hannah.seen[-1].lower()
    await day.hannah.writes(f"{HANNAH.order_number} {HANNAH.postcode}")
    await day.settles()
    await day.card_says(1, HANNAH.email)

    day.step("Alice has to leave: #1 waits again, Hannah is told so, and Alice is away")
    await day.alice.goes_on(await day.alice.opens(card, "tandem_more"), "tandem_release")
    left = await day.alice.commands("away")
    await day.settles()
    await day.card_says(1, "🟡 Waiting since")
    assert "Alice had to leave the chat" in day.hannah.seen[-1]
    assert "You are away" in day.alice.answered(left)

    day.step("Bob presses Next ticket on his page: #1 is his again")
    await day.bob.opens_home()
    await day.settles()
    await day.bob.presses_home("tandem_next")
    await day.settles()
    assert "Ticket 1 is yours" in day.bob.home
    await day.card_says(1, "🔵 Bob has it")


async def what_does_not_arrive(day: Day) -> None:
    """A reply fails, and is sent again."""
    card = await day.card(1)
    day.step("Hannah has blocked the brand's bot: Bob's reply fails, and the thread says why and what to do")
    day.hannah.phone.has_blocked, day.undelivered = True, 1
    reply = await day.bob.writes(card, "&gt; Your refund is on its way")
    await day.settles()
    assert await day.signs(card, reply) == {"x"}
    told = await day.below(card, "blocked")
    await day.card_says(1, "The last reply did not arrive")

    day.step("She lets it write again: Bob presses Try again, and ✅ takes the place of ❌")
    day.hannah.phone.has_blocked = False
    await day.bob.presses(told, "tandem_resend")
    await day.settles()
    assert day.hannah.seen[-1] == "Your refund is on its way"
    assert await day.signs(card, reply) == {"white_check_mark"}


async def the_end_and_after_it(day: Day) -> None:
    """Closing, rating, thanks, coming back, and handing back."""
    card = await day.card(1)
    day.step("Bob resolves #1: Hannah is told, and asked how it was")
    modal = await day.bob.opens(card, "tandem_resolve")
    await day.bob.fills(modal, "Told her when Bath is open", closing="solved", topic="opening hours")
    await day.settles()
    await day.card_says(1, "✅ Resolved by Bob", "Told her when Bath is open")
    assert "closed" in day.hannah.seen[-2]
    assert "How was that for you?" in day.hannah.seen[-1]

    day.step("Hannah taps Very good: the card says so")
    day.hannah.phone.taps("Very good")
    await day.settles()
    await day.card_says(1, "Rated 5 of 5")

    day.step("Hannah says thanks: #1 stays closed")
    await day.hannah.writes("thanks")
    await day.settles()
    await day.card_says(1, "✅ Resolved by Bob")

    day.step("An hour later she wants a person again: #1 opens again, and is Bob's, who is there and knows her")
    await day.passes(hours=1)
    await day.hannah.writes("i want to speak to a human")
    await day.settles()
    await day.card_says(1, "🔵 Bob has it")
    back = await day.below(card, "The customer has come back")
    assert day.bob.user in str(back["blocks"])
    assert "Bob has joined" in day.hannah.seen[-1]

    day.step("Bob hands #1 back to the bot, which tells Hannah what he did")
    modal = await day.bob.opens(await day.card(1), "tandem_hand_back")
    await day.bob.fills(modal, "Your refund was sent on Friday")
    await day.settles()
    await day.card_says(1, "✅ Handed back to the bot by Bob")
    assert "Your refund was sent on Friday" in day.hannah.seen[-1]

    day.step("Hannah asks the bot something: it answers by itself again")
    count = len(await day.thread(card))
    await day.hannah.writes("are you open on sunday")
    await day.settles()
    assert "Sunday" in day.hannah.seen[-1]
    assert len(await day.thread(card)) == count


async def the_shift_ends(day: Day) -> None:
    """The last words, and what everybody has seen."""
    card = await day.card(2, day.returns)
    day.step("Bob resolves #2, and takes that back: Tom never hears of it")
    seen = await day.tom.look()
    await day.bob.fills(await day.bob.opens(card, "tandem_resolve"))
    await day.offered(day.bob, "Ticket 2 is resolved.")
    await day.bob.takes_back()
    await day.settles()
    await day.card_says(2, "🔵 Bob has it", channel=day.returns)
    assert await day.tom.look() == seen

    day.step("Bob resolves #2 for good, and reopens it, as there is one more thing to say")
    await day.bob.fills(await day.bob.opens(card, "tandem_resolve"))
    await day.settles()
    await day.card_says(2, "✅ Resolved by Bob", channel=day.returns)
    await day.bob.presses(await day.card(2, day.returns), "tandem_reopen")
    await day.settles()
    await day.card_says(2, "🔵 Bob has it", channel=day.returns)
    await day.bob.writes(card, "&gt; It should be there on Tuesday")
    await day.settles()
    assert (await day.tom.look())[-1] == "It should be there on Tuesday"

    day.step("Carol looks at the load, and Bob at his day")
    await day.carol.opens_home()
    await day.bob.opens_home()
    await day.settles()
    assert "Returns · 0 waiting" in day.carol.home
    assert "🟢 Bob: 1" in day.carol.home
    assert "rated 5.0 of 5" in day.bob.home

    day.step("Each customer has seen their own conversation alone, and no word that agents wrote to each other")
    hers, his = day.hannah.seen, await day.tom.look()
    internal = ("she wrote yesterday", "The carrier has lost it", "May I?", "Are you there?", "or can we?")
    assert not any(words in text for words in internal for text in (*hers, *his))
    assert not any("Tom" in text for text in hers)
    assert not any("Hannah" in text or "refund" in text for text in his)
    assert sum("It should be there on Tuesday" in text for text in (*hers, *his)) == 1
