from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import Capabilities, SendText
from bot.domain.file_links import LIVES_FOR, FileLinks
from bot.domain.messages import Attachment, AttachmentKind, Author, MediaId, OutboundMessage
from bot.domain.planning import plan

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LINKS = FileLinks.of("https://care.example.com", "a secret of the service, 32 bytes")
KEPT = MediaId("0123456789abcdef" * 2)
ADDRESS = ChannelAddress(channel=ChannelName("c"), account=AccountId("a"), external_id="1")


def _token(links: FileLinks = LINKS, now: datetime = NOW) -> str:
    return links.link(KEPT, now).rpartition("/")[2]


def test_a_link_leads_to_its_file() -> None:
    """A link names one file for seven days, and is the same all day long, so that a repeated call says the same."""
    assert LINKS.read(_token(), NOW) == KEPT
    assert _token(now=NOW + timedelta(hours=2)) == _token()
    assert LINKS.read(_token(), NOW + LIVES_FOR) == KEPT
    assert LINKS.read(_token(), NOW + LIVES_FOR + timedelta(days=1)) is None


def test_nobody_else_makes_a_link() -> None:
    """No sign of a link can be another one, nor is one of another installation good for anything."""
    token = _token()
    changed = [f"{token[:n]}{'A' if token[n] != 'A' else 'B'}{token[n + 1 :]}" for n in range(len(token))]
    strange = ["", KEPT, token + "A", token[:-1], token[:-1] + "/", "ä" * 40, "\ud800" * 40]

    assert [LINKS.read(each, NOW) for each in changed + strange] == [None] * (len(changed) + len(strange))
    assert LINKS.read(_token(FileLinks.of("https://care.example.com", "another secret")), NOW) is None
    assert "secret" not in repr(LINKS)


def test_no_link_to_what_is_not_kept() -> None:
    """A file that only a channel has gets no link."""
    assert [LINKS.link(each, NOW) for each in (None, MediaId("../../etc"), MediaId(""))] == [""] * 3


def test_links_are_not_cut() -> None:
    """Wherever a text is cut into pieces, the link in it stays whole."""
    link = LINKS.link(KEPT, NOW)
    file = Attachment(kind=AttachmentKind.FILE, name="a longish name.pdf", media_id=KEPT, link=link)
    for length in range(0, 700, 7):
        message = OutboundMessage(author=Author.AGENT, text="ab cdefg " * (length // 9), attachments=(file,))
        planned = plan(message, ADDRESS, Capabilities(text_max=300))
        assert any(isinstance(each, SendText) and link in each.text for each in planned)
