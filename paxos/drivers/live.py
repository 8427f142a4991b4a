"""The rules at work: `passive.step` over asyncio, on lists that storage services keep.

All services are asked at once, each in a task of its own, one request after the other: a slow one holds
up nobody, and what it was asked for a ballot that is over is dropped. An error is no answer. Who opens
draws an identity, so there is nothing to save, and no answer to a former life can arrive.
"""

import asyncio
import logging
import random
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..protocol import passive
from ..protocol.ballot import NO_BALLOT, Ballot
from ..protocol.events import Answer, Decide, Distrust, Opened, Propose, Send, Timeout, Wait
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Genesis
from ..protocol.messages import Append, Appended, Command, Entries, Fetch, InSlot
from ..protocol.quorum import majority
from ..services.contract import AppendOnlyList, NotTheEnd, ServiceError
from ..trace import Header, Open, Sent, Step
from . import wire

logger = logging.getLogger("paxos")
LOST = 2.0  # seconds after which an answer is missed, at least
SOON, RARELY = 0.05, 5.0  # seconds between two looks while there is news, and when there is none
LONGEST = (
    256  # requests that wait for one service; older ones are dropped, as if they had been lost
)
ALWAYS = Ballot(1 << 62, "")
PATIENT = 4.0  # times as long, at most, after so many waits in vain


@dataclass
class Place:
    """A service, and what we know of it. `name` is that of its list, once that was seen."""

    url: str
    service: AppendOnlyList
    name: str | None = None
    first: list[bytes] | None = None  # what was read when it was opened
    inbox: deque[Sent] = field(default_factory=deque)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    up: bool | None = None  # None: not known yet
    error: str | None = None  # the last one
    latency: float = 0.0  # seconds that its last request took
    read: float = 0.0  # when the last fetch that succeeded began
    silent: float = 0.0  # until then it is not asked, after so many failures
    failures: int = 0


class Recorder(Protocol):
    """Whoever wants to know all that happens."""

    def __call__(self, record: Any) -> None: ...


