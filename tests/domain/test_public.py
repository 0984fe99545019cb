from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import ConnectorRegistry
from bot.domain.customers import OrderNumberForm
from bot.domain.doorways import doorways
from bot.domain.errors import SettingsError
from bot.domain.exposure import exposed
from bot.domain.invitations import (
    ALPHABET,
    LENGTH,
    InvitationToken,
    brought,
    fingerprint,
    is_invitation,
    referral_of,
    shown,
)
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, OutboundMessage
from bot.domain.public import PublicRules, PublicText, PublicTexts, check_texts
from bot.store.ids import new_invitation_token
from tests.desk.records import dana
from tests.fakes.connector import FakeConnector

NUMBERS = OrderNumberForm()
ASK = PublicText("Please write to us: {link} or {code}.")
TEXTS = PublicTexts(answers={"hours": (PublicText("Nine to six (daily)."),)}, invitations=(ASK,))
tokens = st.text(st.sampled_from(ALPHABET), min_size=LENGTH, max_size=LENGTH).map(InvitationToken)


def channel(name: str, *, is_public: bool = False, link: str | None = None) -> FakeConnector:
    """Return a channel's connector."""
    return FakeConnector(channel=ChannelName(name), is_public=is_public, invites_at=link)


def at(name: str) -> ChannelAddress:
    """Return an address on a channel."""
    return ChannelAddress(channel=ChannelName(name), account=AccountId("brand"), external_id="x")


class TestTexts:
    """What may be said."""

    @given(st.text(max_size=80))
    def test_nothing_but_the_approved_texts(self, text: str) -> None:
        """Any other text is refused, also one that only begins or ends like an approved one."""
        assert TEXTS.allows("Nine to six (daily).")
        assert not TEXTS.allows(text)
        assert not TEXTS.allows(f"Nine to six (daily).{text or ' '}")
        assert not TEXTS.allows(f"{text or ' '}Nine to six (daily).")

    @given(tokens)
    def test_gaps_hold_links_and_codes_alone(self, token: InvitationToken) -> None:
        """In the gap for a link stands a link, in that for a code a code: no words, and no order number."""
        said = ASK.filled({"link": f"https://t.me/bot?start={referral_of(token)}", "code": shown(token)})
        assert TEXTS.allows(said)
        for other in ("Ann, CL-104233", "https://x.example and CL-104233", ""):
            assert not TEXTS.allows(ASK.filled({"link": other, "code": shown(token)}))
            assert not TEXTS.allows(ASK.filled({"link": "https://x.example", "code": other}))

    def test_only_bare_texts_of_the_bot(self) -> None:
        """With a button or a file not even an approved text is allowed; agents have to know that it is public."""
        rules = PublicRules(texts=TEXTS)
        said = OutboundMessage(author=Author.BOT, text="Nine to six (daily).")
        assert rules.allows(said)
        assert not rules.allows(replace(said, choices=(Choice(title="CL-104233", payload="x"),)))
        assert not rules.allows(replace(said, attachments=(Attachment(kind=AttachmentKind.IMAGE),)))
        for author in Author.AGENT, Author.CUSTOMER:
            assert rules.allows(replace(said, author=author, text="Hi")) is False
        assert rules.allows(replace(said, author=Author.AGENT, text="Hi", is_known_public=True))
        assert not rules.allows(replace(said, text="Hi", is_known_public=True))

    @pytest.mark.parametrize(
        ("texts", "named"),
        [
            (PublicTexts(invitations=(PublicText("Come in!"),)), "{link}"),
            (PublicTexts(invitations_by_code=(PublicText("Come in! {link}"),)), "{code}"),
            (PublicTexts(answers={"hours": (PublicText("Hello {name}"),)}), "the answer to hours"),
            (PublicTexts(thanks=(PublicText("Thanks {link}"),)), "thanks"),
            (PublicTexts(closings=(PublicText(""),)), "closing"),
            (PublicTexts(closings=(PublicText("x" * 401),)), "400"),
            (PublicTexts(closings=(PublicText("a { b"),)), "closing"),
        ],
    )
    def test_texts_of_no_use_are_refused(self, texts: PublicTexts, named: str) -> None:
        """A text without its gap, with another, or of no length is named at start."""
        with pytest.raises(SettingsError) as caught:
            check_texts(texts)
        assert named in str(caught.value)


