"""Doors that strangers try on the running program: the desk, the internal port, broken HTTP, held lines, the logs."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from urllib.parse import quote

import httpx
import psutil
import pytest

from bot.web.webchat import PAGES_MAX
from tests.flow.house import NESTED, WEBHOOK_SECRET, House, Visitor, signed, spoken

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = "<script>window.owned=1</script>\"'><img src=x onerror=window.owned=1>"


async def enter(house: House) -> tuple[dict[str, str], str]:
    """Come in by the printed link; return the cookie and the forms' token."""
    [link] = re.findall(r"/desk/enter\S+", house.logged())
    page = await house.http.get(link)
    cookie = {"cookie": page.headers["set-cookie"].partition(";")[0]}
    [token] = re.findall(r'name="token" value="(\w+)"', page.text)
    attributes = page.headers["set-cookie"].lower()
    assert all(word in attributes for word in ("httponly", "secure", "samesite=strict", "path=/desk"))
    assert (await house.http.get(link)).status_code == 401
    named = await house.http.post("/desk/name", headers=cookie, data={"token": token, "name": MARKUP})
    assert named.status_code == 303
    house.unloggable |= {cookie["cookie"].partition("=")[2], token}
    return {"cookie": named.headers["set-cookie"].partition(";")[0]}, token


async def test_the_desk_is_closed_to_strangers(house: House) -> None:
    """Without a session, or with one that is forged, no page, file, stream or act; and nothing is kept or framed."""
    forged: list[bytes] = [b"", b"tandem_desk=x", b"tandem_desk=\xff\xfe", b"tandem_desk=eyJpZCI6IngifQ.x.y", b"\xff"]
    for cookie in (*forged, b"tandem_desk=" + b"A" * 7_000):
        for path in ("", "tickets/1", "changes", "media/1", "enter", "enter?ticket=%ff%ED%A0%80", "enter?ticket=x.y.z"):
            answer = await house.http.get(f"/desk/{path}", headers=[(b"cookie", cookie)])
            assert answer.status_code == 401
            assert answer.headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        for path in ("name", "leave", "tickets/1/claim", "tickets/1/reply"):
            assert (await house.post(f"/desk/{path}", b"token=x", {"cookie": cookie})).status_code == 401
    assert (await house.http.get("/desk/static/..%2f..%2fsettings.py")).status_code == 404


async def test_markup_is_text_at_the_desk(house: House, visitor: Visitor) -> None:
    """Forms need their token, tickets of nobody are not found, and no field of anybody becomes a script."""
    hostile = await visitor.upload(b"hello", quote(MARKUP), "text/plain")
    await visitor.hears(f"i want to talk to a person {MARKUP}", name=MARKUP, attachments=[hostile.json()["file"]])
    [(ticket,)] = house.rows(
        "SELECT tickets.id FROM tickets JOIN conversations ON conversations.id = conversation_id WHERE address LIKE ?",
        f"%{visitor.name}",
    )
    cookie, token = await enter(house)
    form = {"key": "k" * 20, "text": MARKUP}
    for wrong in ({}, {"token": ""}, {"token": "0" * 64}, {"token": "é"}):
        answer = await house.http.post(f"/desk/tickets/{ticket}/note", headers=cookie, data={**form, **wrong})
        assert answer.status_code == 403
    elsewhere = {**cookie, "sec-fetch-site": "cross-site"}
    answer = await house.http.post(f"/desk/tickets/{ticket}/note", headers=elsewhere, data={**form, "token": token})
    assert answer.status_code == 403
    for act in ("note", "claim", "reply"):
        key = {"key": f"{act:k<20}", "token": token}
        answer = await house.http.post(f"/desk/tickets/{ticket}/{act}", headers=cookie, data={**form, **key})
        assert answer.status_code == 303
    for nobody in ("0" * 32, "..%2f..%2fx", "%00", "1%27%20OR%201=1"):
        assert (await house.http.get(f"/desk/tickets/{nobody}", headers=cookie)).status_code == 404
        assert (await house.http.get(f"/desk/media/{nobody}", headers=cookie)).status_code == 404
    for path in ("", f"tickets/{ticket}"):
        page = (await house.http.get(f"/desk/{path}", headers=cookie)).text
        assert "<script>window" not in page
        assert "<img src=x" not in page
        assert html.escape("<script>window.owned=1</script>") in page
    house.unloggable.add("window.owned")


