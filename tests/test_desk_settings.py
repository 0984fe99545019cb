from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import SettingsError
from bot.domain.hours import ALWAYS, Span
from bot.domain.rules import Assignment, Rules
from bot.domain.tickets import EVERYBODY, Priority, TeamName
from bot.settings import Settings, load

GUIDE = Path(__file__).parents[1] / "docs" / "organise-your-desk.md"
HOURS = '[hours]\nzone = "Europe/London"\nmonday = "09:00-17:30"\n'
PROMISE = '[[promises]]\nname = "usual"\nfirst_response = "1h"\n'


def _loaded(folder: Path, text: str) -> Settings:
    path = folder / "tandem.toml"
    path.write_text(text, encoding="utf-8")
    return load({}, path)


def test_nothing_has_to_be_organised() -> None:
    """Without any of it there is one team, always open, that promises nothing."""
    rules = Settings().rules({})
    assert rules == Rules()
    assert (rules.hours, rules.policies, rules.default_team.name) == (ALWAYS, (), EVERYBODY)


def test_the_guide_is_right(tmp_path: Path) -> None:
    """What the guide shows is what the settings understand, all of it together."""
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    rules = _loaded(tmp_path, "\n".join(blocks)).rules({"telegram/1": timedelta(days=1)})
    assert rules.hours.week[2:4] == (
        Span(weekday=2, opens=time(9), closes=time(12)),
        Span(weekday=2, opens=time(13), closes=time(17, 30)),
    )
    assert rules.hours.is_open(datetime(2026, 12, 19, 1, 59, tzinfo=UTC))
    assert date(2026, 12, 25) in rules.hours.holidays
    returns, gold, care = rules.teams
    assert (returns.title, returns.assign, returns.capacity) == ("Returns & refunds", Assignment.ROUND_ROBIN, 4)
    assert (gold.title, gold.priority, gold.tiers) == ("Gold", Priority.HIGH, frozenset({"gold"}))
    assert rules.default_team is care
    assert rules.team(TeamName("long gone")) is care
    urgent = rules.policy(Priority.URGENT, ChannelName("webchat"), care.name)
    usual = rules.policy(Priority.HIGH, ChannelName("webchat"), care.name)
    assert urgent is not None
    assert usual is not None
    assert (urgent.name, rules.hours_of(urgent)) == ("urgent", ALWAYS)
    assert (usual.resolution, usual.warn_share) == (timedelta(hours=60), 0.8)
    assert (rules.leads, rules.widen_after) == (("U0123LEAD",), timedelta(minutes=15))
    ann = ChannelAddress(channel=ChannelName("telegram"), account=AccountId("1"), external_id="ann")
    assert rules.reply_window(ann) == timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            '[hours]\nzone = "Europe/Londn"\nmonday = "09:00-17:00"\n',
            "hours.zone: there is no time zone 'Europe/Londn'",
        ),
        ('[hours]\nzone = "/etc/passwd"\nmonday = "09:00-17:00"\n', "hours.zone: there is no time zone"),
        ('[hours]\nzone = "UTC"\n', "hours: it is never open"),
        ('[hours]\nmonday = "closed"\n', "hours: it is never open"),
        ('[hours]\nmonday = "9-17"\n', "hours.monday: .* is not a pair of times"),
        ('[hours]\nmonday = "09:00-25:00"\n', "hours.monday: .* no clock shows"),
        ('[hours]\nmonday = "09:00-12:00, 11:00-17:00"\n', "hours: two spans overlap on Monday"),
        ('[hours]\nmonday = "22:00-06:00"\ntuesday = "05:00-09:00"\n', "hours: two spans overlap on Tuesday"),
        (HOURS + 'holidays = ["christmas"]\n', "hours.holidays"),
        (HOURS + 'funday = "09:00-10:00"\n', "hours.funday: there is no such setting"),
        ('[[teams]]\nname = "a"\n[[teams]]\nname = "a"\n', "teams.a is there twice"),
        ('[[teams]]\nname = "Über uns"\n', "teams.0.name"),
        ('[[teams]]\nname = "a"\nchannels = ["telegrm"]\n', "teams.a: there is no channel 'telegrm'"),
        ('[[teams]]\nname = "a"\nreasons = ["rage"]\n', "teams.0.reasons"),
        ('[[teams]]\nname = "a"\nslack_channel = "#care"\n', "teams.0.slack_channel"),
        ('[[teams]]\nname = "a"\ncapacity = 0\n', "teams.0.capacity"),
        ('[[promises]]\nname = "a"\n', "a promises nothing"),
        ('[[promises]]\nname = "a"\nfirst_response = "soon"\n', "promises.0.first_response: 'soon' is not a time"),
        ('[[promises]]\nname = "a"\nfirst_response = "0m"\n', "promises.0.first_response"),
        ('[[promises]]\nname = "a"\nfirst_response = "91d"\n', "promises.0.first_response"),
        ('[[promises]]\nname = "a"\nfirst_response = "2h"\nresolution = "1h"\n', "before the first response"),
        (PROMISE + 'teams = ["nobody"]\n', "promises.usual: there is no team 'nobody'"),
        (PROMISE + 'channels = ["pigeon"]\n', "promises.usual: there is no channel 'pigeon'"),
        (PROMISE + PROMISE, "promises.usual is there twice"),
        (PROMISE + PROMISE.replace("usual", "late") + 'priorities = ["high"]\n', "promises.late can never be due"),
        ('[desk]\non_call_after = "5m"\n', "desk.on_call_after asks nobody"),
        ('[desk]\nleads = ["Mira"]\n', "desk.leads"),
        ("[desk]\nhold_replies = 11\n", "desk.hold_replies"),
    ],
)
def test_what_cannot_work_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """Whatever contradicts itself or could never happen is named at start."""
    with pytest.raises(SettingsError, match=named):
        _loaded(tmp_path, text)


def test_lists_may_come_from_the_environment() -> None:
    """Holidays and leads are written with commas there."""
    settings = load(
        {
            "TANDEM_HOURS__MONDAY": "09:00-24:00",
            "TANDEM_HOURS__HOLIDAYS": "2026-12-25, 2026-12-26",
            "TANDEM_DESK__LEADS": "U1,S2",
        }
    )
    assert settings.hours is not None
    assert settings.hours.holidays == (date(2026, 12, 25), date(2026, 12, 26))
    assert settings.hours.monday == ((time(9), time(0)),)
    assert settings.desk.leads == ("U1", "S2")
