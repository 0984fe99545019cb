from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from bot.domain.errors import SettingsError
from bot.settings import Settings, load

#: What an account of Messenger needs.
META = ("TOKEN", "APP_SECRET", "VERIFY_TOKEN", "PAGE_ID")


def written(folder: Path, text: str) -> Path:
    """Return a settings file."""
    path = folder / "tandem.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_has_to_be_set() -> None:
    """Without any settings Tandem runs on its own machine, on SQLite, with the web chat."""
    settings = load({"PATH": "/bin", "HOME": "/root"})
    assert settings == Settings()
    assert settings.service.database.startswith("sqlite:///")
    assert settings.webchat.is_enabled
    assert settings.secrets() == []


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    """A variable overrides the file's line, and only that."""
    path = written(tmp_path, '[service]\nport = 9000\nhost = "0.0.0.0"\n[brand]\nname = "Shop"\n')
    settings = load({"TANDEM_SERVICE__PORT": "9100", "TANDEM_SETTINGS": str(path)})
    assert (settings.service.port, settings.service.host, settings.brand.name) == (9100, "0.0.0.0", "Shop")  # noqa: S104
    assert load({}, path).service.port == 9000


def test_the_database_lives_in_the_state_folder_unless_it_is_named() -> None:
    """Whoever moves the state moves the database with it; a database that is named stays where it is."""
    moved = load({"TANDEM_SERVICE__STATE_DIR": "/srv/tandem"}).service
    assert moved.database == "sqlite:////srv/tandem/tandem.db"
    named = {"TANDEM_SERVICE__STATE_DIR": "/srv/tandem", "TANDEM_SERVICE__DATABASE": "sqlite:////data/own.db"}
    assert load(named).service.database == "sqlite:////data/own.db"
    assert Settings().service.database == "sqlite:///var/tandem.db"


def test_only_what_is_wrong_is_named(tmp_path: Path) -> None:
    """A state folder that is none is named alone, not the database that would lie in it."""
    with pytest.raises(SettingsError) as caught:
        load({}, written(tmp_path, "[service]\nstate_dir = 3\n"))
    assert "service.state_dir" in str(caught.value)
    assert "service.database" not in str(caught.value)


def test_lists_are_written_with_commas() -> None:
    """A list in the environment is separated by commas."""
    settings = load({"TANDEM_WEBCHAT__ALLOWED_ORIGINS": "https://a.example, https://b.example,"})
    assert settings.webchat.allowed_origins == ("https://a.example", "https://b.example")


def test_proxies_are_addresses_and_networks() -> None:
    """Both may be mixed, and both families."""
    proxies = load({"TANDEM_SERVICE__TRUSTED_PROXIES": "10.0.0.5, 10.1.0.0/16,2001:db8::/32"}).service.trusted_proxies
    assert proxies == (ip_network("10.0.0.5/32"), ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))


@pytest.mark.parametrize("wrong", ["proxy.internal", "10.0.0.5/8", "0.0.0.0/0", "::/0", "1"])
def test_proxies_that_are_no_networks_are_refused(wrong: str) -> None:
    """A name, a network with an address in it and the whole internet are named as what they are."""
    with pytest.raises(SettingsError, match=rf"service\.trusted_proxies.*{re.escape(wrong)}"):
        load({"TANDEM_SERVICE__TRUSTED_PROXIES": f"10.0.0.5,{wrong}"})


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    """What a compose file passes on for an unset variable changes nothing but the file's own line."""
    settings = load({"TANDEM_TELEGRAM__TOKEN": "", "TANDEM_SLACK__BOT_TOKEN": " ", "TANDEM_SERVICE__PUBLIC_URL": ""})
    assert settings == Settings()
    path = written(tmp_path, '[telegram]\ntoken = "1:a"\n')
    assert load({"TANDEM_TELEGRAM__TOKEN": ""}, path) == Settings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[service]\nprot = 1\n", "service.prot"),
        ("[servcie]\nport = 1\n", "servcie"),
        ("port = 1\n", "port"),
        ("[service]\nport = 99999\n", "service.port"),
        ("[service]\nport = 'x'\n", "service.port"),
        ("[engine]\ntimeout = 0\n", "engine.timeout"),
        ("[telegram]\non_ambiguous = 'maybe'\n", "telegram.on_ambiguous"),
        ("[log]\nlevel = 'loud'\n", "log.level"),
        ("[service]\nconcurrency = 0\n", "service.concurrency"),
    ],
)
def test_what_is_unknown_or_impossible_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """A typing error in the file is named, not ignored."""
    with pytest.raises(SettingsError, match=named):
        load({}, written(tmp_path, text))


