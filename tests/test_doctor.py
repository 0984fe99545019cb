from __future__ import annotations

from bot.commands.doctor import find_risks
from bot.settings import load

PUBLIC = {"TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com"}


def test_a_public_chat_behind_nobody_knows_what_is_a_risk() -> None:
    """Where visitors come through a proxy that is not named they share one count, and doctor says what to set."""
    assert "service.trusted_proxies" in find_risks(load(PUBLIC))["proxies"]
    assert find_risks(load(PUBLIC | {"TANDEM_SERVICE__TRUSTED_PROXIES": "10.0.0.5"})) == {}
    assert find_risks(load(PUBLIC | {"TANDEM_WEBCHAT__IS_ENABLED": "false"})) == {}
    assert find_risks(load({})) == {}
