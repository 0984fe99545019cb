"""Random shifts: customers and agents who do anything in any order, while Slack tells of it late, twice or mixed up."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bot.domain.messages import Author
from bot.store.database import Database, open_engine
from bot.store.sample_shop.shop import SampleShop
from tests.desk.threads_model import EVE, Case, Model, Written
from tests.desk.workplace import Workplace, workplace
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_rules import visible
from tests.pipeline.rig import PLAIN, Rig, handoff

Json = dict[str, Any]
ALICE, BOB = "U0ALICE", "U0BOB"
CUSTOMERS = ("ann", "ben")
#: Of a text: a note, a reply, and one that could be either.
FORMS = ("{0} for us", "&gt; {0}", "&gt; {0}\n&gt; and more", "&gt; {0}\nor not")
#: What happens, each with what it takes; what is here twice happens twice as often.
_people = st.sampled_from((ALICE, BOB, ALICE, BOB, EVE))
_agents = st.sampled_from((ALICE, BOB))
_forms = st.sampled_from(FORMS)
_customers = st.sampled_from(CUSTOMERS)
_which = st.integers(0, 10_000)
_told = st.sampled_from(("now", "now", "late", "twice"))
_written = st.sampled_from(("now", "now", "late", "twice", "broadcast", "file"))
_written_so = {"user": _people, "which": _which, "form": _forms, "how": _written}
_edited_so = {"which": _which, "form": _forms, "how": _told}
_put_so = {"user": _people, "which": _which, "how": _told}
_MOVES: tuple[tuple[str, dict[str, st.SearchStrategy[Any]]], ...] = (
    ("writes", _written_so),
    ("writes", _written_so),
    ("edits", _edited_so),
    ("edits", _edited_so),
    ("puts_an_envelope", _put_so),
    ("puts_an_envelope", _put_so),
    ("deletes", {"which": _which, "how": _told}),
    ("customer_writes", {"customer": _customers}),
    ("customer_asks_again", {"which": _which}),
    ("claims", {"user": _people, "which": _which}),
    ("releases", {"user": _people, "which": _which}),
    ("resolves", {"user": _agents, "which": _which}),
    ("replies_in_a_modal", {"user": _agents, "which": _which}),
    ("commands", {"user": _people, "which": _which, "name": st.sampled_from(("reply", "note"))}),
    ("slack_tells_late", {"which": _which}),
    ("slack_repeats", {"which": _which}),
)
_moves = st.one_of(*(st.tuples(st.just(name), st.fixed_dictionaries(takes)) for name, takes in _MOVES))


class LateSlack(FakeSlack):
    """A workspace that keeps what it would tell until it is asked to."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__()
        self.kept: list[Json] | None = None

    async def deliver(self, body: Json) -> Json:
        """Tell the app, or keep it."""
        if self.kept is None:
            return await super().deliver(body)
        self.kept.append(body)
        return {}


