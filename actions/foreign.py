"""What is said to somebody who writes in a language that the bot does not speak."""

from __future__ import annotations

from actions.base import Result, TandemAction, ask_people, say
from actions.context import TurnContext
from bot.domain.conversations import Owner
from bot.domain.handoff import Reason

#: Languages that domain.yml has a sentence in (`say_foreign_fr`), and what agents call them.
NAMES = {
    "ar": "Arabic", "de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
_QUOTED_MAX = 200


class ForeignLanguage(TandemAction):
    """Says in the customer's language, or in English, that people take over; and asks them."""

    async def answer(self, context: TurnContext) -> Result:
        """Say it once: while people are asked, what the customer writes reaches them anyway."""
        if context.owner is Owner.QUEUE:
            return Result()
        name = NAMES.get(context.language)
        summary = f"Writes in {name or 'a language that the bot does not speak'}. Wrote: “{context.text[:_QUOTED_MAX]}”"
        request = ask_people(context, Reason.PEOPLE_ONLY, f"message in {name}" if name else "another language", summary)
        return say(f"say_foreign_{context.language}" if name else "say_foreign").then(Result(handoff=request))
