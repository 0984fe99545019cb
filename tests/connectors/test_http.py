from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from connectors.http import Call, CallError, Line, asked_pause

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: Plays one connection: takes a request with its number over all connections, and says whether to stay connected.
Play = Callable[[int, asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def serving(play: Play) -> AsyncIterator[tuple[Line, str, list[bytes]]]:
    """Serve `play`; give a line to it, the address with a placeholder, and the first lines of requests as they come."""
    seen: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head.partition(b"\r\n")[0])
                if not await play(len(seen), writer):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    line = Line(4, None, "hidden", "to-ken")
    async with server:
        yield line, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hidden/hidden", seen
        await line.close()


def post(url: str) -> Call:
    """Return a POST without a body."""
    return Call(method="POST", url=url, headers={})


async def answer(_: int, writer: asyncio.StreamWriter) -> bool:
    """Answer and keep the connection."""
    writer.write(OK)
    return True


async def test_secret_stands_in_the_address_once() -> None:
    """The placeholder gives way to the secret where it stands first, and nowhere else."""
    async with serving(answer) as (line, url, seen):
        assert await line.call(post(url)) == (200, b"ok")
    assert seen == [b"POST /to-ken/hidden HTTP/1.1"]


async def test_connection_closed_while_idle() -> None:
    """A kept connection that the other side has closed meanwhile costs nothing: the next call takes a new one."""

    async def answer_and_leave(_: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(OK)
        writer.close()
        await writer.wait_closed()
        left.release()
        return False

    left = asyncio.Semaphore(0)
    async with serving(answer_and_leave) as (line, url, seen):
        for _ in range(20):
            assert await line.call(post(url)) == (200, b"ok")
            await left.acquire()
    assert len(seen) == 20


async def test_connection_dropped_in_a_call() -> None:
    """A POST whose kept connection breaks off has perhaps arrived, and is not made again."""

    async def answer_once(number: int, writer: asyncio.StreamWriter) -> bool:
        return number == 1 and await answer(number, writer)

    async with serving(answer_once) as (line, url, seen):
        await line.call(post(url))
        with pytest.raises(CallError) as caught:
            await line.call(post(url))
    assert not caught.value.is_never_sent
    assert len(seen) == 2


@pytest.mark.parametrize("proxy", [None, "http://me:pass-word@127.0.0.1:1"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/hidden", "nothing://127.0.0.1:1/hidden", "http:///hidden"])
async def test_failure_without_an_address(url: str, proxy: str | None) -> None:
    """What is raised tells the kind of failure only, and drags no error along that tells more."""
    line = Line(4, proxy, "hidden", "to-ken")
    with pytest.raises(CallError) as caught:
        await line.call(post(url))
    await line.close()

    assert caught.value.is_never_sent
    assert caught.value.__context__ is None
    shown = "".join(traceback.format_exception_only(caught.value))
    assert not any(secret in shown for secret in ("to-ken", "pass-word", "127.0.0.1"))


async def test_long_answer_is_not_read_to_its_end() -> None:
    """Of an answer longer than asked for, one byte more than that is read, and the connection is given up."""

    async def answer_for_ever(_: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 10_000)
        await writer.drain()
        return True

    async with serving(answer_for_ever) as (line, url, _):
        call = Call(method="GET", url=url, headers={}, bytes_max=100)
        assert await line.call(call) == (200, b"x" * 101)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        (" 86400 ", 86_400),
        ("Sun, 22 Nov 2026 10:01:30 GMT", 90),
        ("Sunday, 22-Nov-26 10:01:30 GMT", 90),
        ("86401", None),
        ("99999999999", None),
        ("Sun, 22 Nov 2026 09:59:00 GMT", None),
        ("Wed, 25 Nov 2026 10:00:00 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("\u0665", None),
        ("soon", None),
        ("", None),
    ],
)
def test_pauses_that_are_asked_for(after: str, seconds: int | None) -> None:
    """A pause is asked for in seconds or until a moment, as the other side's clock shows it; nonsense is none."""
    headers = {"retry-after": after, "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert asked_pause(headers) == (timedelta(seconds=seconds) if seconds is not None else None)


def test_a_moment_without_a_clock_is_no_pause() -> None:
    """Until when to wait says nothing where the answer does not say when it was made, nor does no answer at all."""
    assert asked_pause({"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT"}) is None
    assert asked_pause({"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT", "date": "Sun, 22 Nov 2026 10:00:00"}) is None
    assert asked_pause({}) is None
