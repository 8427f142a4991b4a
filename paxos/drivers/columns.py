"""The states of a small world as numbers, and tables of what each node can do next.

All that happened to a node is its *column*: its state, all that it ever sent, and all that it ever
put on record. Columns get small numbers, and a state of the world is one integer made of them. What
a node can do depends on its own column and on what it hears of others, so it is worked out once for
each such pair, by the very `step` that runs everywhere else, and then looked up.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from math import factorial, prod
from typing import Any, NamedTuple

BITS = 32  # of a state of the world, for each column
HALF = 1 << BITS // 2
MASK, SENT = (1 << BITS) - 1, HALF - 1 << BITS // 2

Event = tuple[str, Any]  # (sender, message); the sender of what a node does unprompted is ""
Record = Mapping[str, frozenset[Any]]  # what each node has put on record
Way = tuple[int, bool, str | None]  # see `ways` and `moves`
Outcome = tuple[tuple["Move", ...], Any, tuple[Any, ...]]  # (moves, state then, effects)


def nothing(*_: Any) -> Iterable[Any]:
    """No event, no crash."""
    return ()


@dataclass(frozen=True)
class Node:
    """One participant. Its state, its messages and its effects must be hashable.

    `step(state, event)` returns the new state and effects. A pair (name or address of a node,
    message) is sent; any other effect goes on record, for the invariants to judge. None instead of
    a result means that the world ends there: no such move.
    """

    state: Hashable
    step: Callable[[Any, Event], tuple[Any, Iterable[Any]] | None]
    alone: Callable[[Any], Iterable[Any]] = nothing  # what it may do unprompted
    crashes: Callable[[Any, Event | None], Iterable[tuple[int, Any, Iterable[Any]]]] = nothing
    address: str = ""  # a name that it shares with others
    hears: tuple[str, ...] | None = None  # who may speak to it; None: all others
    forgets: bool = False  # what it ignores now, it ignores for ever
    kept: Mapping[str, Callable[[Any, Any], bool]] = field(default_factory=dict)  # by its steps


@dataclass(frozen=True)
class World:
    """Nodes, and what must hold: `always` in every state, `sometimes` in at least one."""

    nodes: Mapping[str, Node]
    always: Mapping[str, Callable[[Record], bool]] = field(default_factory=dict)
    sometimes: Mapping[str, Callable[[Record], bool]] = field(default_factory=dict)
    alike: tuple[str, ...] = ()  # nodes, the last ones, that may change places
    renamings: tuple[Mapping[Any, Any], ...] = ()  # of values that nothing tells apart
    crashes: int = 0  # at most so many in one run, and at most 15


class Column(NamedTuple):
    """All that happened to one node."""

    state: Any
    sent: frozenset[tuple[str, Any]] = frozenset()
    said: frozenset[Any] = frozenset()


class Move(NamedTuple):
    """One step of one node. `done`: after so many of its effects it crashed, and comes back."""

    node: str
    event: Event | None  # None: it crashed between two steps
    done: int | None = None


class Distinct(Exception):
    """Nodes that were said to be alike are not: a run is none under other names."""


class Columns:
    """The tables of one world."""

    def __init__(self, world: World, symmetry: bool, shortcuts: bool) -> None:
        self.world, self.shortcuts = world, shortcuts
        self.symmetry = symmetry and bool(len(world.alike) > 1 or world.renamings)
        self.names, self.nodes = tuple(world.nodes), tuple(world.nodes.values())
        self.first_alike = len(self.names) - len(world.alike)
        if world.alike != self.names[self.first_alike :]:
            raise ValueError("nodes that are alike must be the last ones of a world")
        for name in world.alike[1:]:
            if world.nodes[name] != world.nodes[world.alike[0]]:
                raise ValueError(f"{name} is not like {world.alike[0]}: their nodes differ")
        self.addresses = {*self.names, *(node.address for node in self.nodes if node.address)}
        self.neighbours()
        self.columns: dict[int, Column] = {}
        self.numbers: dict[Column, int] = {}
        self.sent: dict[
            Any, list[int]
        ] = {}  # what was sent -> its number, how many columns have it
        self.said: dict[int, int] = {}  # for each column the number of what is on record in it
        self.records: dict[frozenset[Any], int] = {}
        self.naming: set[int] = set()  # columns that mention one of those alike by its name
        self.voices: list[tuple[Any, ...]] = []  # what can be heard of a column
        self.messages: dict[tuple[Any, ...], int] = {}  # their numbers
        self.ears = tuple(dict[int, int]() for _ in self.names)  # column -> voice
        self.tables = tuple(dict[int, list[Way]]() for _ in self.names)  # see `ways`
        self.shared: dict[Any, list[Way]] = {}  # the same for all those alike
        self.near = tuple(dict[int, list[Way]]() for _ in self.names)  # see `moves`
        self.left: dict[tuple[int, int, int], int] = {}  # see `sifted`
        self.parts: dict[tuple[int, int], int] = {}  # see `form`
        self.orders: dict[int, int] = {}  # see `weight`
        self.other_names: dict[tuple[int, int], int] = {}
        self.renamings = len(world.renamings) + 1
        first = (self.number(Column(node.state)) for node in self.nodes)
        self.first = sum(number << shift for number, shift in zip(first, self.shift, strict=False))

    def neighbours(self) -> None:
        """Who hears whom, and where in a state the columns are."""
        # The lowest four bits of a state count the crashes; those alike are highest.
        self.shift = tuple(4 + BITS * i for i in range(len(self.names) + 1))
        self.low = self.shift[self.first_alike]
        place = {name: i for i, name in enumerate(self.names)}
        self.hears = tuple(
            tuple(place[one] for one in (self.names if node.hears is None else node.hears))
            for node in self.nodes
        )
        self.sieves = tuple(  # (whose column, listener) of messages that i's step may make vain
            tuple(
                (at, to)
                for j in heard
                for at, to in ((i, j), (j, i))
                if self.shortcuts and self.nodes[to].forgets
            )
            for i, heard in enumerate(self.hears)
        )
        # The part of a state on which the ways of a node depend: its column, and what others sent.
        self.hearing = tuple(
            sum(SENT << self.shift[j] for j in heard if j != i) | MASK << self.shift[i]
            for i, heard in enumerate(self.hears)
        )
        # The part on which its moves depend; 0: so much that it is not worth looking them up.
        self.mask = tuple(
            self.hearing[i]
            if not self.sieves[i]
            else sum(MASK << self.shift[j] for j in {i, *heard})
            if len({i, *heard} & {*range(self.first_alike, len(self.names))}) < 2
            else 0
            for i, heard in enumerate(self.hears)
        )

    def number(self, column: Column) -> int:
        """The number of a column: what was sent in the upper half, the rest in the lower half."""
        found = self.numbers.get(column)
        if found is None:
            same = self.sent.setdefault(column.sent, [len(self.sent), 0])
            found = self.numbers[column] = same[0] * HALF + same[1]
            same[1] += 1
            if max(same) >= HALF:
                raise ValueError("the world is too large: more columns than a state has room for")
            self.columns[found] = column
            self.said[found] = self.records.setdefault(column.said, len(self.records))
            if any(name in repr(column) for name in self.world.alike):
                self.naming.add(found)
        return found

    def at(self, state: int, i: int) -> int:
        """The number of the column of node i."""
        return state >> self.shift[i] & MASK

    def put(self, state: int, i: int, number: int) -> int:
        return state + (number - self.at(state, i) << self.shift[i])

    def record(self, state: int) -> Record:
        """What each node has put on record."""
        return {name: self.columns[self.at(state, i)].said for i, name in enumerate(self.names)}

    # What a node can do.

    def ear(self, i: int, state: int) -> tuple[int, ...]:
        """What node i may hear of each of the others: numbers of tuples of messages."""
        voices, shift = self.ears[i], self.shift
        try:
            return tuple([voices[state >> shift[j] & MASK] for j in self.hears[i]])
        except KeyError:
            return tuple([self.voice(self.at(state, j), i) for j in self.hears[i]])

    def voice(self, number: int, listener: int) -> int:
        """What the listener may hear of this column."""
        names = (self.names[listener], self.nodes[listener].address)
        heard = [message for to, message in self.columns[number].sent if to in names]
        said = tuple(sorted(heard, key=repr))
        found = self.ears[listener][number] = self.messages.setdefault(said, len(self.voices))
        if found == len(self.voices):
            self.voices.append(said)
        return found

    def outcomes(self, i: int, state: int, crash: bool = False) -> Iterator[Outcome]:
        """Every way in which node i can go on."""
        node, name = self.nodes[i], self.names[i]
        before = self.columns[self.at(state, i)].state
        heard = [
            (self.names[j], message)
            for j, voice in zip(self.hears[i], self.ear(i, state), strict=True)
            for message in self.voices[voice]
        ]
        if crash:
            for event in (None, *heard, *(("", one) for one in node.alone(before))):
                for done, after, effects in node.crashes(before, event):
                    yield (Move(name, event, done),), after, tuple(effects)
            return
        ways: dict[Any, tuple[Move, ...]] = {before: ()}  # by receipts without effect
        queue = [before]
        for now in queue:
            for event in (*heard, *(("", one) for one in node.alone(now))):
                result = node.step(now, event)
                if result is not None:
                    after, effects, moves = (
                        result[0],
                        tuple(result[1]),
                        (*ways[now], Move(name, event)),
                    )
                    if effects or not self.shortcuts:
                        yield moves, after, effects
                    elif after not in ways:
                        ways[after] = moves
                        queue.append(after)

    def grown(self, number: int, now: Any, effects: tuple[Any, ...]) -> int:
        """The column after a step to the state `now` with these effects."""
        old = self.columns[number]
        sent = {e for e in effects if type(e) is tuple and len(e) == 2 and e[0] in self.addresses}
        said = old.said.union(effect for effect in effects if effect not in sent)
        return self.number(Column(now, old.sent | sent, said))

    def sifted(self, i: int, state: int) -> int:
        """The state after a step of node i, without messages that are now in vain for ever."""
        shift = self.shift
        for at, listener in self.sieves[i]:
            number, ear = state >> shift[at] & MASK, state >> shift[listener] & MASK
            key = (number, listener, ear)
            left = self.left.get(key)
            if left is None:
                old, now, node = self.columns[number], self.columns[ear].state, self.nodes[listener]
                vain = set()
                for to, message in old.sent:
                    here = to == self.names[listener]
                    result = node.step(now, ("?", message)) if here else None
                    if result is not None and result[0] == now and not tuple(result[1]):
                        vain.add((to, message))
                left = self.left[key] = self.number(old._replace(sent=old.sent - vain))
            if left != number:
                state += left - number << shift[at]
        return state

    def ways(self, i: int, state: int, crash: bool) -> list[Way]:
        """What node i can become: (its column, is anything new on record, step invariant broken)."""
        near = (state & self.hearing[i]) + crash
        found = self.tables[i].get(near)
        if found is None:
            number = state >> self.shift[i] & MASK
            key = (min(i, self.first_alike), crash, number, self.ear(i, state))
            found = self.shared.get(key)
            if found is None:
                found = self.shared[key] = self.all_ways(i, state, crash)
            self.tables[i][near] = found
        return found

    def all_ways(self, i: int, state: int, crash: bool) -> list[Way]:
        """The same, worked out."""
        number, ways = self.at(state, i), dict[int, Way]()
        before = self.columns[number].state
        for _, now, effects in self.outcomes(i, state, crash):
            new = self.grown(number, now, effects)
            broken = None if crash else self.breaks(i, before, now)
            if new != number or broken:
                ways.setdefault(new, (new, self.said[new] != self.said[number], broken))
        return list(ways.values())

    def moves(self, i: int, state: int, crash: bool) -> list[Way]:
        """What node i can make of the state: (difference, anything new?, step invariant broken)."""
        moves = self.ways(i, state, crash)
        if moves:
            shift, sifts = self.shift[i], bool(self.sieves[i])
            number, ways = state >> shift & MASK, moves
            moves = []
            for new, news, broken in ways:
                then = state + (new - number << shift)
                then = self.sifted(i, then) if sifts else then
                moves.append((then - state + crash, news, broken))
        if self.mask[i]:
            self.near[i][(state & self.mask[i]) + crash] = moves
        return moves

    def steps(self, state: int) -> Iterator[tuple[tuple[Move, ...], int]]:
        """Every step from a state, with its moves: (moves, state then)."""
        for crash in (False, True) if state & 15 < self.world.crashes else (False,):
            for i in range(len(self.names)):
                for moves, now, effects in self.outcomes(i, state, crash):
                    new = self.put(state, i, self.grown(self.at(state, i), now, effects))
                    new = self.sifted(i, new)
                    if new != state:
                        yield moves, new + crash

    def step_to(self, state: int, goal: int) -> tuple[int, tuple[Move, ...]]:
        """A step from a state to one that is the goal but for names."""
        for moves, new in self.steps(state):
            if self.canonical(new) == goal:
                return new, moves
        raise Distinct

    def everything(self, state: int) -> Mapping[str, Column]:
        """The column of each node."""
        return {name: self.columns[self.at(state, i)] for i, name in enumerate(self.names)}

    def news(self, state: int) -> tuple[int, ...]:
        """The numbers of what each node has put on record."""
        return tuple(self.said[self.at(state, i)] for i in range(len(self.names)))

    def breaks(self, i: int, before: Any, now: Any) -> str | None:
        """The first step invariant that this step of node i breaks."""
        rules = self.nodes[i].kept.items()
        return next((name for name, holds in rules if not holds(before, now)), None)

    # Which states differ only by names.

    def canonical(self, state: int) -> int:
        """The one state that stands for all those that a renaming makes of this one."""
        if not self.symmetry or (self.naming and self.names_one(state)):
            return state
        low, parts = self.low, self.parts
        alike = state >> low
        best = state + ((parts.get((0, alike)) or self.order(0, alike)) - alike << low)
        for k in range(1, self.renamings):
            form = self.form(k, state)
            best = form if form < best else best
        return best

    def names_one(self, state: int) -> bool:
        return any(self.at(state, i) in self.naming for i in range(len(self.names)))

    def form(self, k: int, state: int) -> int:
        """The state under renaming k of values (0: none), the columns of those alike in order."""
        low = self.low
        rest, alike = state & (1 << low) - 1, state >> low
        found = self.parts.get((-k, rest)) if k else rest
        if found is None:
            found = rest & 15
            for i in range(self.first_alike):
                found += self.renamed(k, self.at(rest, i)) << self.shift[i]
            self.parts[-k, rest] = found
        return found | (self.parts.get((k, alike)) or self.order(k, alike)) << low

    def order(self, k: int, alike: int) -> int:
        """The columns of those alike, renamed and in order."""
        count = len(self.world.alike)
        columns = [alike >> BITS * i & MASK for i in range(count)]
        columns = sorted(self.renamed(k, column) if k else column for column in columns)
        found = sum(column << BITS * i for i, column in enumerate(columns))
        self.parts[k, alike] = found
        return found

    def renamed(self, k: int, column: int) -> int:
        if (k, column) not in self.other_names:
            new = rename(self.columns[column], self.world.renamings[k - 1])
            self.other_names[k, column] = self.number(new)
        return self.other_names[k, column]

    def weight(self, state: int) -> int:
        """How many states of the world this one stands for."""
        if not self.symmetry or (self.naming and self.names_one(state)):
            return 1
        alike = state >> self.low
        orders = self.orders.get(alike)
        if orders is None:
            count = len(self.world.alike)
            same = Counter(alike >> BITS * i & MASK for i in range(count))
            orders = factorial(count) // prod(map(factorial, same.values()))
            self.orders[alike] = orders
        if self.renamings == 1:
            return orders
        return orders * len({self.form(k, state) for k in range(self.renamings)})


def rename(thing: Any, names: Mapping[Any, Any]) -> Any:
    """The thing with these values exchanged, however deep they are in it."""
    if isinstance(thing, frozenset):
        return frozenset(rename(one, names) for one in thing)
    if isinstance(thing, tuple):
        parts = [rename(one, names) for one in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    if is_dataclass(thing) and not isinstance(thing, type):
        shown = {f.name: rename(getattr(thing, f.name), names) for f in fields(thing)}
        return replace(thing, **shown)
    return names.get(thing, thing)