@pytest.mark.parametrize(
    ("variable", "named"),
    [("TANDEM_PORT", "TANDEM_PORT"), ("TANDEM_SERVICE__PROT", "service.prot"), ("TANDEM_X__Y", "x")],
)
def test_unknown_variables_are_refused_by_name(variable: str, named: str) -> None:
    """A typing error in a variable of ours is named, not ignored."""
    with pytest.raises(SettingsError, match=named):
        load({variable: "1"})


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    """Whoever mends the file sees every line that is wrong."""
    with pytest.raises(SettingsError) as caught:
        load({}, written(tmp_path, "[service]\nport = 0\nprot = 1\n[log]\nlevel = 'loud'\n"))
    assert all(name in str(caught.value) for name in ("service.port", "service.prot", "log.level"))


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SERVICE__PORT": "9000", "SERVICE__INTERNAL_PORT": "9000"}, "internal_port"),
        ({"SERVICE__PUBLIC_URL": "http://shop.example"}, "https://"),
        ({"SLACK__BOT_TOKEN": "xoxb-1", "SLACK__APP_TOKEN": "xapp-1"}, "slack.channel"),
        ({"SLACK__BOT_TOKEN": "xoxb-1", "SLACK__CHANNEL": "C1"}, "app_token"),
        ({"SLACK__BOT_TOKEN": "xoxb-1", "SLACK__CHANNEL": "C1", "SLACK__SIGNING_SECRET": "s"}, "service.public_url"),
        ({"TELEGRAM__TOKEN": "1:a", "SERVICE__PUBLIC_URL": "https://x.example"}, "telegram.webhook_secret"),
        ({"MESSENGER__TOKEN": "EAAG"}, r"messenger\.app_secret.*messenger\.page_id.*docs/connect-messenger\.md"),
        ({"WHATSAPP__TOKEN": "EAAG"}, r"whatsapp\.phone_number_id and whatsapp\.business_account_id"),
        ({f"MESSENGER__{name}": "1" for name in META}, "service.public_url is missing: messenger works only"),
        ({"RECORDS__URL": "postgresql://x"}, "records.mapping"),
        ({"RECORDS__MAPPING": "m.toml"}, "records.url"),
    ],
)
def test_contradictions_are_named(environ: dict[str, str], named: str) -> None:
    """Settings that do not go together are refused with what is missing."""
    with pytest.raises(SettingsError, match=named):
        load({f"TANDEM_{name}": value for name, value in environ.items()})


def test_secrets_are_not_shown() -> None:
    """Neither the settings' representation nor an error about them shows a secret, and the logs know them all."""
    environ = {
        "TANDEM_TELEGRAM__TOKEN": "1:telegram-token",
        "TANDEM_TELEGRAM__WEBHOOK_SECRET": "webhook-secret",
        **{f"TANDEM_MESSENGER__{name}": f"meta-{name.lower()}" for name in META},
        "TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com",
        "TANDEM_SERVICE__SECRET": "the-signing-secret-itself",
        "TANDEM_SERVICE__DATABASE": "postgresql://me:p%40ssword@host/tandem",
        "TANDEM_RECORDS__URL": "postgresql://me:records-password@host/shop",
        "TANDEM_RECORDS__MAPPING": "m.toml",
        "TANDEM_SLACK__BOT_TOKEN": "xoxb-slack-token",
        "TANDEM_SLACK__APP_TOKEN": "xapp-slack-token",
        "TANDEM_SLACK__CHANNEL": "C1",
    }
    settings = load(environ)
    known = settings.secrets()
    shown = f"{settings!r} {settings}"
    for secret in (
        "1:telegram-token",
        "webhook-secret",
        "meta-token",
        "meta-app_secret",
        "meta-verify_token",
        "the-signing-secret-itself",
        "p@ssword",
        "records-password",
        "xoxb-slack-token",
        "xapp-slack-token",
    ):
        assert secret not in shown
        assert secret in known
    assert "p%40ssword" not in shown
    with pytest.raises(SettingsError) as caught:
        load(environ | {"TANDEM_SERVICE__SECRET": "short", "TANDEM_SERVICE__PORT": "no"})
    assert "short'" not in str(caught.value)
    assert "telegram-token" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing, unreadable or malformed settings file is named with what is wrong."""
    with pytest.raises(SettingsError, match="there is no settings file"):
        load({"TANDEM_SETTINGS": str(tmp_path / "none.toml")})
    with pytest.raises(SettingsError, match="cannot be read"):
        load({}, tmp_path)
    with pytest.raises(SettingsError, match="is not TOML"):
        load({}, written(tmp_path, "port = = 1"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not TOML"):
        load({}, tmp_path / "binary.toml")
    with pytest.raises(SettingsError, match="service"):
        load({"TANDEM_SERVICE__PORT": "1"}, written(tmp_path, "service = 1"))
