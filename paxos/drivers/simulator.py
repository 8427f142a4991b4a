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

from ..protocol.events import Answer, Decide, Opened, Propose, Save, Send, Timeout, Wait
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Amiss
from ..protocol.messages import Append, Fetch, InSlot
from ..trace import TICK, Crash, Cut, Header, Heal, Lost, Open, Record, Sent, Step, Trace, kind
from .faults import CrashAfterSave, CrashAt, CutBetween, Litter, OnMessage, script
from .setting import World, check, names, quorums, ticks, wishes

__all__ = ["PROTOCOLS", "Simulation", "World", "check", "names", "quorums", "simulate"]

PATIENCE = 6 * TICK  # how long a proposer waits for answers
BACKOFF = 3 * TICK  # the first wait after a rival; doubles with each round, at random within
DOWN = 8 * TICK  # mean time a crashed node stays down


def simulate(world: World | None = None, **changes: Any) -> Trace:
    """Run a world, with these changes, to its end or until its time is up.

    Raises ValueError for a world that cannot be.
    """
    return Simulation(replace(world or World(), **changes)).run()


@dataclass
class Node:
    """A process: what `step` knows (state), what a crash spares (saved), and its one timer."""

    name: str
    role: str
    state: Any = None
    saved: Any = None
    saves: int = 0
    since: int = 0  # what was asked before is answered to nobody: another life asked it
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
        self.origins: dict[int, int] = {}  # the id of an answer -> of what it answers
        self.last = max((ticks(time) for time, _, _ in wishes(world)), default=0)

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
            elif isinstance(fault, Litter):
                self.at(ticks(fault.at), happens)
                thing = Append(fault.thing)
                self.at(ticks(fault.at), partial(self.step, self.nodes[fault.node], thing))
        if world.partition or world.outages:
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
        """Start, or come back, and let the user ask again."""
        self.boot(node)
        if node.role == "client":
            self.step(node, Opened())
        for wish in list(node.wishes):
            if node.up:  # it may crash while it is asked
                self.step(node, Propose(wish))

    def boot(self, node: Node) -> None:
        """With what was saved, or with nothing and a new identity."""
        drawn, rules = self.identity(node), self.rules
        name = node.name if node.role in rules.named else drawn
        fresh = rules.start(node.role, name, self.quorums, tuple(self.roles[rules.remembers]))
        node.state = fresh if node.saved is None else node.saved
        if (self.world.conditional or self.world.told) and node.role == rules.asks:
            world = self.world
            node.state = replace(node.state, conditional=world.conditional, told=world.told)
        node.up = True
        if node.role == rules.asks and node.role in rules.named:
            node.since = next(self.ids)
        self.records.append(Open(self.now, node.name, node.state))

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
        node.state, effects = self.rules.steps[node.role](node.state, event)
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
                for name in back if to == "sender" else self.called(to):
                    one = Sent(next(self.ids), name, message)
                    self.senders[one.id] = node.name
                    self.origins[one.id] = received or one.id
                    sent.append(one)
                    self.post(node.name, one)
            case Wait(why, timer):
                node.timer = mine = next(self.number)
                wake = partial(self.wake, node, mine, timer, why)
                self.at(self.now + self.patience(why, timer), wake)
            case Decide(_, InSlot(_, batch)):
                node.timer = next(self.number)
                for one in batch:
                    if self.knows(node).proposer.identity == one.client and one.text in node.wishes:
                        node.wishes.remove(one.text)
            case Decide():
                node.timer, node.wishes = next(self.number), node.wishes[1:]

    def called(self, to: str) -> list[str]:
        """Who is meant: one by name, or all of a role."""
        return [to] if to in self.nodes else self.roles[to.removesuffix("s")]

    def wake(self, node: Node, mine: int, timer: Any, why: str) -> None:
        if node.timer == mine and not (why == "news" and self.over(node)):
            self.step(node, Timeout(timer))

    def knows(self, node: Node) -> Any:
        """The part of a client's state that wants something and knows what is decided."""
        return getattr(node.state, "member", node.state)

    def over(self, node: Node) -> bool:
        """Is there no news to come? Then a client that only listens may stop asking."""
        clients = [one for one in self.nodes.values() if one.role == self.rules.asks]
        if self.now < self.last or any(one.wishes for one in clients):
            return False
        known = [len(getattr(self.knows(one), "log", ())) for one in (node, *clients)]
        return known[0] == max(known) and not any(self.knows(one).settled for one in clients)

    def patience(self, why: str, timer: Any) -> int:
        """How long to wait, in ticks.

        After a rival: at random, within a window that doubles with the round, so that two who
        keep getting in each other's way will one day not.
        """
        twice = 1 if self.rules.remembers == "acceptor" else 2  # a phase is two round trips
        if why != "rival":
            return PATIENCE * twice
        if self.world.backoff == "fixed":
            return TICK // 2
        window = twice * BACKOFF << min(timer.round, 5)
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
            takes = (1 + (2 * spread - 1) * self.world.jitter) * self.pace(sender, one.to) + late
            self.at(self.now + ticks(takes), lambda: self.deliver(sender, one))

    def pace(self, sender: str, to: str) -> float:
        """How much slower than others the one of these two is that remembers."""
        paces = dict(self.world.pace)
        return paces.get(sender, 1) * paces.get(to, 1)

    def lose(self, id: int, why: Literal["lost", "cut off", "node down"]) -> None:
        self.records.append(Lost(self.now, id, why))

    def deliver(self, sender: str, one: Sent) -> None:
        node = self.nodes[one.to]
        if self.apart(sender, one.to):
            self.lose(one.id, "cut off")
        elif not node.up or self.origins[one.id] < node.since:
            self.lose(one.id, "node down")
        elif node.role == self.rules.remembers:
            self.step(node, self.served(node, one.message), one.id)
        else:
            self.step(node, Answer(sender, one.message), one.id)

    def served(self, node: Node, request: Any) -> Any:
        """The request, or what a service in a bad moment makes of it."""
        if isinstance(request, Append | Fetch):
            dice = self.chance(f"service {node.name}")
            roll, behind = dice.random(), 1 + int(dice.random() * 3)
            if isinstance(request, Append) and roll < self.world.lost_appends:
                return Amiss(request)
            if isinstance(request, Fetch) and roll < self.world.stale_reads:
                return Amiss(request, behind)
        return request

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
        """Perhaps split the network in two, or take one who remembers away, for a while."""
        dice = self.chance("partition")
        if not self.cut and dice.random() < self.world.partition:
            left = [name for name in self.nodes if dice.random() < 0.5]
            right = [name for name in self.nodes if name not in left]
            if left and right:
                self.split((tuple(left), tuple(right)))
                self.at(self.now + ticks(1 + 7 * dice.random()), partial(self.heal, self.cut))
        dice = self.chance("outage")
        if dice.random() < self.world.outages:
            names = self.roles[self.rules.remembers]
            self.crash(self.nodes[names[int(dice.random() * len(names))]], 2 + 10 * dice.random())
        if self.now < self.last or any(node.wishes for node in self.nodes.values()):
            self.at(self.now + TICK, self.weather)


def fits(fault: OnMessage, sender: str, one: Sent) -> bool:
    """Is this message one that the fault is about?"""
    ends = fault.to in (None, one.to) and fault.sender in (None, sender)
    return ends and kind(one.message) == fault.kind