# ------------------------------------------------------------------------------------------- the program and its ports


async def test_what_is_internal_stays_so(house: House) -> None:
    """Actions are the engine's alone, figures name nobody, and nothing listens but where it was told to."""
    port = house.program.internal_port
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for token in (b"", b"Bearer x", b"Bearer \xff", b"Basic eDp4"):
            for body in (b'{"next_action":"action_order_status"}', NESTED, b"[]"):
                answer = await http.post("/actions", content=body, headers=[(b"authorization", token)])
                assert answer.status_code == 401
        long = b"POST /actions HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
        assert b" 413 " in await spoken(port, long)
        figures = (await http.get("/metrics")).text
    for canary in (*house.unloggable, "webchat/site/", "Priya", WEBHOOK_SECRET):
        assert canary not in figures
    for path in ("actions", "metrics", "docs", "openapi.json", "model", "conversations", "step"):
        assert (await house.http.get(f"/{path}")).status_code == 404
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in house.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", house.program.port), ("127.0.0.1", port)}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", 413),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /webhooks/telegram/7000001 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
        (b"POST /webhooks/telegram/7000001 HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n", 413),
        (b"GET /<script>alert(1)</script> HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
async def test_what_is_hardly_http_is_refused(house: House, sent: bytes, status: int) -> None:
    """Broken lines, lengths and chunks get a short answer in plain text, before any body is read."""
    head, _, text = (await spoken(house.program.port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: text/plain" in head.lower()
    assert b"nosniff" in head.lower()
    assert b"Traceback" not in text


async def test_who_holds_connections_holds_up_nobody(house: House) -> None:
    """Beside two hundred half-sent requests and as many streams as one may open, a customer is answered at once."""
    halves = (
        b"",
        b"POST /chat/session HTTP/1.1\r\nHost: x\r\nX-A",
        b"POST /webhooks/telegram/7000001 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{",
    )
    held = [await asyncio.open_connection("127.0.0.1", house.program.port) for _ in range(200)]
    greedy = await house.visitor()
    stream = f"GET /chat/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {greedy.token}\r\n\r\n".encode()
    streams = [await asyncio.open_connection("127.0.0.1", house.program.port) for _ in range(PAGES_MAX)]
    try:
        for number, (_, writer) in enumerate(held):
            writer.write(halves[number % len(halves)])
        for reader, writer in streams:
            writer.write(stream)
            assert b"200 OK" in await reader.read(1_000)
        answer = await house.http.get("/chat/events", headers=greedy.headers)
        assert (answer.status_code, answer.json()["error"]) == (429, "pages")
        for _ in range(5):
            customer = await house.visitor()
            began = time.monotonic()
            await customer.hears("are you open on sunday")
            assert time.monotonic() - began < 3
    finally:
        for _, writer in (*held, *streams):
            writer.close()


async def test_the_logs_give_nothing_away(house: House, visitor: Visitor) -> None:
    """After all that, what was printed holds no secret, no token, and nothing that a customer wrote; and no crash."""
    canary = "my card is 4929 1111 2222 3333 canary-of-a-customer"
    await visitor.send(type=canary)
    await visitor.hears(canary)
    await house.post("/slack/events", canary.encode(), signed(canary.encode(), age=400))
    await house.telegram_says(json.dumps({"update_id": canary}).encode())
    text = "\n".join(line for line in house.logged().splitlines() if "/desk/enter?" not in line)
    own = {value for name, value in house.program.environ.items() if "TOKEN" in name or "SECRET" in name}
    for hidden in (*house.unloggable, *own, "canary-of-a-customer", "4929 1111", "are you open", "etc/passwd"):
        assert hidden not in text, hidden
    for sign in ("Traceback", "request_failed", "webhook_not_kept", '"level": "critical"'):
        assert sign not in text
    assert house.program.life.returncode is None
    assert (house.program.state_dir / "secret").read_text().strip() not in text
