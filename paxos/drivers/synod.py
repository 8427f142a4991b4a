"""The world of the published model of Disk Paxos, in the running code: what TLC has counted.

The grain is that of `DiskSynod.tla` (Gafni, Lamport): processors write and read disks in one step each,
one block at a time, and nobody fails. A write is `store`, what a block says is in `answers`, and the
value is the `binding_value`. A quorum is a majority of the disks. (The shipped configuration takes half
of the processors, and has no recorded result.) Memory is shared here, so the world is searched as a
whole and not node by node.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import factorial, prod
from typing import Any, Literal, NamedTuple

from ..protocol.acceptor import Acceptor
from ..protocol.ballot import Ballot
from ..protocol.blocks import Block, Disk, answers, join, store
from ..protocol.messages import Accept, Blocks, Prepare, Refused, Write
from ..protocol.proposer import binding_value
from ..protocol.quorum import majority
from ..protocol.votes import fold
from .checker import LIMIT, PULSE, Verdict
from .nodes import Move

MOST = 9
INVARIANTS = ("agreement", "validity")
REACHABLE = "a value can be chosen"
TOLD = "is told"


EMPTY = Block(Acceptor())


class Processor(NamedTuple):
    """What one processor knows, but for what it has written and read."""

    wish: str
    phase: int = 0  # 0: reading its own blocks; 3: done
    block: Any = EMPTY  # of one decision
    output: str | None = None


class Column(NamedTuple):
    """A disk, and who has written and read it in the present phase: one entry for each processor."""

    disk: Disk
    written: tuple[bool, ...]
    read: tuple[frozenset[tuple[str, Block]], ...]


State = tuple[int, ...]  # numbers of processors, then of columns: see `Model`


@dataclass(frozen=True)
class Synod:
    """How large the world is."""

    processors: int = 2
    disks: int = 3
    inputs: int = 2
    ballots: int = 1  # of each processor; all those of one are above those of the one before


class Model:
    """The world of one size. Processors and columns get numbers, so that each step is worked out once."""

    def __init__(self, size: Synod) -> None:
        for what, number in vars(size).items():
            if not 1 <= number <= MOST:
                raise ValueError(f"{number} {what}: use 1 to {MOST}.")
        self.size, self.names = size, [f"p{n}" for n in range(1, size.processors + 1)]
        self.things: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.known: dict[Any, Any] = {}

    def number(self, thing: Any) -> int:
        if thing not in self.numbers:
            self.numbers[thing] = len(self.things)
            self.things.append(thing)
        return self.numbers[thing]

    def starts(self) -> Iterator[State]:
        """The states in which it may begin: one for everything that they may wish."""
        many = self.size.processors
        column = self.number(Column(Disk(), (False,) * many, (frozenset(),) * many))
        for wishes in product([f"v{n}" for n in range(1, self.size.inputs + 1)], repeat=many):
            people = (self.number(Processor(wish)) for wish in wishes)
            yield (*people, *(column,) * self.size.disks)

    def steps(self, state: State) -> Iterator[tuple[str, str, State]]:
        """Every step: (who, what it does, the state then)."""
        known, many = self.known, self.size.processors
        columns = state[many:]
        for i, name in enumerate(self.names):
            for n, column in enumerate(columns):
                if (i, state[i], column) not in known:
                    ways = at_disk(i, name, self.things[state[i]], self.things[column])
                    known[i, state[i], column] = [(what, self.number(it)) for what, it in ways]
                for what, it in known[i, state[i], column]:
                    here = many + n
                    yield name, f"{what} d{n + 1}", (*state[:here], it, *state[here + 1 :])
            for what, now, fresh in self.turns(i, state[i], columns):
                yield name, what, (*state[:i], now, *state[i + 1 : many], *fresh)

    def turns(self, i: int, me: int, columns: State) -> list[tuple[str, int, State]]:
        """The steps of one processor that end a phase, or its ballot: what it has read is void then."""
        key = (i, me, tuple(sorted(columns)))
        if key not in self.known:
            its = [self.things[column] for column in columns]
            self.known[key] = [
                (what, self.number(now)) for what, now in self.ends(i, self.things[me], its)
            ]
        fresh = tuple(map(partial(self.fresh, i), columns)) if self.known[key] else ()
        return [(what, now, fresh) for what, now in self.known[key]]

    def fresh(self, i: int, column: int) -> int:
        if (i, column) not in self.known:
            it = self.things[column]
            read, written = but(it.read, i, frozenset()), but(it.written, i, False)
            self.known[i, column] = self.number(Column(it.disk, written, read))
        number: int = self.known[i, column]
        return number

    def ends(self, i: int, me: Processor, columns: list[Column]) -> Iterator[tuple[str, Processor]]:
        """What it can become by ending a phase with what it has read, or by a higher ballot."""
        name, others = self.names[i], {one for one in self.names if one != self.names[i]}
        heard = {name} if me.phase == 0 else others
        full = [it for it in columns if {who for who, _ in it.read[i]} >= heard]
        enough = (
            sum(it.written[i] or me.phase == 0 for it in full) >= majority(self.size.disks).phase1
        )
        seen = [theirs for it in columns for theirs in it.read[i]]
        if me.phase == 0 and enough:
            me = me._replace(block=join(*(block for _, block in seen)))
        elif me.phase == 1 and enough:
            votes = [reply(name, me, theirs).vote for theirs in ((name, me.block), *seen)]
            asks = Accept(me.block.memory.promised, binding_value(votes, me.wish))
            yield f"asks for {asks.value}", me._replace(phase=2, block=told(me.block, asks))
        elif me.phase == 2 and enough:
            value = me.block.memory.vote.value
            yield f"{TOLD} {value}", me._replace(phase=3, output=value)
        for number in range(1, self.size.ballots + 1) if me.phase in (1, 2) or enough else ():
            ballot = Ballot(i * self.size.ballots + number, name)
            if me.phase < 3 and ballot > me.block.memory.promised:
                block = told(me.block, Prepare(ballot))
                yield f"prepares {ballot.round}.{name}", me._replace(phase=1, block=block)

    def broken(self, state: State) -> str | None:
        """The invariant that a state breaks."""
        people = [self.things[number] for number in state[: self.size.processors]]
        told = {one.output for one in people} - {None}
        if len(told) > 1:
            return "agreement"
        return None if told <= {one.wish for one in people} else "validity"

    def canonical(self, state: State) -> State:
        """The one that stands for all those with their disks in another order."""
        many = self.size.processors
        return (*state[:many], *sorted(state[many:]))

    def weight(self, state: State) -> int:
        """How many states that is."""
        same = Counter(state[self.size.processors :]).values()
        return factorial(self.size.disks) // prod(map(factorial, same))


def at_disk(i: int, name: str, me: Processor, it: Column) -> Iterator[tuple[str, Column]]:
    """What a processor can do with one disk."""
    blocks = dict(it.disk.blocks)
    if me.phase == 0:
        own = (name, blocks.get(name, EMPTY))
        yield "reads its block on", it._replace(read=but(it.read, i, it.read[i] | {own}))
    if me.phase not in (1, 2):
        return
    disk, _ = store(it.disk, Write(name, me.block))
    yield "writes", it._replace(disk=disk, written=but(it.written, i, True))
    for n in range(len(it.read)):
        who = f"p{n + 1}"
        if n != i and it.written[i]:
            theirs = (who, blocks.get(who, EMPTY))
            if not isinstance(
                reply(name, me, theirs), Refused
            ):  # else it begins anew, as it may at any time
                yield f"reads {who} on", it._replace(read=but(it.read, i, it.read[i] | {theirs}))


def reply(name: str, me: Processor, theirs: tuple[str, Block]) -> Any:
    """What an acceptor would answer that remembers my block and this one."""
    blocks = Blocks(tuple({name: me.block, theirs[0]: theirs[1]}.items()))
    asks = Prepare(me.block.memory.promised) if me.phase == 1 else me.block.memory.vote
    return answers([asks], name, blocks)[0]


def told(block: Block, request: Any) -> Block:
    """The block of one who asks this."""
    return Block(fold(block.memory, request)[0])


def but(many: tuple[Any, ...], i: int, one: Any) -> tuple[Any, ...]:
    """All these, but for one."""
    return (*many[:i], one, *many[i + 1 :])


class Search:
    """A search in progress. `found` remembers each state, and one from which a step leads to it."""

    def __init__(self, size: Synod, symmetry: bool, limit: int) -> None:
        self.model, self.symmetry, self.limit = Model(size), symmetry, limit
        self.form = self.model.canonical if symmetry else lambda state: state
        self.started = time.monotonic()
        self.found: dict[State, State | None] = {}
        self.levels: list[int] = []
        self.reached: dict[str, int] = {}

    def run(self, progress: Callable[[Verdict], None]) -> Verdict:
        front = list(dict.fromkeys(map(self.form, self.model.starts())))
        self.found = dict.fromkeys(front)
        due = self.started + PULSE
        while front:
            self.levels.append(sum(map(self.model.weight, front)) if self.symmetry else len(front))
            following = list[State]()
            for number, state in enumerate(front):
                queue = len(front) - number + len(following)
                if time.monotonic() > due:
                    due = time.monotonic() + PULSE
                    progress(self.verdict("bounded", queue))
                if len(self.found) > self.limit:
                    return self.verdict("bounded", queue)
                if bad := self.visit(state, following):
                    self.levels.append(len(following))
                    run = self.path(following[-1])
                    return replace(self.verdict("violated"), invariant=bad, run=run)
            front = following
        if REACHABLE not in self.reached:
            return replace(self.verdict("violated"), invariant=REACHABLE)
        return self.verdict("safe")

    def visit(self, state: State, following: list[State]) -> str | None:
        """Take every step from a state; the invariant that one of them breaks, if any."""
        for _, what, new in self.model.steps(state):
            new = self.form(new)
            if new not in self.found:
                self.found[new] = state
                following.append(new)
                if what.startswith(TOLD):
                    self.reached.setdefault(REACHABLE, len(self.levels) + 1)
                    if bad := self.model.broken(new):
                        return bad
        return None

    def verdict(self, verdict: Literal["safe", "violated", "bounded"], queue: int = 0) -> Verdict:
        """What is known by now."""
        counts = (sum(self.levels), len(self.found) - queue, len(self.levels))
        seconds = time.monotonic() - self.started
        levels, reached = tuple(self.levels), dict(self.reached)
        return Verdict(verdict, *counts, seconds, levels=levels, reached=reached, queue=queue)

    def path(self, last: State) -> tuple[Move, ...]:
        """The moves to a state, with the names that disks really have."""
        chain, before = [last], self.found[last]
        while before is not None:
            chain.append(before)
            before = self.found[before]
        goals, run = chain[::-1], list[Move]()
        state = next(one for one in self.model.starts() if self.form(one) == goals[0])
        for goal in goals[1:]:
            steps = self.model.steps(state)
            name, what, state = next(one for one in steps if self.form(one[2]) == goal)
            run.append(Move(name, ("", what)))
        return tuple(run)


def explore(
    size: Synod,
    symmetry: bool = True,
    limit: int = LIMIT,
    progress: Callable[[Verdict], None] = lambda _: None,
) -> Verdict:
    """Visit every state of the model, until an invariant breaks or more than `limit` were found.

    Raises ValueError for a world that cannot be.
    """
    return Search(size, symmetry, limit).run(progress)