class Live:
    """One client of a log, at work until it is closed. All its methods run in one event loop."""

    def __init__(
        self,
        name: str,
        genesis: Genesis,
        places: list[Place],
        chance: random.Random | None = None,
        record: Recorder | None = None,
    ) -> None:
        self.name, self.genesis, self.places = name, genesis, places
        self.chance, self.record = chance or random.SystemRandom(), record
        self.me = opened(f"{name}.{self.chance.getrandbits(128):032x}", genesis)
        self.alarm: asyncio.TimerHandle | None = None
        self.why, self.asked = "", time.monotonic()
        self.pace, self.lost, self.missed, self.quiet = SOON, 0, 0, SOON
        self.number = 0  # of the last message
        self.tasks: list[asyncio.Task[None]] = []
        self.changed = asyncio.Event()  # something is known that was not
        self.failure: BaseException | None = None
        self.time = 0  # of the last record, in milliseconds

    def start(self) -> None:
        """Look at every list, and go on by ourselves."""
        nodes = ((self.name, "client"), *((name, "list") for name in self.genesis.lists))
        self.note(Header(protocol(self.genesis), 0, self.me.member.proposer.quorums, nodes))
        self.note(Open(self.clock(), self.name, self.me))
        for place in self.places:
            task = asyncio.create_task(self.work(place), name=f"paxos {place.url}")
            task.add_done_callback(self.ended)
            self.tasks.append(task)
        self.step(Opened())

    async def close(self) -> None:
        """Stop. What was asked and not answered is open, as after a crash."""
        if self.alarm:
            self.alarm.cancel()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for place in self.places:
            await place.service.close()

    def ended(self, task: "asyncio.Task[None]") -> None:
        """A task of ours never ends but by a mistake of ours; whoever waits must hear of it."""
        if not task.cancelled() and task.exception():
            self.failure = task.exception()
            self.tell()

    # What the rules decide.

    def step(self, event: Any, received: int | None = None) -> None:
        """One step of the rules, and what it asks for. First it is written down, then it is done."""
        self.me, effects = passive.step(self.me, event)
        asks = [
            Sent(self.number + count, one.to, one.message)
            for count, one in enumerate((one for one in effects if isinstance(one, Send)), 1)
        ]
        self.number += len(asks)
        done = (effects, len(effects), tuple(asks), received)
        self.note(Step(self.clock(), self.name, event, None, *done))
        for effect in effects:
            match effect:
                case Wait(why, timer):
                    self.wait(why, timer)
                case Decide():
                    self.lost = self.missed = 0
                case Distrust(name, why):
                    place = next(one for one in self.places if one.name == name)
                    place.error = f"not used any more: {why}"
                    logger.error("%s is not used any more: %s", place.url, why)
        known = {place.name for place in self.places}
        for place in self.places:
            mine = (place.name,) if place.name else set(self.genesis.lists) - known
            self.ask(place, [one for one in asks if one.to in mine])

    def propose(self, text: str) -> Command:
        """Wish for an entry. It is decided when the log has this command."""
        command = Command(self.identity, self.me.member.count + len(self.me.wishes), text)
        self.step(Propose(text))
        return command

    def look(self) -> None:
        """Look at every list now, if we are not at work on them anyway."""
        if not self.me.member.busy:
            self.step(Timeout(NO_BALLOT))

    @property
    def identity(self) -> str:
        identity: str = self.me.member.proposer.identity
        return identity

    def tell(self) -> None:
        """Wake those who wait for something to change."""
        self.changed.set()
        self.changed = asyncio.Event()

    def note(self, record: Any) -> None:
        if self.record:
            self.record(record)

    def clock(self) -> int:
        """Milliseconds, as everybody counts them; never back."""
        self.time = max(self.time, time.time_ns() // 1_000_000)
        return self.time

    # What it asks of services.

    def ask(self, place: Place, asks: list[Sent]) -> None:
        """Put requests into the queue of a service; what they make needless is dropped."""
        if not asks:
            return
        newest = max((ballot(one.message) for one in asks), default=NO_BALLOT)
        again = {content(one.message) for one in asks}
        waiting = [
            one
            for one in place.inbox
            if content(one.message) not in again | {None} and ballot(one.message) >= newest
        ]
        place.inbox = deque([*waiting, *asks][-LONGEST:])
        place.ready.set()

    async def work(self, place: Place) -> None:
        """Serve what is asked of one service, one after the other."""
        while True:
            while not place.inbox:
                place.ready.clear()
                await place.ready.wait()
            if (rest := place.silent - time.monotonic()) > 0:
                await asyncio.sleep(rest)
            if not place.inbox:
                continue
            asked = place.inbox.popleft()
            started = time.monotonic()
            try:
                answer = await self.serve(place, asked)
            except ServiceError as error:
                self.fails(place, error)
                if error.unsure:
                    self.hasten()
                continue
            if answer is None or place.name is None:
                self.hasten()
                continue
            place.latency = time.monotonic() - started
            self.answers(place)
            if isinstance(answer, Entries):
                place.read = started
                if answer.after + len(answer.entries) > self.me.view(place.name).end:
                    self.quiet = SOON
            self.step(Answer(place.name, answer), asked.id)
            self.tell()

    async def serve(self, place: Place, asked: Sent) -> Any:
        """Carry out one request. None: no answer."""
        if place.name is None and not await self.identify(place):
            return None
        if place.name != asked.to:
            return None
        match asked.message:
            case Append(entry):
                try:
                    position = await place.service.append(wire.pack(entry))
                except NotTheEnd:
                    return None
                return None if position is None else Appended(entry, position)
            case Fetch(after):
                raw, place.first = place.first, None
                if raw is None or after:
                    raw = await place.service.fetch(after)
                log, limit = self.genesis.log, self.genesis.limit
                return Entries(after, tuple(wire.unpack(one, log, limit) for one in raw))
        raise AssertionError(f"a service cannot {asked.message!r}")

    async def identify(self, place: Place) -> bool:
        """Find out which list this is, now that the service answers. Until then nothing is appended."""
        raw = await place.service.fetch(0)
        its = wire.genesis(raw[0]) if raw else None
        taken = {one.name for one in self.places}
        ours = its and its.log == self.genesis.log and its.lists == self.genesis.lists
        if not ours or its is None or its.name in taken or its.name not in self.genesis.lists:
            what = (
                "it is empty"
                if not raw
                else "it is no list of this log, or one that is named twice"
            )
            self.fails(place, ServiceError(f"{place.url}: {what}", "caller"))
            return False
        place.name, place.first = its.name, raw
        return True

    def fails(self, place: Place, error: ServiceError) -> None:
        """No answer. The more often, the longer it is left in peace."""
        place.failures += 1
        pause = max(error.after or 0.0, min(RARELY, SOON * 2.0 ** min(place.failures, 20)))
        place.silent = time.monotonic() + pause * (0.5 + self.chance.random() / 2)
        if place.up is not False or place.error != str(error):
            logger.warning("%s does not answer: %s (%s)", place.url, error, error.blame)
        place.up, place.error = False, str(error)
        self.tell()

    def answers(self, place: Place) -> None:
        if place.up is False and place.name:
            logger.info("%s answers again", place.url)
        place.up, place.failures = True, 0

    # How long to wait.

    def wait(self, why: str, timer: Ballot) -> None:
        """Wake the rules after a while, unless they ask for another wait before."""
        if self.alarm:
            self.alarm.cancel()
        patience = self.patience(why)
        self.alarm = asyncio.get_running_loop().call_later(patience, self.wake, why, timer)

    def hasten(self) -> None:
        """Wait less: an append is lost for all we know, and nothing else may tell."""
        loop = asyncio.get_running_loop()
        soon = loop.time() + 8 * self.pace
        if self.alarm and self.why == "answers" and soon < self.alarm.when():
            self.alarm.cancel()
            self.alarm = loop.call_at(soon, self.wake, self.why, self.me.member.ballot)

    def wake(self, why: str, timer: Ballot) -> None:
        self.missed += why == "answers"
        self.step(Timeout(timer))

    def patience(self, why: str) -> float:
        """Seconds to wait; each time in vain twice as long.

        After a rival: at random, so that two who keep getting in each other's way will one day not.
        How long a phase takes, the services have shown in the one that is over now.
        """
        now = time.monotonic()
        if self.why == "answers":
            self.pace = min(max(SOON, now - self.asked), LOST)
        self.why, self.asked = why, now
        if why == "rival":
            self.lost += 1
            return self.chance.random() * 2 * self.pace * 2.0 ** min(self.lost, 7)
        if why == "news":
            slowest = max((one.latency for one in self.places if one.up), default=RARELY)
            self.quiet = min(2 * self.quiet, RARELY, max(5 * SOON, 20 * slowest))
            return self.quiet * (0.5 + self.chance.random() / 2)
        return max(LOST, 8 * self.pace) * min(2.0**self.missed, PATIENT)


def protocol(genesis: Genesis) -> str:
    """Where there is one list, it is the log."""
    return "passive-log" if len(genesis.lists) > 1 else "one-list"


def opened(identity: str, genesis: Genesis) -> passive.Client:
    """The client of this log that has just been opened."""
    kind, names = PROTOCOLS[protocol(genesis)], genesis.lists
    me: passive.Client = kind.start("client", identity, majority(len(names)), names)
    views = tuple(
        (name, replace(its, genesis=replace(genesis, name=name))) for name, its in me.views
    )
    return replace(me, views=views, told=True)


def content(request: Any) -> Any:
    """What an append is about; None for a fetch."""
    return request.entry.content if isinstance(request, Append) else None


def ballot(request: Any) -> Ballot:
    """The ballot that an append is about; the highest there is where it is about none."""
    its = content(request)
    found: Ballot = its.content.ballot if isinstance(its, InSlot) else ALWAYS
    return found if isinstance(request, Append) else NO_BALLOT