class Threads(RuleBasedStateMachine):
    """The desk in Slack over the real pipeline, beside the model."""

    #: empty databases, to be copied
    templates: tuple[Path, Path]

    def __init__(self) -> None:
        """Build everything anew."""
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._folder = Path(tempfile.mkdtemp())
        self.model = Model()
        self.cases: list[Case] = []
        self.written: list[Written] = []
        #: lines of customers: who, what, and the case that was open then
        self.lines: list[tuple[str, str, Case | None]] = []
        #: what Slack has not told yet, and what it means
        self.late: list[tuple[Json, Callable[[], None]]] = []
        self.told: list[Json] = []
        self._count = 0
        self.slack, self.place = self._do(self._open())

    @classmethod
    def run(cls, templates: tuple[Path, Path], examples: int, steps: int) -> None:
        """Run so many random shifts of so many steps, over copies of these empty databases."""
        cls.templates = templates
        checks = list(HealthCheck)
        chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
        run_state_machine_as_test(cls, settings=chosen)

    def teardown(self) -> None:
        """Let go of everything."""
        self._do(self._stack.aclose())
        self._runner.close()
        shutil.rmtree(self._folder)

    async def _open(self) -> tuple[LateSlack, Workplace]:
        tandem, shop = (shutil.copy(path, self._folder) for path in self.templates)
        database = Database(open_engine(f"sqlite:///{tandem}"))
        self._stack.push_async_callback(database.close)
        sample = SampleShop(Database(open_engine(f"sqlite:///{shop}")), f"sqlite:///{shop}")
        self._stack.push_async_callback(sample.close)
        rig = Rig(database, sample, self._folder)
        self._stack.push_async_callback(rig.close)
        rig.engine.by_text["person please"] = handoff()
        slack = await self._stack.enter_async_context(LateSlack())
        slack.add_user(EVE, "Eve", is_restricted=True)
        return slack, await self._stack.enter_async_context(workplace(rig, slack, PLAIN))

    @rule(move=_moves)
    def happens(self, move: tuple[str, Json]) -> None:
        """Let one of them happen. As rules of their own Hypothesis would leave most of them out of most shifts."""
        name, takes = move
        getattr(self, name)(**takes)

    # ------------------------------------------------------------------------------------------------ customers

    @initialize()
    def everybody_asks(self) -> None:
        """Begin with a ticket of each."""
        for customer in CUSTOMERS:
            self._asks(customer)

    def customer_writes(self, customer: str) -> None:
        """A customer says something that nobody else would."""
        text = f"{customer}-{self._number()}"
        self._do(self.place.rig.writes(text, customer))
        self.lines.append((customer, text, self._open_case(customer)))
        self._settle()

    def customer_asks_again(self, which: int) -> None:
        """A customer whose ticket was closed wants a person."""
        without = [customer for customer in CUSTOMERS if self._open_case(customer) is None]
        if without:
            self._asks(self._pick(without, which))

    # ------------------------------------------------------------------------------------------------ the thread

    def writes(self, user: str, which: int, form: str, how: str) -> None:
        """Somebody writes in a thread."""
        case = self._case(which)
        more: Json = {"subtype": "thread_broadcast"} if how == "broadcast" else {}
        files: tuple[str, ...] = ()
        if how == "file":
            files = (f"word-{self._number()}.txt",)
            more = {"subtype": "file_share", "files": [self.slack.upload(files[0], "text/plain", b"a file")]}
        text = form.format(f"word-{self._number()}")
        ts, bodies = self._kept(self.slack.write(user, case.ts, text, **more))
        message = Written(case=case, ts=ts, user=user, text=text, is_broadcast=how == "broadcast", files=files)
        self.written.append(message)
        self._tell(bodies, lambda: self.model.written(message, text), how)

    def edits(self, which: int, form: str, how: str) -> None:
        """The author changes a message."""
        message = self._message(which)
        if message is None:
            return
        text = form.format(f"word-{self._number()}")
        _, bodies = self._kept(self.slack.edit(message.ts, text))
        message.text = text
        self._tell(bodies, lambda: self.model.edited(message, text), how)

    def deletes(self, which: int, how: str) -> None:
        """The author deletes a message."""
        message = self._message(which)
        if message is None:
            return
        _, bodies = self._kept(self.slack.delete(message.ts))
        message.is_deleted = True
        self._tell(bodies, lambda: self.model.deleted(message), how)

    def puts_an_envelope(self, user: str, which: int, how: str) -> None:
        """Somebody puts an envelope on a message."""
        message = self._message(which)
        if message is None:
            return
        _, bodies = self._kept(self.slack.react(user, message.ts, "envelope"))
        self._tell(bodies, lambda: self.model.enveloped(message, user), how)

    # ------------------------------------------------------------------------------------------------ acts

    def claims(self, user: str, which: int) -> None:
        """Somebody presses Claim, on a card that may have changed since they looked."""
        case = self._case(which)
        body = self._press(user, case, "tandem_claim")
        self._tell([body], lambda: self._owned(case, user, user), "twice")

    def releases(self, user: str, which: int) -> None:
        """Somebody presses Release."""
        case = self._case(which)
        body = self._press(user, case, "tandem_release")
        self._tell([body], lambda: self._owned(case, user, None), "now")

    def resolves(self, user: str, which: int) -> None:
        """An agent resolves a ticket."""
        case = self._case(which)
        modal = self._modal(user, case, "tandem_resolve")
        if modal is None:
            return
        self._do(self.slack.submit(user, modal))
        if case.is_free_for(user):
            case.is_open = False
        self._settle()

    def replies_in_a_modal(self, user: str, which: int) -> None:
        """An agent writes a reply in the modal, looks at it and sends it."""
        case = self._case(which)
        modal = self._modal(user, case, "tandem_reply")
        if modal is None:
            return
        text = f"word-{self._number()}"
        self._do(self.slack.submit(user, modal, text))
        self._do(self.slack.submit(user, self.slack.views[-1]))
        self.model.say(case, user, ("modal", text), text)
        self._settle()

    def commands(self, user: str, which: int, name: str) -> None:
        """Somebody writes a command."""
        case = self._case(which)
        text = f"word-{self._number()}"
        self._do(self.slack.command(user, f"{name} {case.number} {text}"))
        if name == "reply":
            self.model.say(case, user, ("command", text), text)
        self._settle()

    # ------------------------------------------------------------------------------------------------ Slack itself

    def slack_tells_late(self, which: int) -> None:
        """Slack tells of something that happened a while ago, in any order."""
        if not self.late:
            return
        body, means = self.late.pop(which % len(self.late))
        self._deliver([body])
        means()
        self._settle()

    def slack_repeats(self, which: int) -> None:
        """Slack tells of something again."""
        if self.told:
            self._deliver([self._pick(self.told, which)])
        self._settle()

    # ------------------------------------------------------------------------------------------------ what must hold

    @invariant()
    def customers_see_what_was_meant_for_them(self) -> None:
        """Exactly that of agents' words, and of everything else nothing but what is about their own."""
        for customer in CUSTOMERS:
            shown = [each for each in self.place.rig.connector.shown if each.customer == customer]
            said = Counter(each.text for each in shown if each.author == Author.AGENT)
            meant = Counter(self.model.seen[customer].values())
            assert said == meant, (customer, said - meant, meant - said)
            others = " ".join(each.text for each in shown if each.author != Author.AGENT)
            assert not re.search(rf"word-|(?!{customer})(?:ann|ben)-", others), others

    @invariant()
    def threads_show_their_customer(self) -> None:
        """Each line of a customer stands once, in their ticket's thread, and no thread has a word of another's."""
        shown = {case.ts: [visible(post) for post in self.slack.thread(case.ts)] for case in self.cases}
        for case in self.cases:
            everything = "\n".join([visible(self.slack.message(case.ts)), *shown[case.ts]])
            assert not re.search(rf"(?!{case.customer})(?:ann|ben)-", everything), everything
        for _, text, then in self.lines:
            where = [ts for ts, posts in shown.items() for post in posts if _shows(post, text)]
            assert where == ([then.ts] if then else []), (text, where)

    # ------------------------------------------------------------------------------------------------ how

    def _asks(self, customer: str) -> None:
        self._do(self.place.rig.writes("person please", customer))
        self._settle()
        view = self._do(self.place.rig.view(customer))
        reference = str(view.ticket.desk_reference)
        self.cases.append(Case(customer=customer, ts=reference.rpartition(":")[2], number=view.ticket.number))

    def _owned(self, case: Case, user: str, by: str | None) -> None:
        if case.is_free_for(user):
            case.owner = by

    def _open_case(self, customer: str) -> Case | None:
        """Return the case in which a customer's lines are shown now."""
        return next((case for case in self.cases if case.customer == customer and case.is_open), None)

    def _case(self, which: int) -> Case:
        """Return a case, mostly one that is open."""
        is_any = which % 8 == 0
        case: Case = self._pick([case for case in self.cases if is_any or case.is_open] or self.cases, which // 8)
        return case

    def _message(self, which: int) -> Written | None:
        """Return a message that was not deleted, mostly one of the last three: people change what they just wrote."""
        there = [message for message in self.written if not message.is_deleted]
        message: Written | None = self._pick(there if which % 4 == 0 else there[-3:], which // 4)
        return message

    def _press(self, user: str, case: Case, action: str) -> Json:
        """Return what Slack sends when a button is pressed that may not be there any more."""
        ticket = self._do(self.place.rig.desk.by_reference(f"C0QUEUE:{case.ts}"))
        button = {"type": "button", "action_id": action, "value": ticket}
        shown = {**self.slack.message(case.ts), "blocks": [{"type": "actions", "elements": [button]}]}
        messages, self.slack.messages = self.slack.messages, [shown]
        body: Json = self.slack.click_body(user, case.ts, action)
        self.slack.messages = messages
        return body

    def _modal(self, user: str, case: Case, action: str) -> Json | None:
        count = len(self.slack.views)
        self._deliver([self._press(user, case, action)])
        opened = self.slack.views[count:]
        assert bool(opened) == case.is_open
        return opened[-1] if opened else None

    def _kept(self, doing: Any) -> tuple[Any, list[Json]]:
        """Let something happen in Slack, and return what it would tell of it."""
        self.slack.kept = []
        result = self._do(doing)
        bodies, self.slack.kept = self.slack.kept, None
        return result, bodies

    def _tell(self, bodies: list[Json], means: Callable[[], None], how: str) -> None:
        if how == "late":
            self.late.append((bodies[0], means))
            return
        self._deliver(bodies * (2 if how == "twice" else 1))
        means()
        self.told += bodies
        self._settle()

    def _deliver(self, bodies: list[Json]) -> None:
        for body in bodies:
            self._do(self.slack.deliver(body))

    def _settle(self) -> None:
        """See everything through that was begun."""
        self._do(self.place.work())
        assert self._do(self.place.drain(120)) < 120

    def _pick(self, there: list[Any], which: int) -> Any:
        return there[which % len(there)] if there else None

    def _number(self) -> str:
        self._count += 1
        return f"{self._count:04}"

    def _do(self, doing: Any) -> Any:
        return self._runner.run(doing)


def _shows(post: str, text: str) -> bool:
    """Whether a post has a line of a customer's with that text; what was before a ticket is no line of its own."""
    return f"· customer\n{text}" in post and not post.startswith("Before this ticket")
