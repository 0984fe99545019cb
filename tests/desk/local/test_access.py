from __future__ import annotations

import time

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from bot.desk.local.sessions import Session, Sessions, clean_name, desk_link
from tests.desk.local.visit import SECRET, TICKET, Visit, fields_of, file, path_of


async def test_a_link_lets_one_browser_in_once(visit: Visit) -> None:
    """A used, changed, foreign or missing link shows how to get a new one."""
    link = path_of(desk_link(SECRET, visit.url))
    assert (await visit.get(link))[0] == 200
    for path in (link, path_of(desk_link(SECRET + "x", visit.url)), link + "x", "/desk/enter"):
        status, page = await visit.get(path)
        assert status == 401
        assert "desk-link" in page


def test_links_end_with_time_and_with_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link is good for fifteen minutes, and none from before a start can be used again after it."""
    now = int(time.time())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now)
    sessions = Sessions(SECRET)
    old = desk_link(SECRET, "http://x").partition("ticket=")[2]
    fresh = desk_link(SECRET, "http://x").partition("ticket=")[2]
    assert sessions.enter(fresh) is not None
    now += 16 * 60
    assert sessions.enter(old) is None
    sessions._started_at = now + 1
    assert sessions.enter(desk_link(SECRET, "http://x").partition("ticket=")[2]) is None


async def test_nothing_is_seen_or_done_without_a_session(visit: Visit) -> None:
    """Every page, file and act asks for the cookie; a session without a name may only give one."""
    photo = await visit.media.put(b"x", file("a.png", "image/png"))
    pages = ["/desk", f"/desk/tickets/{TICKET}", "/desk/changes", f"/desk/media/{photo.media_id}"]
    for path in pages:
        assert (await visit.get(path))[0] == 401
    assert (await visit.post(f"/desk/tickets/{TICKET}/claim", {}))[0] == 401
    await visit.get(path_of(desk_link(SECRET, visit.url)))
    for path in pages:
        assert (await visit.get(path))[0] == 401
    await visit.sign_in()
    _, page = await visit.get("/desk")
    assert (await visit.post("/desk/leave", {"token": fields_of(page)["token"]}))[0] == 200
    assert (await visit.get("/desk"))[0] == 401


async def test_the_cookie_is_for_the_desk_alone(visit: Visit) -> None:
    """Scripts cannot read it, other sites cannot send it, other paths do not get it."""
    async with visit.session.get(visit.url + path_of(desk_link(SECRET, visit.url))) as answer:
        cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/desk"):
        assert part in cookie


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"token": "0" * 64}, {}, 403),
        ({"token": ""}, {}, 403),
        ({"token": "é"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"key": ""}, {}, 400),
        ({"key": "../../../../../etc/passwd"}, {}, 400),
    ],
)
async def test_forms_of_other_sites_are_refused(
    visit: Visit, changed: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Without the session's own token and a key of ours nothing is done."""
    await visit.sign_in()
    form = {**await visit.form(), "text": "x", **changed}
    assert (await visit.post(f"/desk/tickets/{TICKET}/reply", form, headers))[0] == status
    assert visit.acts.log == []


async def test_static_files_are_kept_by_browsers_and_nothing_else_is_served(visit: Visit) -> None:
    """The style sheet is there without a session; other names are not found."""
    async with visit.session.get(f"{visit.url}/desk/static/desk.css?v=1") as answer:
        assert answer.content_type == "text/css"
        assert "immutable" in answer.headers["cache-control"]
    for name in ("..%2Flocal.py", "none.css"):
        assert (await visit.get(f"/desk/static/{name}"))[0] == 404


def test_a_cookie_cannot_be_made_up() -> None:
    """Only what this secret signed is a session."""
    sessions = Sessions(SECRET)
    session = Session(id="a", name="Sam")
    assert sessions.recognise(sessions.cookie(session)) == session
    assert Sessions(SECRET + "x").recognise(sessions.cookie(session)) is None
    assert sessions.recognise(None) is None
    with pytest.raises(ValueError, match="16 characters"):
        Sessions("short")


@given(st.text())
def test_names_are_fit_to_show(name: str) -> None:
    """A name is one printable line of at most forty characters."""
    shown = clean_name(name)
    assert shown.isprintable()
    assert len(shown) <= 40
    assert shown == shown.strip()


async def test_who_has_signed_out_is_out_wherever_the_cookie_is(visit: Visit) -> None:
    """A cookie that somebody has kept is worth nothing once its session was ended, and the browser's own is taken."""
    await visit.sign_in()
    token = fields_of((await visit.get("/desk"))[1])["token"]
    kept = {cookie.key: cookie.value for cookie in visit.session.cookie_jar}
    async with visit.session.post(f"{visit.url}/desk/leave", data={"token": token}) as answer:
        assert "Secure" not in answer.headers["set-cookie"]
    async with aiohttp.ClientSession(cookies=kept) as thief, thief.get(f"{visit.url}/desk") as answer:
        assert answer.status == 401
    await visit.sign_in("Kim")
    assert (await visit.get("/desk"))[0] == 200
