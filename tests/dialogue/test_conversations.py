from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dialogue.driver import Driver, Heard
from tests.dialogue.facts import Facts
from tests.dialogue.people import TODAY, people
from tests.dialogue.script import Conversation, Step, read_conversations

CONVERSATIONS = read_conversations(Path(__file__).parent / "conversations", people(TODAY))
FACTS = Facts(TODAY)
TEXT_MAX = 400
#: The engine is loaded in this process, with all that Rasa warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
    pytest.mark.no_cover,
]


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
async def test_goes_as_written(conversation: Conversation, driver: Driver) -> None:
    """A conversation goes as its file says, and nothing happens that the file does not tell."""
    happened: list[str] = []
    typed = ""
    heard = Heard()
    for number, step in enumerate(conversation.steps):
        problem = None
        if step.kind in {"bot", "ticket", "command"}:
            problem = _mismatch(step, heard)
        else:
            heard = await _do(driver, step)
            typed += f" {step.detail}"
            problem = _untold(heard, conversation.steps[number + 1 :]) or _invented(heard, typed)
        happened.append(_line(step, heard))
        assert problem is None, "\n".join([problem, *happened])


async def _do(driver: Driver, step: Step) -> Heard:
    detail = step.detail
    if step.kind == "customer":
        return await driver.say(str(detail))
    if step.kind == "tap":
        return await driver.tap(str(detail))
    if step.kind == "agent":
        return await _act(driver, detail)
    if step.kind == "records":
        driver.break_records(broken=detail == "down")
    if step.kind == "wait":
        amount, unit = str(detail).split()
        driver.pass_time(timedelta(**{unit: int(amount)}))
    return Heard()


async def _act(driver: Driver, detail: object) -> Heard:
    if detail == "claims":
        return await driver.claim()
    assert isinstance(detail, dict)
    if "replies" in detail:
        return await driver.reply(str(detail["replies"]))
    return await driver.hand_back(str(detail["hands back"]))


def _mismatch(step: Step, heard: Heard) -> str | None:
    """Return what is wrong with what was heard, or none."""
    if step.kind == "ticket":
        return _wrong_ticket(step.detail, heard)
    if step.kind == "command":
        return _wrong_command(step.detail, heard)
    said = "\n".join(heard.texts)
    if step.detail == "silent":
        return f"the bot should be silent and said {said!r}" if said else None
    wanted = step.detail if isinstance(step.detail, dict) else {"all": step.detail}
    for how, words in wanted.items():
        phrases = [str(word) for word in (words if isinstance(words, list) else [words])]
        if how == "buttons":
            missing = [phrase for phrase in phrases if phrase not in heard.buttons]
            if missing:
                return f"no button {missing}; there is {heard.buttons}"
            continue
        found = [phrase for phrase in phrases if phrase.casefold() in said.casefold()]
        is_right = {"all": len(found) == len(phrases), "any": bool(found), "not": not found}[how]
        if not is_right:
            return f"{how} of {phrases} expected, and the bot said {said!r}"
    return None


def _wrong_ticket(wanted: object, heard: Heard) -> str | None:
    reason, topic = (wanted.get("reason"), wanted.get("topic")) if isinstance(wanted, dict) else (wanted, None)
    if heard.ticket is None:
        return "a ticket was expected, and none was opened"
    if heard.ticket[0] != reason or (topic is not None and str(topic).casefold() not in heard.ticket[1].casefold()):
        return f"a ticket of {wanted} was expected, and it is {heard.ticket}"
    return None


def _wrong_command(wanted: object, heard: Heard) -> str | None:
    (name, arguments), *_ = wanted.items() if isinstance(wanted, dict) else {wanted: {}}.items()
    for found, carried in heard.commands:
        if found == name and all(carried.get(key) == value for key, value in arguments.items()):
            return None
    return f"the command {wanted} was expected, and there is {heard.commands}"


def _untold(heard: Heard, following: tuple[Step, ...]) -> str | None:
    """Return what happened besides what the file tells, or what no answer may be, or none."""
    told = set()
    for step in following:
        if step.kind not in {"bot", "ticket", "command"}:
            break
        told.add(step.kind)
    if heard.ticket is not None and "ticket" not in told:
        return f"a ticket was opened that nobody told of: {heard.ticket}"
    if heard.commands and "command" not in told:
        return f"a command was given that nobody told of: {heard.commands}"
    for text in heard.texts:
        if len(text) > TEXT_MAX:
            return f"too long: {text!r}"
        if re.search(r"[{}]|\bNone\b", text):
            return f"something was not filled in: {text!r}"
    return None


def _invented(heard: Heard, typed: str) -> str | None:
    """Return the figures that are nobody's, or of somebody who was not named in this conversation, or none."""
    found = FACTS.invented([*heard.texts, *heard.buttons], typed)
    return f"nobody may say this here: {found}" if found else None


def _line(step: Step, heard: Heard) -> str:
    if step.kind in {"bot", "ticket", "command"}:
        return f"    ({step.kind}: {step.detail})"
    said = "".join(f"\n    bot: {text}" for text in heard.texts)
    buttons = f"\n    buttons: {', '.join(heard.buttons)}" if heard.buttons else ""
    ticket = f"\n    ticket: {heard.ticket}" if heard.ticket else ""
    return f"{step.kind}: {step.detail}{said}{buttons}{ticket}\n    [{heard.notes}]"
