from __future__ import annotations

from bot.desk.slack.signature import MAX_AGE, is_slacks

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
MOMENT = 1531420618
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
    b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
    b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
    b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_published_vector() -> None:
    """The example of Slack's documents is signed as we compute it, within five minutes and not with another bit."""
    headers = {"x-slack-request-timestamp": str(MOMENT), "x-slack-signature": SIGNATURE}

    assert is_slacks(SECRET, headers, BODY, MOMENT + MAX_AGE)
    assert not is_slacks(SECRET, headers, BODY, MOMENT + MAX_AGE + 1)
    assert not is_slacks(SECRET, headers, BODY + b"&", MOMENT)
    assert not is_slacks(SECRET[:-1], headers, BODY, MOMENT)
