"""One seed, one run: a world in virtual time, with the faults of a real one.

The simulator decides when messages arrive, what is lost and who crashes. It knows no rule of any
protocol: it calls `step` and carries out the effects. Time is counted in whole ticks and chance
comes from `random.Random(str)` by `random()` and `getrandbits()` alone, so that a seed means the
same bytes of trace on every Python.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import Random
from typing import Any, Literal

from ..protocol import log, static
from ..protocol.events import Answer, Decide, Propose, Save, Send, Timeout, Wait
from ..protocol.quorum import Flexible, majority
from ..trace import TICK, Crash, Cut, Header, Heal, Lost, Open, Record, Sent, Step, Trace, kind
from .faults import CrashAfterSave, CrashAt, CutBetween, OnMessage, script

PROTOCOLS: dict[str, Any] = {"static": static, "log": log}
PEOPLE = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hana")
PATIENCE = 6 * TICK  # how long a proposer waits for answers
BACKOFF = 3 * TICK  # the first wait after a rival; doubles with each round, at random within
DOWN = 8 * TICK  # mean time a crashed node stays down
MOST, LONGEST = 100, 100_000  # nodes of a role; message delays


@dataclass(frozen=True)
class World:
    """Everything that a run depends on. Times are in mean message delays, chances from 0 to 1."""

    protocol: str = "static"
    seed: int = 0
    proposers: int = 3
    acceptors: int = 3
    learners: int = 1
    phase1: int | None = None  # quorum sizes; a majority unless given
    phase2: int | None = None
    wishes: Sequence[tuple[float, str, str]] | None = None  # (time, proposer, what it asks for)
    loss: float = 0.0
    duplicate: float = 0.0
    crash: float = 0.0  # chance that a node crashes in the middle of a step
    partition: float = 0.0  # chance, per message delay, that the network splits for a while
    jitter: float = 0.5  # a message takes 1 - jitter to 1 + jitter
    backoff: Literal["random", "fixed"] = "random"
    until: float = 200.0
    faults: Sequence[str] = ()


def simulate(world: World | None = None, **changes: Any) -> Trace:
    """Run a world, with these changes, to its end or until its time is up.

    Raises ValueError for a world that cannot be.
    """
    return Simulation(replace(world or World(), **changes)).run()


def names(world: World) -> dict[str, list[str]]:
    """Who is there, by role."""
    extra = [f"p{number}" for number in range(len(PEOPLE) + 1, world.proposers + 1)]
    return {
        "proposer": [*PEOPLE, *extra][: world.proposers],
        "acceptor": [f"n{number}" for number in range(1, world.acceptors + 1)],
        "learner": [f"l{number}" for number in range(1, world.learners + 1)],
    }


@dataclass
class Node:
    """A process: what `step` knows (state), what a crash spares (saved), and its one timer."""

    name: str
    role: str
    state: Any = None
    saved: Any = None
    saves: int = 0
    up: bool = True
    timer: int = 0  # the number of the last wait; an earlier one means nothing any more
    wishes: list[str] = field(default_factory=list)  # asked of it and not decided yet


class Simulation:
    """A run in progress. `agenda` is a heap of (time, number, what to do then)."""

    def __init__(self, world: World) -> None:
        check(world)
        self.world, self.now = world, 0
        self.cut: tuple[tuple[str, ...], ...] = ()
        self.rules = PROTOCOLS[world.protocol]
        self.quorums = quorums(world)
        self.roles = names(world)
        self.nodes = {name: Node(name, role) for role in self.roles for name in self.roles[role]}
        self.faults = script(world.faults, self.roles)
        self.happened: set[int] = set()
        self.streams: dict[str, Random] = {}
        self.records: list[Record] = []
        self.agenda: list[tuple[int, int, Callable[[], None]]] = []
        self.number, self.ids, self.fitting = count(), count(1), Counter[int]()
        self.senders: dict[int, str] = {}

    def chance(self, purpose: str) -> Random:
        """A stream of chance for one purpose, so that more of one does not change the others."""
        if purpose not in self.streams:
            self.streams[purpose] = Random(f"{self.world.seed}/{purpose}")
        return self.streams[purpose]

    def at(self, time: int, act: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (time, next(self.number), act))

    def run(self) -> Trace:
        world = self.world
        for node in self.nodes.values():
            self.open(node)
        for time, name, wish in wishes(world):
            self.at(ticks(time), partial(self.ask, self.nodes[name], wish))
        for number, fault in enumerate(self.faults):
            happens = partial(self.happened.add, number)
            if isinstance(fault, CrashAt):
                self.at(ticks(fault.at), happens)
                self.at(ticks(fault.at), partial(self.crash, self.nodes[fault.node], fault.lasts))
            elif isinstance(fault, CutBetween):
                self.at(ticks(fault.start), happens)
                self.at(ticks(fault.start), partial(self.split, fault.groups))
                self.at(ticks(fault.end), partial(self.heal, fault.groups))
        if world.partition:
            self.at(TICK, self.weather)
        while self.agenda and self.agenda[0][0] <= ticks(world.until):
            self.now, _, act = heapq.heappop(self.agenda)
            act()
        roles = tuple((node.name, node.role) for node in self.nodes.values())
        header = Header(world.protocol, world.seed, self.quorums, roles, tuple(world.faults))
        return Trace(header, tuple(self.records))

    def idle(self) -> list[str]:
        """The lines of the script that never came true."""
        return [
            line for number, line in enumerate(self.world.faults) if number not in self.happened
        ]

    # What happens to a node.

    def open(self, node: Node) -> None:
        """Start, or come back: with what was saved, or with nothing and a new identity."""
        fresh = self.rules.start(node.role, self.identity(node), self.quorums)
        node.state = fresh if node.saved is None else node.saved
        node.up = True
        self.records.append(Open(self.now, node.name, node.state))
        for wish in list(node.wishes):  # the user asks again
            if node.up:  # it may crash while it is asked
                self.step(node, Propose(wish))

    def identity(self, node: Node) -> str:
        """Never the same twice, and no matter of the node's own memory."""
        return f"{self.chance('identity').getrandbits(128):032x}"

    def crash(self, node: Node, lasts: float | None) -> None:
        if not node.up:
            return
        node.up, node.timer = False, next(self.number)
        self.records.append(Crash(self.now, node.name))
        if lasts is not None:
            self.at(self.now + ticks(lasts), lambda: self.open(node))

    def ask(self, node: Node, wish: str) -> None:
        node.wishes.append(wish)
        if node.up:
            self.step(node, Propose(wish))

    def step(self, node: Node, event: Any, received: int | None = None) -> None:
        """Let the rules decide, then carry out the effects, in order, up to a crash."""
        node.state, effects = self.rules.STEPS[node.role](node.state, event)
        crash = self.crash_point(node, effects)
        done, sent = crash[0] if crash else len(effects), list[Sent]()
        for effect in effects[:done]:
            self.carry_out(node, effect, sent, received)
        what = (event, node.state, effects, done, tuple(sent), received)
        self.records.append(Step(self.now, node.name, *what))
        if crash:
            self.crash(node, crash[1])

    def crash_point(self, node: Node, effects: Sequence[Any]) -> tuple[int, float | None] | None:
        """After how many effects this step is cut short, and for how long the node is down."""
        for done, effect in enumerate(effects, 1):
            if isinstance(effect, Save):
                for number, fault in enumerate(self.faults):
                    match fault:
                        case CrashAfterSave(node.name, nth, lasts) if nth == node.saves + 1:
                            self.happened.add(number)
                            return done, lasts
        dice = self.chance("crash")
        if effects and dice.random() < self.world.crash:
            return int(dice.random() * (len(effects) + 1)), dice.random() * 2 * DOWN / TICK
        return None

    def carry_out(self, node: Node, effect: Any, sent: list[Sent], received: int | None) -> None:
        match effect:
            case Save(state):
                node.saved, node.saves = state, node.saves + 1
            case Send(to, message):
                back = [self.senders[received]] if received is not None else []
                for name in back if to == "sender" else self.roles[to.removesuffix("s")]:
                    one = Sent(next(self.ids), name, message)
                    self.senders[one.id] = node.name
                    sent.append(one)
                    self.post(node.name, one)
            case Wait(why, timer):
                node.timer = mine = next(self.number)
                self.at(self.now + self.patience(why, timer), lambda: self.wake(node, mine, timer))
            case Decide():
                node.timer, node.wishes = next(self.number), node.wishes[1:]

    def wake(self, node: Node, mine: int, timer: Any) -> None:
        if node.timer == mine:
            self.step(node, Timeout(timer))

    def patience(self, why: str, timer: Any) -> int:
        """How long to wait, in ticks.

        After a rival: at random, within a window that doubles with the round, so that two who
        keep getting in each other's way will one day not.
        """
        if why == "answers":
            return PATIENCE
        if self.world.backoff == "fixed":
            return TICK // 2
        ballot = getattr(timer, "content", timer)
        window = BACKOFF << min(ballot.round, 5)
        return TICK // 2 + int(self.chance("backoff").random() * window)

    # What happens to a message.

    def post(self, sender: str, one: Sent) -> None:
        """Send one message on its way: once, twice or not at all.

        Each link has its own chance, and each message takes four numbers of it: what is lost on
        one link leaves every other message as it was.
        """
        dice, late = self.chance(f"link {sender} {one.to}"), 0.0
        loss, duplicate, *spreads = (dice.random() for _ in range(4))
        lost, twice = loss < self.world.loss, duplicate < self.world.duplicate
        for number, fault in enumerate(self.faults):
            if isinstance(fault, OnMessage) and fits(fault, sender, one):
                self.fitting[number] += 1
                if fault.nth in (None, self.fitting[number]):
                    self.happened.add(number)
                    lost, twice = lost or fault.act == "drop", twice or fault.act == "duplicate"
                    late += fault.by
        if lost:
            self.at(self.now + TICK // 2, lambda: self.lose(one.id, "lost"))
            return
        for spread in spreads[: 1 + twice]:
            takes = 1 + (2 * spread - 1) * self.world.jitter + late
            self.at(self.now + ticks(takes), lambda: self.deliver(sender, one))

    def lose(self, id: int, why: Literal["lost", "cut off", "node down"]) -> None:
        self.records.append(Lost(self.now, id, why))

    def deliver(self, sender: str, one: Sent) -> None:
        node = self.nodes[one.to]
        if self.apart(sender, one.to):
            self.lose(one.id, "cut off")
        elif not node.up:
            self.lose(one.id, "node down")
        elif node.role == "acceptor":
            self.step(node, one.message, one.id)
        else:
            self.step(node, Answer(sender, one.message), one.id)

    # What happens to the network.

    def apart(self, one: str, other: str) -> bool:
        side = {name: number for number, group in enumerate(self.cut) for name in group}
        return one in side and other in side and side[one] != side[other]

    def split(self, groups: tuple[tuple[str, ...], ...]) -> None:
        self.cut = groups
        self.records.append(Cut(self.now, groups))

    def heal(self, groups: tuple[tuple[str, ...], ...]) -> None:
        """End this cut, unless another took its place in the meantime."""
        if self.cut is not groups:
            return
        self.cut = ()
        self.records.append(Heal(self.now))

    def weather(self) -> None:
        """Perhaps split the network in two, for one to eight message delays."""
        dice = self.chance("partition")
        if not self.cut and dice.random() < self.world.partition:
            left = [name for name in self.nodes if dice.random() < 0.5]
            right = [name for name in self.nodes if name not in left]
            if left and right:
                self.split((tuple(left), tuple(right)))
                self.at(self.now + ticks(1 + 7 * dice.random()), partial(self.heal, self.cut))
        to_come = self.now < max(ticks(time) for time, _, _ in wishes(self.world))
        if to_come or any(node.wishes for node in self.nodes.values()):
            self.at(self.now + TICK, self.weather)


def fits(fault: OnMessage, sender: str, one: Sent) -> bool:
    """Is this message one that the fault is about?"""
    ends = fault.to in (None, one.to) and fault.sender in (None, sender)
    return ends and kind(one.message) == fault.kind


def ticks(delays: float) -> int:
    """Virtual time is counted in whole ticks."""
    return round(delays * TICK)


def quorums(world: World) -> Flexible:
    """The quorums of a world. Raises ValueError if they do not meet."""
    whole = majority(world.acceptors)
    return Flexible(
        world.acceptors,
        whole.phase1 if world.phase1 is None else world.phase1,
        whole.phase2 if world.phase2 is None else world.phase2,
    )


def wishes(world: World) -> Sequence[tuple[float, str, str]]:
    """Unless told otherwise everybody wants the car, one and a half message delays apart."""
    if world.wishes is not None:
        return world.wishes
    people = names(world)["proposer"]
    say = "book saturday {}" if world.protocol == "log" else "{}"
    return [
        (1.5 * number, name, say.format(name.capitalize())) for number, name in enumerate(people)
    ]


def check(world: World) -> None:
    """Refuse a world that cannot be, in one sentence that says what to do."""
    if world.protocol not in PROTOCOLS:
        raise ValueError(
            f"no protocol is called {world.protocol!r}; there are {', '.join(PROTOCOLS)}"
        )
    for what in ("proposers", "acceptors", "learners"):
        least, asked = 0 if what == "learners" else 1, getattr(world, what)
        if asked < least:
            raise ValueError(f"{asked} {what}: a run needs at least {least}.")
        if asked > MOST:
            raise ValueError(f"{asked} {what}: more than {MOST} would run for hours; use fewer.")
    for what in ("loss", "duplicate", "crash", "partition"):
        if not 0 <= getattr(world, what) <= 1:
            raise ValueError(f"{what} is a chance: {getattr(world, what)} is not from 0 to 1.")
    if not 0 <= world.jitter < 1:
        raise ValueError(
            f"jitter {world.jitter} is not from 0 to below 1: time cannot run backwards."
        )
    if not 0 <= world.until <= LONGEST:
        raise ValueError(f"until {world.until} is not from 0 to {LONGEST:,} message delays.")
    if world.backoff not in ("random", "fixed"):
        raise ValueError(f"no backoff is called {world.backoff!r}; there are random, fixed.")
    for time, name, _ in wishes(world):
        if not 0 <= time <= LONGEST:
            raise ValueError(
                f"{name} cannot wish at {time}: it is before the run begins, or never."
            )
        if name not in names(world)["proposer"]:
            raise ValueError(f"{name!r} wishes something but is no proposer; raise --proposers.")
