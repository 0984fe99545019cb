from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from bot.domain.connectors import ConnectorRegistry
from bot.domain.errors import SettingsError
from bot.domain.rules import Rules
from bot.public_texts import SAMPLE_TEXTS, load, with_public
from bot.settings import Settings
from bot.settings import load as load_settings
from tests.fakes.connector import FakeConnector
from tests.pipeline.square import square

PROJECT = Path(__file__).parents[1]


def test_the_sample_texts_can_be_used() -> None:
    """The example's texts are of every kind, and answer intents that the bot knows."""
    texts = load(PROJECT / SAMPLE_TEXTS)
    assert texts.thanks
    assert texts.invitations
    assert texts.invitations_by_code
    assert texts.closings
    assert texts.by_language["de"].thanks
    assert set(texts.by_language["de"].answers) == set(texts.answers)
    domain = yaml.safe_load((PROJECT / "domain.yml").read_text(encoding="utf-8"))
    assert set(texts.answers) <= set(domain["intents"])


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("thanks = 3", "thanks is a text"),
        ("thanks = []", "thanks is a text"),
        ('praise = "x"', "'praise' is none of"),
        ('answer = "x"', "[[answer]]"),
        ('[[answer]]\nintent = "a"', "needs an intent and texts"),
        ('[[answer]]\nintent = "a"\ntexts = "x"\n[[answer]]\nintent = "a"\ntexts = "y"', "two answers to 'a'"),
        ('[[answer]]\nintent = "a"\ntexts = "Hello {name}"', "nothing personal"),
        ('invitation = "Come in"', "{link}"),
        ('[german]\nthanks = "Danke!"', "[german] must be a language"),
        ('[de]\npraise = "Danke!"', "[de]: 'praise' is none of"),
        ('[de]\ninvitation = "Herein"', "[de] invitation: the text must say {link}"),
        ('[answer]\nintent = "a"\ntexts = "x"', "write each answer under [[answer]]"),
        ("= x", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, written: str, named: str) -> None:
    """A file that cannot be used says what is wrong with it."""
    file = tmp_path / "public.toml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert named in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """So does one that is not there."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_settings_become_rules(tmp_path: Path) -> None:
    """Where people are asked to, for how long, and what is said come from the settings."""
    file = tmp_path / "public.toml"
    file.write_text('thanks = "Thank you!"', encoding="utf-8")
    environ = {
        "TANDEM_PUBLIC__TEXTS": str(file),
        "TANDEM_PUBLIC__INVITE_TO": "webchat, telegram",
        "TANDEM_PUBLIC__INVITATION_FOR": "3d",
    }
    settings = load_settings(environ)
    assert settings.public.invite_to == ("webchat", "telegram")
    rules = with_public(Rules(), settings, ConnectorRegistry(connectors=(square(), FakeConnector()))).public
    assert rules.texts.allows("Thank you!")
    assert rules.invitation_for == timedelta(days=3)
    assert dict(rules.doorways) == {"fake-comments/brand": None}


def test_another_brand_says_nothing_until_it_approves_something(tmp_path: Path) -> None:
    """The sample brand's texts are its own: with records of another brand there are none."""
    mapping = tmp_path / "shop.toml"
    settings = load_settings({"TANDEM_RECORDS__URL": "sqlite:///x", "TANDEM_RECORDS__MAPPING": str(mapping)})
    assert with_public(Rules(), settings, ConnectorRegistry()).public.texts.thanks == ()
    assert with_public(Rules(), Settings(), ConnectorRegistry()).public.texts.thanks


def test_unknown_channels_are_refused() -> None:
    """A channel that people cannot be asked to is named."""
    with pytest.raises(SettingsError, match="'fax'"):
        load_settings({"TANDEM_PUBLIC__INVITE_TO": "fax"})


@pytest.mark.parametrize(
    ("environ", "page"),
    [
        ({}, None),
        ({"TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com"}, "https://care.example.com/"),
        ({"TANDEM_WEBCHAT__PAGE": "https://shop.example/help"}, "https://shop.example/help"),
        ({"TANDEM_SERVICE__PUBLIC_URL": "https://a.example", "TANDEM_BRAND__HAS_SAMPLE_SITE": "no"}, None),
    ],
)
def test_links_lead_to_a_page_with_the_chat(environ: dict[str, str], page: str | None) -> None:
    """That is the brand's own page, else the sample page where customers can reach it."""
    assert load_settings(environ).chat_page == page
