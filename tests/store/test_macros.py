from __future__ import annotations

import pytest

from bot.domain.errors import SettingsError
from bot.domain.macros import Macro
from bot.store.database import Database
from bot.store.macros import StoredMacros
from tests.pipeline.rig import KIM, SAM, SetClock

OWN = Macro(title="Hello", text="Hello {customer.first_name}")


async def test_agents_make_their_own_beside_the_brands(database: Database) -> None:
    """The brand's stand first; the same title again replaces an agent's text, never the brand's."""
    macros = StoredMacros(database, SetClock(), (OWN,))
    await macros.add(Macro(title="Thanks", text="Thank you!"), SAM)
    await macros.add(Macro(title="Thanks", text="Thank you, {customer.first_name}!"), KIM)
    await macros.add(Macro(title="Bye", text="Bye!"), KIM)
    assert [(macro.title, macro.text) for macro in await macros.all()] == [
        ("Hello", "Hello {customer.first_name}"),
        ("Bye", "Bye!"),
        ("Thanks", "Thank you, {customer.first_name}!"),
    ]
    with pytest.raises(SettingsError, match="choose another title"):
        await macros.add(Macro(title="hello", text="Hi!"), SAM)


async def test_one_that_nothing_fills_is_refused_by_name(database: Database) -> None:
    """A gap that no ticket fills is named, and nothing is kept."""
    macros = StoredMacros(database, SetClock())
    with pytest.raises(SettingsError, match=r"\{customer.shoe_size\}, which nothing fills"):
        await macros.add(Macro(title="Shoes", text="Size {customer.shoe_size}?"), SAM)
    assert await macros.all() == ()
