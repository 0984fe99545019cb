from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.logs import configure

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SLACK = "xoxb-1234567890-abcdefghij"
ODD = 'pass"wörd\\1'
SECRETS = ["s3cret-value", ODD, "short"]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(style: str, *acts: Any, level: str = "debug") -> str:
    """Return what is written when these things are done."""
    stream = io.StringIO()
    configure(level, style, SECRETS, stream)
    for act in acts:
        act()
    return stream.getvalue()


class Holder:
    """Something whose representation gives a secret away."""

    def __repr__(self) -> str:
        """Say too much."""
        return f"Holder(s3cret-value, {TOKEN})"


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_are_never_written(style: str) -> None:
    """Neither secret values nor what looks like a credential gets into a line, wherever in the event it stands."""
    log = structlog.get_logger()

    def fail() -> None:
        try:
            raise ValueError(f"https://api.telegram.org/bot{TOKEN}/getMe said s3cret-value")
        except ValueError:
            log.exception("failed")

    text = lines(
        style,
        lambda: log.info("text", url=f"https://api.telegram.org/bot{TOKEN}/getMe", key="s3cret-value"),
        lambda: log.info(f"in the event s3cret-value {SLACK}"),  # noqa: G004
        lambda: log.info("nested", body={"a": [{"token": TOKEN}, SLACK, ODD]}, of=Holder(), raw=b"s3cret-value"),
        lambda: log.info("odd", odd=ODD),
        lambda: log.info("error", error=ValueError("s3cret-value")),
        lambda: log.warning("header", header="Bearer abcdefghijklmnop.qrst"),
        fail,
        lambda: logging.getLogger("some.library").warning("GET %s", f"https://x/bot{TOKEN}/y?k=s3cret-value"),
        lambda: logging.getLogger("some.library").error("boom", exc_info=ValueError(f"s3cret-value {SLACK}")),
    )
    for secret in ("s3cret-value", TOKEN.partition(":")[2], SLACK, ODD, json.dumps(ODD)[1:-1], "abcdefghijklmnop"):
        assert secret not in text
    assert text.count("***") >= 14


def test_what_only_resembles_a_secret_is_written() -> None:
    """Short values and ordinary words stay readable."""
    text = lines("json", lambda: structlog.get_logger().info("a short word", order="CL-104233", at="12:30"))
    event = json.loads(text)
    assert (event["event"], event["order"], event["at"], event["level"]) == (
        "a short word",
        "CL-104233",
        "12:30",
        "info",
    )


def test_each_line_is_one_json_object() -> None:
    """Whatever is in an event, a line of the JSON style can be read by a machine."""
    log = structlog.get_logger()
    text = lines(
        "json",
        lambda: log.info("lines", text="a\nb\r\u2028c", lone="\ud800", bell="\x07"),
        lambda: logging.getLogger("library").info("from a library"),
    )
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events] == ["lines", "from a library"]
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_the_level_is_kept() -> None:
    """Below the chosen level nothing is written, and chatty libraries are heard from warnings on."""
    text = lines(
        "json",
        lambda: structlog.get_logger().info("no"),
        lambda: structlog.get_logger().warning("yes"),
        lambda: logging.getLogger("library").info("no"),
        level="warning",
    )
    assert [json.loads(line)["event"] for line in text.splitlines()] == ["yes"]
    assert lines("json", lambda: logging.getLogger("httpx").info("GET https://x")) == ""


def test_context_is_part_of_every_line() -> None:
    """What is bound to the context stands in our lines and the libraries' alike."""

    def act() -> None:
        with structlog.contextvars.bound_contextvars(message="m1"):
            structlog.get_logger().info("ours")
            logging.getLogger("library").info("theirs")

    assert [json.loads(line)["message"] for line in lines("json", act).splitlines()] == ["m1", "m1"]


def test_a_file_gets_json() -> None:
    """Where no person looks, lines are JSON by default."""
    assert json.loads(lines("auto", lambda: structlog.get_logger().info("x")))["event"] == "x"


def test_a_terminal_obeys_nobodys_text() -> None:
    """What would colour, clear or turn around a terminal's lines is written out, in our texts and in errors' alike."""

    def act() -> None:
        log = structlog.get_logger()
        log.warning("x", kind="\x1b[2J", path="/\r\x9b31m\u202e")
        try:
            raise ValueError("\x1b]0;title\x07")
        except ValueError:
            log.exception("failed")

    text = lines("console", act)
    assert "\\x1b[2J" in text
    assert "Traceback" in text
    assert [character for character in text if not character.isprintable() and character != "\n"] == []
