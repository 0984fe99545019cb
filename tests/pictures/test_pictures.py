from __future__ import annotations

from tests.pictures.draw import pictures


def test_every_picture_can_be_drawn() -> None:
    """The guide's pictures are made from what Slack gets, block for block."""
    pages = pictures()
    assert set(pages) == {"desk-card", "desk-thread", "desk-modals", "desk-home"}
    assert "#118 · broken on arrival" in pages["desk-card"]
    assert "&lt;!date" not in "".join(pages.values())
