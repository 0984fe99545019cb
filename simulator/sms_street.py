"""Twilio with customers who text the brand's number, in any weather."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator.courier import Courier, Event
from simulator.phones import wrote
from simulator.truth import Chat, Seen
from simulator.twilio import ACCOUNT_SID, AUTH_TOKEN, NUMBER, FakeTwilio, Fault, Json, Shown, running
from simulator.weather import Weather

CHANNEL = "sms"
#: Seconds that a report is on its way at most.
_REPORTS_WITHIN = 4.0


@dataclass(kw_only=True)
class StormyTwilio(FakeTwilio):
    """A fake Twilio that notes what phones show, and behaves as the weather is."""

    weather: Weather
    dice: random.Random
    by_number: dict[str, SmsPhone] = field(default_factory=dict)

    def answer(self, method: str, path: str, form: dict[str, str]) -> Json:
        """Return the answer to a call; what a phone shows of it is noted, whoever hears the answer."""
        made = super().answer(method, path, form)
        phone = self.by_number.get(form.get("To", ""))
        if method == "POST" and phone is not None:
            phone.sees(self.phones[form["To"]][-1])
        return made

    def fault_of(self, call: str) -> Fault | None:
        """Return what goes wrong with a call."""
        planned = super().fault_of(call)
        if planned is not None or call != "Messages":
            return planned
        chance = self.dice.random()
        return self.weather.fault(
            chance,
            busy=Fault(status=429, code=20429, headers={"Retry-After": "1"}),
            broken=Fault(status=502),
            cut=Fault(is_cut=True),
            cut_late=Fault(is_done=True, is_cut=True),
        )


@dataclass(kw_only=True)
class SmsPhone:
    """A customer's phone; a text is a text, and nothing is done to it later."""

    twilio: StormyTwilio
    courier: Courier
    number: str
    chat: Chat

    async def write(self, text: str) -> None:
        """Send a text."""
        sid = self.twilio.take(self.number, text)
        form = {"MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT_SID, "From": self.number, "To": NUMBER}
        body = (self.twilio.webhook_url, form | {"Body": text, "NumMedia": "0", "NumSegments": "1"})
        self.courier.send(Event(channel=CHANNEL, body=body, written=wrote(self.chat, sid, text)))

    async def tap(self, title: str, payload: str) -> None:  # noqa: ARG002 - there is nothing to tap
        """Send the words of a choice."""
        await self.write(title)

    async def edit(self, text: str) -> None:
        """Do nothing."""

    async def withdraw(self) -> None:
        """Do nothing."""

    async def react(self, sign: str) -> None:
        """Do nothing."""

    def sees(self, shown: Shown) -> None:
        """Note what came, and report on it some time; what was delivered may be reported before it was sent."""
        self.chat.seen.append(Seen(external_id=shown.sid, text=shown.text, at=time.monotonic()))
        for status in ("sent", "delivered"):
            form = {"MessageSid": shown.sid, "SmsSid": shown.sid, "MessageStatus": status, "AccountSid": ACCOUNT_SID}
            body = (shown.report_url, form | {"To": self.number, "From": NUMBER})
            self.courier.send(Event(channel=CHANNEL, body=body), self.courier.dice.uniform(0, _REPORTS_WITHIN))


@dataclass(kw_only=True)
class SmsStreet:
    """A running Twilio and the phones that text us."""

    twilio: StormyTwilio
    courier: Courier

    @property
    def environ(self) -> dict[str, str]:
        """What Tandem has to know of it."""
        return {
            "TANDEM_SMS__ACCOUNT_SID": ACCOUNT_SID,
            "TANDEM_SMS__AUTH_TOKEN": AUTH_TOKEN,
            "TANDEM_SMS__NUMBER": NUMBER,
            "TANDEM_SMS__BASE_URL": self.twilio.url,
            "TANDEM_SMS__MESSAGING_URL": self.twilio.url,
        }

    def phone(self, number: int, name: str) -> SmsPhone:  # noqa: ARG002 - numbers have no names
        """Return a new customer's phone."""
        theirs = f"+4477009{number:05d}"
        chat = Chat(address=f"{CHANNEL}/{NUMBER.removeprefix('+')}/{theirs}")
        made = SmsPhone(twilio=self.twilio, courier=self.courier, number=theirs, chat=chat)
        self.twilio.by_number[theirs] = made
        return made

    async def idle(self) -> None:
        """Return once nothing is on its way."""
        await self.courier.errands.done()


@asynccontextmanager
async def street(weather: Weather, dice: random.Random) -> AsyncIterator[SmsStreet]:
    """Run a Twilio until the context ends."""
    async with running(lambda session: StormyTwilio(session=session, weather=weather, dice=dice)) as twilio:

        async def call(_channel: str, events: list[tuple[str, dict[str, str]]]) -> int:
            return (await twilio.deliver(*events[0]))[0]

        # Twilio tells of each text by itself, and calls twice at most: a third call stands for what we find ourselves.
        courier = Courier(call=call, weather=weather, dice=dice, can_gather=False)
        try:
            yield SmsStreet(twilio=twilio, courier=courier)
        finally:
            await courier.errands.stop()
