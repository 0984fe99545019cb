from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.slack.macros import load, values
from bot.domain.errors import SettingsError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.macros import VARIABLES, Macro
from bot.domain.tickets import Agent, AgentId
from tests.desk.records import dana, queued_view

SAM = Agent(id=AgentId("slack:U1"), name="Sam")
REQUEST = HandoffRequest(reason=Reason.OTHER, topic="refund", summary="", order_number="CL-104233")
EXAMPLE = Path(__file__).parents[3] / "deploy" / "macros.example.toml"


def test_the_sample_brands_are_of_use() -> None:
    """There are a handful, and each can be filled from a known customer's ticket but for the promised day."""
    macros = load(EXAMPLE)
    assert len(macros) >= 8
    known = values(queued_view(REQUEST, "Dana", dana()), SAM, "Copperleaf")
    assert {name for macro in macros for name in macro.missing(known)} <= {"promise.date", "order.carrier"}
    filled = macros[1].filled(known)
    assert "Hello Dana, your order CL-104233 is delivered. Parcelforce carries it" in filled


def test_a_ticket_tells_what_it_knows_and_nothing_more() -> None:
    """Of a stranger only the name the channel gives and the order they named are known."""
    view = queued_view(REQUEST, "Dana Fox", None)
    known = values(view, SAM, "Copperleaf")
    assert (known["customer.first_name"], known["order.number"]) == ("Dana", "CL-104233")
    assert "order.status" not in known
    nameless = replace(view, conversation=replace(view.conversation, display_name=None))
    assert Macro(title="x", text="Hi {customer.name}, {agent.name}").missing(values(nameless, SAM, "x")) == (
        "customer.name",
    )


@given(
    st.dictionaries(st.sampled_from(list(VARIABLES)), st.text(min_size=1).filter(str.strip), min_size=len(VARIABLES))
)
def test_values_are_never_read_for_gaps_again(known: dict[str, str]) -> None:
    """A customer called `{agent.name}` stays called so."""
    macro = Macro(title="x", text="|".join(f"{{{name}}}" for name in VARIABLES))
    assert macro.filled(known) == "|".join(known[name].strip() for name in VARIABLES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("macro = 1", "under"),
        ("title = 'x'", "under"),
        ("[[macro]]\ntitle = 'x'", "needs a title and a text"),
        ("[[macro]]\ntitle = 'x'\ntext = 'y'\nmore = 1", "nothing else"),
        ("[[macro]]\ntitle = 'x'\ntext = 'Hi {customer.shoes}'", r"\{customer.shoes\}, which nothing fills"),
        ("[[macro]]\ntitle = ''\ntext = 'y'", "needs a title"),
        ("[[macro]]\ntitle = 'x'\ntext = 'y'\n[[macro]]\ntitle = 'x'\ntext = 'z'", "two canned replies called 'x'"),
        ("[[macro", "not TOML"),
    ],
)
def test_a_file_of_no_use_is_refused_by_name(tmp_path: Path, content: str, words: str) -> None:
    """What is wrong is said, with the file and the entry."""
    path = tmp_path / "macros.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=words):
        load(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml")