class TestDoorways:
    """Where people are asked to go on."""

    def test_the_same_network_comes_first(self) -> None:
        """Its own direct messages are where people are, by link or by code; without them any link will do."""
        registry = ConnectorRegistry(
            connectors=(
                channel("webchat", link="https://shop.example/?i="),
                channel("x"),
                channel("x-mentions", is_public=True),
                channel("wordpress", is_public=True),
            )
        )
        doors = doorways(registry.connectors)
        own, other = doors["x-mentions/brand"], doors["wordpress/brand"]
        assert own is not None
        assert (own.channel, own.url) == ("x", None)
        assert other is not None
        assert other.channel == "webchat"
        assert set(doors) == {"x-mentions/brand", "wordpress/brand"}

    def test_a_brand_may_choose(self) -> None:
        """Where the settings name channels, people are asked to one of them or nowhere."""
        made = (channel("x"), channel("webchat", link="https://a.example/"), channel("x-mentions", is_public=True))
        registry = ConnectorRegistry(connectors=made)
        chosen = doorways(registry.connectors, ["webchat", "x"])["x-mentions/brand"]
        assert chosen is not None
        assert chosen.channel == "webchat"
        assert doorways(registry.connectors, ["telegram"]) == {"x-mentions/brand": None}

    def test_an_invitation_names_the_way(self) -> None:
        """The text has the link, and there is none for an account without a way or a brand without a text."""
        registry = ConnectorRegistry(
            connectors=(channel("fake", link="https://a.example/?i="), channel("fake-comments", is_public=True))
        )
        token = InvitationToken("bcdfg23456")
        rules = PublicRules(doorways=doorways(registry.connectors), texts=TEXTS)
        text = rules.invitation(at("fake-comments"), token, "seed")
        assert text == "Please write to us: https://a.example/?i=join-bcdfg23456 or BCDFG-23456."
        assert rules.texts.allows(text)
        assert rules.invitation(at("fake"), token, "seed") is None
        assert not PublicRules(doorways=doorways(registry.connectors)).can_invite(at("fake-comments"))


class TestTokens:
    """What an invitation is carried by."""

    @given(tokens)
    def test_it_comes_back(self, token: InvitationToken) -> None:
        """By link and typed, in any case, alone or in a sentence, it is the same token."""
        for text, referral in (("", referral_of(token)), ("", referral_of(token).upper()), (referral_of(token), "")):
            found = brought(text, referral)
            assert found is not None
            assert found.token == token
        assert is_invitation(referral_of(token))
        if not token.isdecimal():
            found = brought(f"hi, it is {shown(token).lower()}, thanks", "")
            assert found is not None
            assert (found.token, found.rest) == (token, "hi, it is , thanks")

    @given(st.text(string.ascii_letters + " -.,'", max_size=200))
    def test_no_words_are_a_token(self, text: str) -> None:
        """What is written without figures and with vowels is never taken for one."""
        vowels = "".join(character if character in " -.,'" else "e" for character in text)
        assert brought(vowels, "") is None

    @pytest.mark.parametrize(
        "text", ["CL-104233", "23456-78923", "07700 900123", "LS6 2AB", "hello-world", "great-taste"]
    )
    def test_what_customers_write_is_no_token(self, text: str) -> None:
        """Order numbers, telephone numbers and hyphens are none."""
        assert brought(text, "") is None
        assert brought("", text) is None

    def test_tokens_are_random_and_kept_as_hashes(self) -> None:
        """No two are the same, each can be typed, and what is kept says nothing of it."""
        made = {new_invitation_token() for _ in range(500)}
        assert len(made) == 500
        assert all(brought(shown(token), "") is not None for token in made)
        assert not any(token in fingerprint(token) for token in made)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We are open from 9 to 6.", ()),
        ("Your order CL-104233 is late", ("CL-104233",)),
        ("about #104233", ("CL-104233",)),
        ("write to dana@example.com", ("dana@example.com",)),
        ("call 07700 900123 or +44 (0)20 7946 0958", ("07700 900123", "+44 (0)20 7946 0958")),
        ("It costs £2.95, free from £30, since 2019-2024", ()),
    ],
)
def test_what_is_somebodys_alone(text: str, found: tuple[str, ...]) -> None:
    """Order numbers, e-mail addresses and telephone numbers are found; prices and years are not."""
    # The end of a telephone number may look like an order's.
    assert set(found) <= set(exposed(text, (), NUMBERS))
    assert bool(exposed(text, (), NUMBERS)) == bool(found)


def test_names_and_postcodes_of_the_record() -> None:
    """Names count when they are the record's, as they are written there."""
    record = dana()
    name = record.customer.name
    assert name in exposed(f"Hello {name}!", [record], NUMBERS)
    assert name.split()[0] in exposed(f"Hello {name.split()[0]},", [record], NUMBERS)
    assert record.customer.postcode in exposed(f"to {record.customer.postcode.lower()}", [record], NUMBERS)
    assert exposed("Hello there", [record, None], NUMBERS) == ()
