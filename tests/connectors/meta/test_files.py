from __future__ import annotations

import pytest

from bot.domain.errors import MediaError
from bot.domain.messages import Attachment, AttachmentKind
from connectors.meta import files as meta_files
from simulator.graph import Fault
from tests.connectors.meta.bench import Bench, bench


def picture(reference: str) -> Attachment:
    """Return a picture that a customer sent."""
    return Attachment(kind=AttachmentKind.IMAGE, reference=reference)


def given(stand: Bench, content: bytes = b"tea") -> str:
    """Let a customer send a file; return what WhatsApp calls it."""
    stand.graph.files["65463453"] = ("image/png", content)
    return "65463453"


@pytest.fixture
async def stand() -> Bench:  # type: ignore[misc]
    """A fake Graph API and our WhatsApp connector."""
    async with bench("whatsapp") as made:
        yield made


async def test_file_of_whatsapp(stand: Bench) -> None:
    """A file is fetched in two steps: where it is, and then the bytes, both with the token."""
    assert await stand.connector.fetch(picture(given(stand))) == b"tea"


async def test_file_that_is_gone(stand: Bench) -> None:
    """A file that WhatsApp no longer has is given up, with no second try."""
    with pytest.raises(MediaError, match=r"100/33"):
        await stand.connector.fetch(picture("65463999"))
    stand.graph.fail(Fault(call="files", status=404))
    with pytest.raises(MediaError, match="no longer"):
        await stand.connector.fetch(picture(given(stand)))
    assert stand.pauses == [0.0, 0.0]


@pytest.mark.parametrize("status", [429, 500])
async def test_file_later(stand: Bench, status: int) -> None:
    """What fails for a moment is tried again after a pause, three times in all."""
    for call in ("65463453", "files"):
        stand.graph.fail(Fault(call=call, status=status))
    assert await stand.connector.fetch(picture(given(stand))) == b"tea"
    assert stand.pauses == [0.0, 1.0, 4.0]

    stand.graph.fail(*[Fault(call="files", status=500)] * 3)
    with pytest.raises(MediaError, match="cannot be fetched now"):
        await stand.connector.fetch(picture(given(stand)))


async def test_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than we take is not read to its end."""
    assert meta_files.FETCH_MAX_BYTES <= 100_000_000
    monkeypatch.setattr("connectors.meta.files.FETCH_MAX_BYTES", 2_000_000)
    async with bench("whatsapp") as stand:
        with pytest.raises(MediaError, match="larger than 2 MB"):
            await stand.connector.fetch(picture(given(stand, b"x" * 2_000_001)))


@pytest.mark.parametrize("reference", ["", "../me", "me?fields=token", "https://example.com/x", "é", "1/2"])
async def test_strange_id(stand: Bench, reference: str) -> None:
    """What cannot be WhatsApp's name of a file is never asked for."""
    with pytest.raises(MediaError):
        await stand.connector.fetch(picture(reference))
    assert stand.graph.calls == []


ELSEWHERE = [
    "http://scontent.xx.fbcdn.net/a.jpg",
    "https://fbcdn.net.evil.example/a.jpg",
    "https://evilfbcdn.net/a.jpg",
    "https://scontent.xx.fbcdn.net@evil.example/a.jpg",
    "https://evil.example\\@scontent.xx.fbcdn.net/a.jpg",
    "https://evil.example#.fbcdn.net/",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a.jpg",
    "https://localhost/a.jpg",
    "file:///etc/passwd",
    "ftp://scontent.xx.fbcdn.net/a.jpg",
    "//scontent.xx.fbcdn.net/a.jpg",
    "https://scontent.xx.fbcdn.net/a b",
    "https://scontent.xx.fbcdn.net/\nHost: evil.example",
    "https://sconté.fbcdn.net/",
    "",
]


@pytest.mark.parametrize("channel", ["messenger", "instagram"])
@pytest.mark.parametrize("address", ELSEWHERE)
async def test_file_elsewhere(channel: str, address: str) -> None:
    """An address that is not on a server of Meta's is refused before anybody is asked."""
    async with bench(channel) as stand:
        with pytest.raises(MediaError, match="not on a server that"):
            await stand.connector.fetch(picture(address))
        assert stand.pauses == [0.0]


async def test_redirect_elsewhere() -> None:
    """A server of Meta's that sends us elsewhere is not followed there, nor for ever, nor with the token."""
    async with bench("messenger") as stand:
        stand.graph.files["1"] = ("image/png", b"tea")
        for target in ELSEWHERE[2], "http://127.0.0.1:1/x", "file:///etc/passwd":
            with pytest.raises(MediaError, match="not on a server that"):
                await stand.connector.fetch(picture(f"{stand.graph.url}/moved/?to={target}"))
        loop = f"{stand.graph.url}/moved/1"
        with pytest.raises(MediaError, match="leads nowhere"):
            await stand.connector.fetch(
                picture(
                    f"{loop}?to={loop}%3Fto%3D{loop}%253Fto%253D{loop}%25253Fto%25253D{loop}%2525253Fto%2525253D{loop}"
                )
            )


async def test_page_fetches_without_token() -> None:
    """Addresses that come in messages are fetched without the page's token: they carry their own proof."""
    async with bench("messenger") as stand:
        stand.graph.files["1"] = ("image/png", b"tea")
        with pytest.raises(MediaError, match="not handed out"):
            await stand.connector.fetch(picture(f"{stand.graph.url}/files/1"))
