"""The rules at work: `passive.step` over asyncio, on lists that storage services keep.

All services are asked at once, each in a task of its own, one request after the other: a slow one holds
up nobody, and what it was asked for a ballot that is over is dropped. An error is no answer. Who opens
draws an identity, so there is nothing to save, and no answer to a former life can arrive.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from dataclasses import replace
from typing import Any, Protocol

from ..protocol import passive
from ..protocol.ballot import NO_BALLOT, Ballot
from ..protocol.events import Answer, Decide, Distrust, Opened, Propose, Send, Timeout, Wait
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Genesis
from ..protocol.messages import Append, Command, Entries, InSlot
from ..protocol.quorum import majority
from ..services.contract import AppendOnlyList, ServiceError
from ..trace import Header, Open, Sent, Step
from .places import Answered, Mismatch, Place

logger = logging.getLogger("paxos")
LOST = 2.0  # seconds after which an answer is missed, at least
SOON, RARELY = 0.05, 5.0  # seconds between two looks while there is news, and when there is none
LONGEST = 256  # requests that wait for one of several services; older ones count as lost
GRACE = 0.5  # seconds for slower services when we leave
LISTEN = 60.0  # seconds to wait for a service that tells of news by itself
ALWAYS = Ballot(1 << 62, "")
PATIENT = 4.0  # times as long, at most, after so many waits in vain


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
            jobs = [self.work(place)]
            if type(place.service).news is not AppendOnlyList.news:
                jobs.append(self.listen(place))
            for job in jobs:
                task = asyncio.create_task(job, name=f"paxos {place.url}")
                task.add_done_callback(self.ended)
                self.tasks.append(task)
        self.step(Opened())

    async def close(self) -> None:
        """Stop. What was asked and not answered is open, as after a crash."""
        await self.finish()
        self.fail(RuntimeError("the log is closed"))
        if self.alarm:
            self.alarm.cancel()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await shut(self.places)

    async def finish(self) -> None:
        """Let slower services put down what the quickest have decided: who leaves first would starve them.

        The more lists have a vote, the more of them may be lost.
        """
        end = time.monotonic() + GRACE
        while any(one.owes for one in self.places) and time.monotonic() < end:
            await asyncio.sleep(SOON / 10)

    def ended(self, task: "asyncio.Task[None]") -> None:
        """A task of ours never ends but by a mistake of ours; whoever waits must hear of it."""
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """There is nothing left to hope for: tell everybody who waits, and whoever comes."""
        self.failure = self.failure or error
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
                    self.refuse(next(one for one in self.places if one.name == name), why)
        known = {place.name for place in self.places}
        for place in self.places:
            mine = (place.name,) if place.name else set(self.genesis.lists) - known
            self.ask(place, [one for one in asks if one.to in mine])

    def propose(self, text: str) -> Command:
        """Wish for an entry. It is decided when the log has this command."""
        command = Command(self.identity, self.me.member.count + len(self.me.wishes), text)
        self.step(Propose(text))
        return command

    def refuse(self, place: Place, why: str) -> None:
        """Go on without this one; raise if the others are no quorum."""
        place.refuse(why)
        left = [one.url for one in self.places if not one.refused]
        if not self.me.member.proposer.quorums.reached(1, left):
            self.fail(Mismatch(f"too few services are left: {place.url}: {why}"))
        self.tell()

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
        if not asks or place.refused:
            return
        newest = max((ballot(one.message) for one in asks), default=NO_BALLOT)
        again = {content(one.message) for one in asks}
        waiting = [
            one
            for one in place.inbox
            if content(one.message) not in again | {None} and ballot(one.message) >= newest
        ]
        many = LONGEST if len(self.places) > 1 else None  # the only one must keep them in order
        place.inbox = deque([*waiting, *asks], many)
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
            asked, started = place.inbox.popleft(), time.monotonic()
            if self.vain(asked.message):
                continue
            place.busy = isinstance(asked.message, Append)
            try:
                taken = {one.name for one in self.places}
                answer = await place.serve(asked, self.genesis, taken)
            except Mismatch as error:
                self.refuse(place, str(error))
            except ServiceError as error:
                pause = min(RARELY, SOON * 2.0 ** min(place.failures + 1, 20))
                place.fails(error, pause * (0.5 + self.chance.random() / 2))
                if error.unsure:
                    self.hasten()
            else:
                place.latency = time.monotonic() - started
                self.hear(place, asked, answer, started)
            place.busy = False
            self.tell()

    def vain(self, request: Any) -> bool:
        """Is this append of no use any more: of a ballot that is over, or made in the meantime?"""
        match content(request):
            case None:
                return False
            case Command() as mine:
                return mine not in self.me.member.pending
        over: bool = ballot(request) < self.me.member.ballot
        return over

    def hear(self, place: Place, asked: Sent, answer: Answered, started: float) -> None:
        """Tell the rules what a service has answered."""
        if place.name is None or place.name != asked.to:
            return
        if answer is None:
            self.hasten()
            return
        known = self.me.view(place.name).end
        if isinstance(answer, Entries):
            end, whole = answer.after + len(answer.entries), True
        else:
            end, whole = (answer.position or 0) + 1, answer.position == known
        if whole and end > known:
            self.quiet = SOON
        if whole and end >= known:
            place.read = started
        if isinstance(answer, Entries) and end < known and (place.service.fresh or not end):
            short = f"{place.url} had {known} entries, and has fewer: an old copy, or emptied"
            place.fails(ServiceError(short, "service", retry=True), SOON)
        else:
            place.answers()
        self.step(Answer(place.name, answer), asked.id)

    async def listen(self, place: Place) -> None:
        """Look as soon as a service tells of news by itself, if it can. Never more often than needed."""
        while True:
            if place.name is not None and place.up:
                known = self.me.view(place.name).end
                try:
                    await place.service.news(known, LISTEN)
                except ServiceError:
                    await asyncio.sleep(RARELY)
                    continue
                self.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RARELY):  # `wait_for` may swallow our cancellation
                        await self.changed.wait()
                if self.me.view(place.name).end > known:
                    continue
            await asyncio.sleep(RARELY)

    # How long to wait.

    @property
    def latency(self) -> float:
        """Seconds in which the fastest services answer that are enough: a slow one slows nobody."""
        times = sorted(one.latency for one in self.places if one.up)
        enough = self.me.member.proposer.quorums.phase1
        return times[min(enough, len(times)) - 1] if times else RARELY

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
        self.why = ""  # how long we waited in vain says nothing of how long a phase takes
        try:
            self.step(Timeout(timer))
        except Exception as error:
            self.fail(error)

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
            return self.chance.random() * 2 * min(self.pace * 2.0 ** min(self.lost, 6), RARELY)
        if why == "news":
            often = max(5 * SOON, 20 * self.latency)
            self.quiet = min(2 * self.quiet, RARELY, often)
            return self.quiet * (0.5 + self.chance.random() / 2)
        return max(LOST, 8 * self.pace) * min(2.0**self.missed, PATIENT)


async def shut(places: list[Place]) -> None:
    """Let go of all services, also where one of them cannot."""
    ends = await asyncio.gather(*(one.service.close() for one in places), return_exceptions=True)
    for place, error in zip(places, ends, strict=True):
        if isinstance(error, Exception):
            logger.warning("%s was not closed: %s", place.url, type(error).__name__)


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
